//! The seam: reading apart from writing, and the follower that is told of each commit.

use crate::{
    AllRevoked, AuditFilter, AuditRow, By, Change, Created, Epoch, IssueError, LogPage, NewOwner,
    NewRotation, NewToken, OwnerError, OwnerFilter, OwnerUpdate, Position, Revocation,
    RevocationOfAll, Revoked, Roll, RotateError, Rotated, SetRevocation, SetRevoked, Settled,
    Settling, StoreError, StoredToken, StoredUser, TokenFilter, UpdateError,
};
use async_trait::async_trait;
use rescind_core::{Digest, Owner, OwnerId, Timestamp, TokenId, TokenRecord, TokenUpdate};

/// Lookups. A row that is not there is `Ok(None)`, never an error; an outage is never "not there".
#[async_trait]
pub trait ReadStore: Send + Sync {
    async fn owner(&self, id: &OwnerId) -> Result<Option<Owner>, StoreError>;
    /// `email` in its normal form (ASCII lower case).
    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError>;
    async fn partner_by_subject(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Owner>, StoreError>;
    async fn owners(&self, filter: &OwnerFilter) -> Result<Vec<Owner>, StoreError>;
    async fn token(&self, id: &TokenId) -> Result<Option<StoredToken>, StoreError>;
    /// A bearer token by its text's SHA-256, in whatever state it is.
    async fn token_by_digest(&self, digest: &Digest) -> Result<Option<StoredToken>, StoreError>;
    async fn tokens(&self, filter: &TokenFilter) -> Result<Vec<StoredToken>, StoreError>;
    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, StoreError>;
    /// The last entry: the anchor to keep elsewhere.
    async fn audit_head(&self) -> Result<Option<AuditRow>, StoreError>;
    async fn epoch(&self) -> Result<Epoch, StoreError>;
}

/// Mutations. Each returns after the durable commit *and* after the follower has applied it. What
/// takes power away, or finds it taken already, returns only once it is [`Settled`] besides.
///
/// Where the actor is a token, the transaction itself asks `rescind_core::ActingToken` whether it
/// may still act: a request that was let in before, and waited, must not act with a power that has
/// been taken back. (A token may always revoke itself.)
///
/// What would bring closer the moment at which nobody can administer any more, within the next day,
/// is [`StoreError::LastAdmin`].
#[async_trait]
pub trait WriteStore: ReadStore {
    async fn create_owner(&self, new: NewOwner, by: By) -> Result<Created<Owner>, OwnerError>;
    async fn update_owner(
        &self,
        id: OwnerId,
        update: OwnerUpdate,
        by: By,
    ) -> Result<Owner, OwnerError>;
    /// Checks `rescind_core::may_issue` on the owner within the same transaction.
    async fn issue(&self, new: NewToken, by: By) -> Result<Created<TokenRecord>, IssueError>;
    /// Issues a token in another's place, and fixes that one's end, in one write.
    async fn rotate(&self, what: NewRotation, by: By) -> Result<Created<Rotated>, RotateError>;
    /// Changes what can still be changed of a token that is not revoked.
    async fn update_token(
        &self,
        id: TokenId,
        update: TokenUpdate,
        by: By,
    ) -> Result<TokenRecord, UpdateError>;
    async fn revoke(&self, what: Revocation, by: By) -> Result<Revoked, StoreError> {
        self.begin_revoke(what, by).await?.settled().await
    }
    /// As [`WriteStore::revoke`], but returns as soon as it is committed and known to the follower.
    /// It holds nowhere else until what this answers was waited for.
    async fn begin_revoke(&self, what: Revocation, by: By)
    -> Result<Revoked<Settling>, StoreError>;
    /// Without any, nothing is changed. A token that is issued at the same time comes either before
    /// this, and is revoked, or after it.
    async fn revoke_all(&self, what: RevocationOfAll, by: By) -> Result<AllRevoked, StoreError>;
    /// Takes back all tokens of a set. An owner that is not there is [`OwnerError::Unknown`]; a
    /// tenant without owners is bounded all the same.
    async fn revoke_set(&self, what: SetRevocation, by: By) -> Result<SetRevoked, OwnerError> {
        Ok(self.begin_revoke_set(what, by).await?.settled().await?)
    }
    /// To [`WriteStore::revoke_set`] what `begin_revoke` is to `revoke`.
    async fn begin_revoke_set(
        &self,
        what: SetRevocation,
        by: By,
    ) -> Result<SetRevoked<Settling>, OwnerError>;
    /// Waits until everything up to an epoch that was committed is settled: from now on, which is
    /// always safe, whoever changed it and however long ago.
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError>;
    /// Last-used times; an older one never replaces a newer. The first use of a token whose
    /// predecessor waits for it fixes that one's end, unless the token was revoked before this was
    /// written; nothing else is changed by a use.
    async fn record_use(&self, uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError>;
}

pub trait Store: WriteStore {}
impl<T: WriteStore> Store for T {}

/// Waits until an epoch is [`Settled`], where several nodes verify. It is asked after the commit,
/// beside the writer, so that nobody else's write waits too.
#[async_trait]
pub trait Settler: Send + Sync {
    /// Returns when every node has applied all up to `epoch`, this one included, or can no longer
    /// hold a lease. An error is no answer: what was committed stays, and nothing is promised.
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError>;

    /// A batch of this node is durable that has raised the epoch: what whoever stands at its beginning
    /// would read in the log. [`LogPage::too_far`] if it is more than can be handed on: whoever hears
    /// of it reads the log. Told at most once, before anybody asks to have it settled. Must not block.
    fn committed(&self, _: LogPage) {}

    /// The members, as they were read behind that commit on the same connection. Told at most once,
    /// after it. Must not block.
    fn members(&self, _: Position, _: Roll) {}

    /// Whether it tells all other nodes of a commit by itself, so that the database need not: a
    /// notification wakes everybody up, and commits that notify wait for one another.
    fn reaches_all(&self) -> bool {
        false
    }
}

/// The index in memory. Called by one thread at a time, in commit order, after the commit is
/// durable and before the call that caused it returns. Must not block.
pub trait Follower: Send + Sync {
    fn apply(&self, change: Change);
    /// All changes up to `epoch` have been applied.
    fn reached(&self, epoch: Epoch);
    /// Forgets every owner and every token, so that the whole set can be told anew. Bounds may
    /// stay: they only ever go up.
    fn clear(&self);
    /// The store has failed: nothing in memory may be called valid any more.
    fn seal(&self);
}
