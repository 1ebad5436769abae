//! What goes into a store and what comes out of it.

use rescind_core::{
    Actor, Digest, IssueDenial, Owner, OwnerId, OwnerKind, RevocationReason, ScopeSet, Timestamp,
    TokenId, TokenKind, TokenRecord, audit, signature::Secret,
};

/// Number of the last change that took power away; without gaps, in commit order.
pub type Epoch = u64;

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
    /// `digest` finds a bearer token's place; a signing token is found by its id.
    Revoked {
        id: TokenId,
        digest: Option<Digest>,
    },
}

#[derive(Clone, Debug)]
pub struct NewOwner {
    pub id: OwnerId,
    /// A partner's `profile_id` of 0 asks the store to give the next free one.
    pub kind: OwnerKind,
    /// Users only: an Argon2id PHC string.
    pub password_hash: Option<String>,
    pub token_management: bool,
    pub allowed_scopes: Option<ScopeSet>,
}

/// Fields to change; `None` leaves one as it is.
#[derive(Clone, Debug, Default)]
pub struct OwnerUpdate {
    pub suspended: Option<bool>,
    pub token_management: Option<bool>,
    pub allowed_scopes: Option<ScopeSet>,
    /// Raises the not-before time; it never goes back.
    pub not_before: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct NewToken {
    pub id: TokenId,
    pub owner: OwnerId,
    pub kind: TokenKind,
    pub label: Option<String>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Timestamp>,
    pub material: Material,
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// This call revoked it, at this epoch.
    Now {
        epoch: Epoch,
    },
    /// It was revoked before, and is just as final.
    Before {
        record: TokenRecord,
    },
    Unknown,
}

/// Who is doing something, and when.
#[derive(Clone, Debug)]
pub struct By {
    pub actor: Actor,
    pub at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct StoredToken {
    pub record: TokenRecord,
    pub last_used_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct StoredUser {
    pub owner: Owner,
    pub password_hash: String,
}

/// Which tokens to list, oldest first; all that is given must hold.
#[derive(Clone, Debug)]
pub struct TokenFilter {
    pub owner: Option<OwnerId>,
    pub kind: Option<TokenKind>,
    pub active_only: bool,
    /// Continue after this token, as the last page ended.
    pub after: Option<TokenId>,
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

/// The store could not do it, for a reason that is its own and not the caller's.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was changed; it may work again later (disk full, queue full).
    #[error("the store cannot write now")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The outcome is unknown or the store is broken; this process must stop answering.
    #[error("the store has failed")]
    Failed(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
    /// The token that asked was revoked, or its owner suspended, before this could be done. Nothing
    /// was changed.
    #[error("whoever asked for this may no longer ask")]
    ActorRefused,
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
pub enum OwnerError {
    #[error("no such owner")]
    Unknown,
    /// The e-mail, the subject or the id is taken.
    #[error("this owner exists already")]
    Exists,
    #[error(transparent)]
    Store(#[from] StoreError),
}
