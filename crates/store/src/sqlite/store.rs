//! The traits, each call one line: a query for the readers or a named transaction for the writer.

use super::{
    error::OpenError,
    fault::Stop,
    job::job,
    open::{self, Options},
    owners, queries,
    readers::Readers,
    revocation, rotation, tokens,
    tx::Tx,
    writer::{Message, Written},
};
use crate::{
    AllRevoked, AuditFilter, AuditRow, By, Counts, Created, Epoch, IssueError, NewOwner,
    NewRotation, NewToken, OwnerError, OwnerFilter, OwnerUpdate, ReadStore, Revocation,
    RevocationOfAll, Revoked, RotateError, Rotated, SetRevocation, SetRevoked, Settled, Settling,
    StoreError, StoredToken, StoredUser, TokenFilter, UpdateError, WriteStore,
    mutation::USES_PER_JOB,
    outage::{Outage, chain},
    publisher::Publisher,
};
use async_trait::async_trait;
use rescind_core::{Digest, Owner, OwnerId, Timestamp, TokenId, TokenRecord, TokenUpdate};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};
use tokio::sync::{mpsc, oneshot};

/// An open database.
pub struct SqliteStore {
    pub(super) queue: mpsc::Sender<Message>,
    pub(super) readers: Arc<Readers>,
    pub(super) publisher: Arc<Publisher<()>>,
    pub(super) written: Arc<Written>,
}

impl SqliteStore {
    /// Opens or makes the database and tells the follower all of it. Blocks; for the start only.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        open::open(options)
    }

    /// Returns why, once the store has failed: the process must end then. Waits for ever otherwise.
    pub async fn failed(&self) -> String {
        chain(&self.publisher.failed().await)
    }

    /// Writes all that is waiting, empties the log into the file, and gives the lock back.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        self.queue.send(Message::Close(done)).await.map_err(|_| self.gone())?;
        closed.await.map_err(|_| self.gone())?.map_err(StoreError::from)
    }

    pub fn counts(&self) -> Counts {
        Counts {
            jobs: self.written.jobs.load(Ordering::Relaxed),
            commits: self.written.commits.load(Ordering::Relaxed),
        }
    }

    /// One named transaction: durable, and known to the follower, when this returns `Ok`.
    pub(super) async fn tx<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Stop<E>> + Send + 'static,
    {
        let (job, answer) = job(name, body);
        self.queue.try_send(Message::Job(job)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => unavailable("too many transactions are waiting"),
            mpsc::error::TrySendError::Closed(_) => self.gone(),
        })?;
        // What was taken into the queue is always answered, unless the writer has panicked.
        answer.await.unwrap_or_else(|_| Err(StoreError::Failed(None).into()))
    }

    /// The writer takes nothing any more.
    fn gone(&self) -> StoreError {
        match self.publisher.failure() {
            Some(cause) => Outage::Failed(cause).into(),
            None => unavailable("the store is closed"),
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    Outage::unavailable(why).into()
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteStore")
    }
}

#[async_trait]
impl ReadStore for SqliteStore {
    async fn owner(&self, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        let id = id.clone();
        self.readers.read(move |sql| queries::owner(sql, &id)).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError> {
        let email = email.to_owned();
        self.readers.read(move |sql| queries::user_by_email(sql, &email)).await
    }

    async fn partner_by_subject(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Owner>, StoreError> {
        let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
        self.readers.read(move |sql| queries::partner_by_subject(sql, &issuer, &subject)).await
    }

    async fn owners(&self, filter: &OwnerFilter) -> Result<Vec<Owner>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |sql| queries::owners(sql, &filter)).await
    }

    async fn token(&self, id: &TokenId) -> Result<Option<StoredToken>, StoreError> {
        let id = id.clone();
        self.readers.read(move |sql| queries::token(sql, &id)).await
    }

    async fn token_by_digest(&self, digest: &Digest) -> Result<Option<StoredToken>, StoreError> {
        let digest = *digest;
        self.readers.read(move |sql| queries::token_by_digest(sql, &digest)).await
    }

    async fn tokens(&self, filter: &TokenFilter) -> Result<Vec<StoredToken>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |sql| queries::tokens(sql, &filter)).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |sql| queries::audit(sql, &filter)).await
    }

    async fn audit_head(&self) -> Result<Option<AuditRow>, StoreError> {
        self.readers.read(queries::audit_head).await
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        self.readers.read(queries::epoch).await
    }
}

#[async_trait]
impl WriteStore for SqliteStore {
    async fn create_owner(&self, new: NewOwner, by: By) -> Result<Created<Owner>, OwnerError> {
        self.tx("create_owner", move |tx| {
            tx.check_actor(&by)?;
            owners::create(tx, new, &by)
        })
        .await
    }

    async fn update_owner(
        &self,
        id: OwnerId,
        update: OwnerUpdate,
        by: By,
    ) -> Result<Owner, OwnerError> {
        self.tx("update_owner", move |tx| {
            tx.check_actor(&by)?;
            owners::update(tx, &id, update, &by)
        })
        .await
    }

    async fn issue(&self, new: NewToken, by: By) -> Result<Created<TokenRecord>, IssueError> {
        self.tx("issue", move |tx| {
            tx.check_actor(&by)?;
            tokens::issue(tx, new, &by)
        })
        .await
    }

    async fn rotate(&self, what: NewRotation, by: By) -> Result<Created<Rotated>, RotateError> {
        self.tx("rotate", move |tx| {
            tx.check_actor(&by)?;
            rotation::rotate(tx, what, &by)
        })
        .await
    }

    async fn update_token(
        &self,
        id: TokenId,
        update: TokenUpdate,
        by: By,
    ) -> Result<TokenRecord, UpdateError> {
        self.tx("update_token", move |tx| {
            tx.check_actor(&by)?;
            tokens::update(tx, &id, update, &by)
        })
        .await
    }

    async fn begin_revoke(
        &self,
        what: Revocation,
        by: By,
    ) -> Result<Revoked<Settling>, StoreError> {
        let revoked = self.tx("revoke", move |tx| {
            if by.actor.token_id().as_ref() != Some(&what.id) {
                tx.check_actor(&by)?;
            }
            revocation::revoke(tx, &what, &by)
        });
        Ok(revoked.await?.alone())
    }

    async fn revoke_all(&self, what: RevocationOfAll, by: By) -> Result<AllRevoked, StoreError> {
        self.tx("revoke_all", move |tx| {
            tx.check_actor(&by)?;
            revocation::revoke_all(tx, &what, &by)
        })
        .await
    }

    async fn begin_revoke_set(
        &self,
        what: SetRevocation,
        by: By,
    ) -> Result<SetRevoked<Settling>, OwnerError> {
        let revoked = self.tx("revoke_set", move |tx| {
            tx.check_actor(&by)?;
            revocation::revoke_set(tx, &what, &by)
        });
        let SetRevoked { settled, not_before } = revoked.await?;
        Ok(SetRevoked { settled: Settling::over(settled), not_before })
    }

    /// Whatever is committed is applied, and nobody else verifies.
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        Ok(Settled::alone(epoch))
    }

    async fn record_use(&self, uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError> {
        for chunk in uses.chunks(USES_PER_JOB) {
            let chunk = chunk.to_vec();
            self.tx("record_use", move |tx| rotation::record_use(tx, &chunk)).await?;
        }
        Ok(())
    }
}
