//! What goes into a store and what comes out of it.

use rescind_core::{
    Actor, Digest, IssueDenial, LetIn, NetworkSet, Owner, OwnerId, OwnerKind, RevocationReason,
    Scope, ScopeSet, TenantId, Timestamp, TokenId, TokenKind, TokenRecord, Widening, audit,
    signature::Secret,
};
use std::time::Duration;

/// Number of the last change to what verifiers hold in memory; without gaps, in commit order.
///
/// Every change of an owner or a token counts, whether it takes power away or gives it back, so that
/// whoever has applied all up to a number knows everything up to it. New owners and new tokens do
/// not count: nobody can hold an old state of them. Nor does what no verifier decides by (a token's
/// label, a password).
pub type Epoch = u64;

/// By how many verifiers an epoch is known. A revocation is answered once it is settled: each of
/// them has either applied it or may answer no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Everything up to here is.
    pub epoch: Epoch,
    /// Nodes that have applied it.
    pub acknowledged: u32,
    /// Nodes that did not, and whose leases have run out since.
    pub waited_out: u32,
}

impl Settled {
    /// On the only node there is: it has applied the change, and there is no lease to wait for.
    pub fn alone(epoch: Epoch) -> Self {
        Self { epoch, acknowledged: 1, waited_out: 0 }
    }
}

/// What a token is verified with.
#[derive(Clone, Debug)]
pub enum Material {
    /// SHA-256 of a bearer token's text.
    Digest(Digest),
    /// The secret of a signing token; sealed before it is stored.
    Secret(Secret),
}

/// A change that a [`crate::Follower`] applies to the index, in commit order.
#[derive(Clone, Debug)]
pub enum Change {
    /// An owner is new, or its state, not-before or capabilities changed.
    Owner(Owner),
    Issued {
        record: TokenRecord,
        material: Material,
    },
    /// Scopes, end or networks of a token are others now. `digest` finds a bearer token's place; a
    /// signing token is found by its id.
    Updated {
        record: TokenRecord,
        digest: Option<Digest>,
    },
    /// `digest` as above.
    Revoked {
        id: TokenId,
        digest: Option<Digest>,
    },
    /// All tokens of a tenant, or all there are, that were issued before this have been taken back.
    /// (An owner's bound comes with the owner.)
    NotBefore {
        tenant: Option<TenantId>,
        start: Timestamp,
    },
}

/// A creation that may be asked for again with the same `Idempotency-Key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Of the caller, what it asks for, and its key.
    pub key: Digest,
    /// Of what was asked: under the same key it must be the same.
    pub request: Digest,
}

/// What a creation has made: now, or when it was asked for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created<T> {
    Now(T),
    Before(T),
}

impl<T> Created<T> {
    pub fn into_inner(self) -> T {
        match self {
            Self::Now(made) | Self::Before(made) => made,
        }
    }

    pub fn is_replay(&self) -> bool {
        matches!(self, Self::Before(_))
    }
}

#[derive(Clone, Debug)]
pub struct NewOwner {
    pub id: OwnerId,
    /// A partner's `profile_id` of 0 asks the store to give the next free one.
    pub kind: OwnerKind,
    /// Users must have one.
    pub tenant: Option<TenantId>,
    /// Users only: an Argon2id PHC string.
    pub password_hash: Option<String>,
    pub token_management: bool,
    pub allowed_scopes: Option<ScopeSet>,
    pub allowed_networks: Option<NetworkSet>,
    pub idempotency: Option<Idempotency>,
}

/// Fields to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct OwnerUpdate {
    /// Users only.
    pub first_name: Option<String>,
    /// Users only.
    pub last_name: Option<String>,
    /// Users only: an Argon2id PHC string.
    pub password_hash: Option<String>,
    pub suspended: Option<bool>,
    pub token_management: Option<bool>,
    /// `Some(None)` takes the bound away.
    pub allowed_scopes: Option<Option<ScopeSet>>,
    /// `Some(None)` takes the bound away.
    pub allowed_networks: Option<Option<NetworkSet>>,
    /// Takes back the owner's tokens; the bound never goes back.
    pub not_before: Option<IssuedBefore>,
}

#[derive(Clone, Debug)]
pub struct NewToken {
    pub id: TokenId,
    pub owner: OwnerId,
    pub kind: TokenKind,
    pub label: Option<String>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Timestamp>,
    pub allowed_networks: Option<NetworkSet>,
    pub material: Material,
    /// Imports only: when it was issued elsewhere, at the latest now. A set that was taken back
    /// takes these with it. Otherwise it is issued at `By::at`.
    pub issued_at: Option<Timestamp>,
    pub idempotency: Option<Idempotency>,
}

/// A token that takes another's place: same owner, kind, label, scopes and networks.
#[derive(Clone, Debug)]
pub struct NewRotation {
    pub from: TokenId,
    pub id: TokenId,
    pub material: Material,
    /// `None` gives it the lifetime that the old one was given. Where the old one itself asks, the
    /// new one never ends later than it.
    pub lifetime: Option<Duration>,
    pub overlap: Overlap,
    pub idempotency: Option<Idempotency>,
}

/// How long the old token lives on, never past its own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Not at all: it is revoked in the same write.
    None,
    FromNow(Duration),
    FromFirstUse(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    pub new: TokenRecord,
    pub old: TokenRecord,
}

/// Which token to revoke.
#[derive(Clone, Debug)]
pub struct Revocation {
    pub id: TokenId,
    /// If given, the token must be this owner's; another's is answered like an unknown one.
    pub owner: Option<OwnerId>,
    pub reason: RevocationReason,
}

/// Every active token of one kind that an owner has: one write, whatever their number.
#[derive(Clone, Debug)]
pub struct RevocationOfAll {
    pub owner: OwnerId,
    pub kind: TokenKind,
    pub reason: RevocationReason,
}

/// Every token of a set that was issued before a moment: one write, whatever their number. Bounds
/// of all levels hold at once, and none goes back.
#[derive(Clone, Debug)]
pub struct SetRevocation {
    pub set: TokenSet,
    pub issued_before: IssuedBefore,
    pub reason: RevocationReason,
}

/// Which tokens of a set are meant. A token that is issued after the write is never one of them,
/// whatever the clocks say: the store sees to it that its time of issue lies after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedBefore {
    /// Every one that there is when this is written.
    ThisWrite,
    /// One that is still to come means every one that there is, too.
    Moment(Timestamp),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSet {
    Owner(OwnerId),
    Tenant(TenantId),
    /// Operators' tokens excepted.
    Everything,
}

/// What the revocation of a set has come to; `S` as in [`Revoked`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetRevoked<S = Settled> {
    pub settled: S,
    /// The bound of this level as it stands now: an earlier one may be stricter than what was asked.
    pub not_before: Timestamp,
}

/// What the revocation of all tokens of a kind has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllRevoked {
    /// How many there were to revoke.
    pub count: usize,
    pub settled: Settled,
}

/// What the revocation of a token has come to. `S` is [`Settled`], or what is yet to be:
/// [`Settling`](crate::Settling).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked<S = Settled> {
    /// This call revoked it.
    Now(S),
    /// It was revoked before, and is just as final: whoever did that may have died before it was
    /// settled.
    Before {
        record: TokenRecord,
        settled: S,
    },
    Unknown,
}

/// How much the writer has written since the start. `jobs` over `commits` is how many share an
/// fsync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub jobs: u64,
    pub commits: u64,
}

/// Who is doing something, and when.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    /// What a token must still be allowed when this is written. Without it the token must be in
    /// force, and whoever calls the store answers for the rest.
    pub let_in: Option<LetIn>,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    pub record: TokenRecord,
    pub last_used_at: Option<Timestamp>,
    /// Of its owner.
    pub tenant: Option<TenantId>,
    /// The strictest bound that its set revocations have set.
    pub not_before: Option<Timestamp>,
    /// The token that takes its place, unless that one was revoked.
    pub superseded_by: Option<TokenId>,
}

impl StoredToken {
    /// One of a set that was taken back.
    pub fn is_taken_back(&self) -> bool {
        self.not_before.is_some_and(|start| self.record.issued_at < start)
    }
}

#[derive(Clone, Debug)]
pub struct StoredUser {
    pub owner: Owner,
    pub password_hash: String,
}

/// Which tokens to list, oldest first; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct TokenFilter {
    pub owner: Option<OwnerId>,
    pub tenant: Option<TenantId>,
    pub kind: Option<TokenKind>,
    /// In which state, and at what time that is asked; `None` lists all.
    pub standing: Option<(Standing, Timestamp)>,
    pub scope: Option<Scope>,
    pub issued_before: Option<Timestamp>,
    pub issued_after: Option<Timestamp>,
    /// Continue after this token, as the last page ended.
    pub after: Option<TokenId>,
    pub limit: u32,
}

/// How a token stands at a moment. Exactly one of them holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// By itself or with its set.
    Revoked,
    Expired,
}

/// Which owners to list, oldest first; all that is given must hold.
#[derive(Clone, Debug)]
pub struct OwnerFilter {
    pub class: OwnerClass,
    pub tenant: Option<TenantId>,
    /// Continue after this owner, as the last page ended.
    pub after: Option<OwnerId>,
    pub limit: u32,
}

/// Which audit entries to list, in order; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Continue after this entry; 0 begins with the first.
    pub after: u64,
    pub actor: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerClass {
    User,
    Partner,
    Operator,
}

#[derive(Clone, Debug)]
pub struct AuditRow {
    pub entry: audit::Entry,
    pub hash: Digest,
}

/// Why nothing was done, whatever it was that was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was changed; it may work again later (disk full, queue full).
    #[error("the store cannot write now")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// Whether it was done is not known: the connection was lost while it was being committed.
    /// This is never "done", and asking again tells.
    #[error("it is not known whether this was written")]
    Uncertain(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The outcome is unknown or the store is broken; this process must stop answering.
    #[error("the store has failed")]
    Failed(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
    /// Before this could be done, the token that asked lost its force, or something that it was let
    /// in for. Nothing was changed.
    #[error("whoever asked for this may no longer ask")]
    ActorRefused,
    /// Nobody could administer afterwards. Nothing was changed.
    #[error("this is the last token that can administer")]
    LastAdmin,
    /// Nothing was changed.
    #[error("this Idempotency-Key was used for something else")]
    KeyReused,
}

#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    #[error("no such owner")]
    UnknownOwner,
    #[error(transparent)]
    Denied(#[from] IssueDenial),
    /// The id or the secret exists already, perhaps revoked.
    #[error("this token exists already")]
    Exists,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    #[error("no such token")]
    Unknown,
    #[error("the token is not in force")]
    NotInForce,
    #[error("the token was rotated already")]
    Superseded { by: TokenId },
    #[error(transparent)]
    Denied(#[from] IssueDenial),
    #[error("this token exists already")]
    Exists,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("no such token")]
    Unknown,
    #[error("the token is revoked")]
    Revoked,
    #[error(transparent)]
    Widening(#[from] Widening),
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    #[error("no such owner")]
    Unknown,
    /// The e-mail, the subject or the id is taken.
    #[error("this owner exists already")]
    Exists,
    #[error(transparent)]
    Store(#[from] StoreError),
}
