//! The traits, each call one line: a query for the readers or a named transaction for the writer.

use super::{
    ablation::{SETTLE_REPEATS, keeps},
    connection::Connector,
    error::OpenError,
    fault::Stop,
    job::job,
    members::Members,
    memory::Memory,
    open::{self, Options},
    owners, queries,
    readers::Readers,
    revocation::{self, Found},
    revoking::Revoking,
    rotation, tokens,
    tx::Tx,
    writer::{Message, Written},
};
use crate::{
    AllRevoked, AuditFilter, AuditRow, Bell, By, Counts, Created, Epoch, IssueError, KeyRing,
    NewOwner, NewRotation, NewToken, OwnerError, OwnerFilter, OwnerUpdate, ReadStore, Revocation,
    RevocationOfAll, Revoked, RotateError, Rotated, SetRevocation, SetRevoked, Settled, Settler,
    Settling, StoreError, StoredToken, StoredUser, TokenFilter, UpdateError, WriteStore,
    mutation::USES_PER_JOB,
    outage::{Outage, chain},
};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use rescind_core::{Digest, Owner, OwnerId, Timestamp, TokenId, TokenRecord, TokenUpdate};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinSet,
};

/// An open database.
pub struct PostgresStore {
    pub(super) queue: mpsc::Sender<Message>,
    pub(super) readers: Arc<Readers>,
    pub(super) members: Members,
    /// One load at a time.
    pub(super) loading: Mutex<()>,
    pub(super) connector: Connector,
    pub(super) keys: KeyRing,
    pub(super) memory: Arc<Memory>,
    pub(super) settler: Arc<dyn Settler>,
    pub(super) written: Arc<Written>,
    pub(super) bell: Arc<Bell>,
    /// They end with the store.
    pub(super) _tasks: JoinSet<()>,
}

impl PostgresStore {
    /// Opens the database, and makes or renews its schema. Nothing is loaded yet.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        open::open(options).await
    }

    /// Returns why, once the follower has failed: the process must end then. Waits for ever
    /// otherwise: a database that is away is no reason.
    pub async fn failed(&self) -> String {
        chain(&self.memory.failed().await)
    }

    /// Writes all that is waiting, and takes nothing more.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (done, closed) = oneshot::channel();
        self.queue.send(Message::Close(done)).await.map_err(|_| self.gone())?;
        let closed = closed.await.map_err(|_| self.gone());
        self.readers.close();
        closed
    }

    pub fn counts(&self) -> Counts {
        Counts {
            jobs: self.written.jobs.load(Ordering::Relaxed),
            commits: self.written.commits.load(Ordering::Relaxed),
        }
    }

    /// Host and database, to be shown.
    pub fn place(&self) -> String {
        self.connector.place()
    }

    /// One named transaction: durable, and known to the follower, when this returns `Ok`.
    pub(super) async fn tx<T, E, F>(&self, name: &'static str, body: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<E>>> + Send + 'static,
    {
        let (job, answer) = job(name, body);
        self.written(Message::Job(job), answer).await
    }

    async fn written<T, E: From<StoreError>>(
        &self,
        message: Message,
        answer: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E> {
        self.queue.try_send(message).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => unavailable("too many transactions are waiting"),
            mpsc::error::TrySendError::Closed(_) => self.gone(),
        })?;
        // What was taken into the queue is always answered, unless the writer has panicked.
        answer.await.unwrap_or_else(|_| Err(StoreError::Failed(None).into()))
    }

    /// The same, of what takes power away or finds it taken: settled as well.
    async fn tx_settled<T, E, F>(&self, name: &'static str, body: F) -> Result<(T, Settled), E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<E>>> + Send + 'static,
    {
        let (value, settling) = self.tx_settling(name, body).await?;
        Ok((value, settling.settled().await?))
    }

    /// With what must be waited for before it is answered.
    async fn tx_settling<T, E, F>(&self, name: &'static str, body: F) -> Result<(T, Settling), E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<E>>> + Send + 'static,
    {
        let (value, epoch) = self
            .tx(name, |tx| {
                Box::pin(async move {
                    let value = body(tx).await?;
                    Ok((value, tx.books.epoch))
                })
            })
            .await?;
        Ok((value, self.settling(epoch)))
    }

    fn settling(&self, epoch: Epoch) -> Settling {
        let settler = Arc::clone(&self.settler);
        Settling::new(epoch, async move { settler.settle(epoch).await })
    }

    /// The writer takes nothing any more.
    fn gone(&self) -> StoreError {
        match self.memory.failure() {
            Some(cause) => Outage::Failed(cause).into(),
            None => unavailable("the store is closed"),
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    Outage::unavailable(why).into()
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresStore")
    }
}

#[async_trait]
impl ReadStore for PostgresStore {
    async fn owner(&self, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
        queries::owner(&self.readers, id).await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError> {
        queries::user_by_email(&self.readers, email).await
    }

    async fn partner_by_subject(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Owner>, StoreError> {
        queries::partner_by_subject(&self.readers, issuer, subject).await
    }

    async fn owners(&self, filter: &OwnerFilter) -> Result<Vec<Owner>, StoreError> {
        queries::owners(&self.readers, filter).await
    }

    async fn token(&self, id: &TokenId) -> Result<Option<StoredToken>, StoreError> {
        queries::token(&self.readers, id).await
    }

    async fn token_by_digest(&self, digest: &Digest) -> Result<Option<StoredToken>, StoreError> {
        queries::token_by_digest(&self.readers, digest).await
    }

    async fn tokens(&self, filter: &TokenFilter) -> Result<Vec<StoredToken>, StoreError> {
        queries::tokens(&self.readers, filter).await
    }

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
        queries::audit(&self.readers, filter).await
    }

    async fn audit_head(&self) -> Result<Option<AuditRow>, StoreError> {
        queries::audit_head(&self.readers).await
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        queries::epoch(&self.readers).await
    }
}

#[async_trait]
impl WriteStore for PostgresStore {
    async fn create_owner(&self, new: NewOwner, by: By) -> Result<Created<Owner>, OwnerError> {
        self.tx("create_owner", |tx| {
            Box::pin(async move {
                tx.check_actor(&by).await?;
                owners::create(tx, new, &by).await
            })
        })
        .await
    }

    async fn update_owner(
        &self,
        id: OwnerId,
        update: OwnerUpdate,
        by: By,
    ) -> Result<Owner, OwnerError> {
        let updated = self.tx_settled("update_owner", |tx| {
            Box::pin(async move {
                tx.check_actor(&by).await?;
                owners::update(tx, &id, update, &by).await
            })
        });
        Ok(updated.await?.0)
    }

    async fn issue(&self, new: NewToken, by: By) -> Result<Created<TokenRecord>, IssueError> {
        self.tx("issue", |tx| Box::pin(async move { tokens::issue(tx, new, &by).await })).await
    }

    async fn rotate(&self, what: NewRotation, by: By) -> Result<Created<Rotated>, RotateError> {
        let rotated = self.tx_settled("rotate", |tx| {
            Box::pin(async move {
                tx.check_actor(&by).await?;
                rotation::rotate(tx, what, &by).await
            })
        });
        Ok(rotated.await?.0)
    }

    async fn update_token(
        &self,
        id: TokenId,
        update: TokenUpdate,
        by: By,
    ) -> Result<TokenRecord, UpdateError> {
        let updated = self.tx_settled("update_token", |tx| {
            Box::pin(async move {
                tx.check_actor(&by).await?;
                tokens::update(tx, &id, update, &by).await
            })
        });
        Ok(updated.await?.0)
    }

    async fn begin_revoke(
        &self,
        what: Revocation,
        by: By,
    ) -> Result<Revoked<Settling>, StoreError> {
        let (revoking, answer) = Revoking::new(what, by);
        let (found, epoch) = self.written(Message::Revoke(revoking), answer).await?;
        Ok(match found {
            Found::Unknown => Revoked::Unknown,
            Found::Active => Revoked::Now(self.settling(epoch)),
            Found::Revoked(record) => {
                let settled = match keeps(SETTLE_REPEATS) {
                    true => self.settling(epoch),
                    false => Settling::over(Settled { epoch, acknowledged: 0, waited_out: 0 }),
                };
                Revoked::Before { record, settled }
            }
        })
    }

    async fn revoke_all(&self, what: RevocationOfAll, by: By) -> Result<AllRevoked, StoreError> {
        let revoked = self.tx_settled("revoke_all", |tx| {
            Box::pin(async move {
                tx.check_actor(&by).await?;
                revocation::revoke_all(tx, &what, &by).await
            })
        });
        let (count, settled) = revoked.await?;
        Ok(AllRevoked { count, settled })
    }

    async fn begin_revoke_set(
        &self,
        what: SetRevocation,
        by: By,
    ) -> Result<SetRevoked<Settling>, OwnerError> {
        let revoked = self.tx_settling("revoke_set", |tx| {
            Box::pin(async move {
                tx.check_actor(&by).await?;
                revocation::revoke_set(tx, &what, &by).await
            })
        });
        let (not_before, settled) = revoked.await?;
        Ok(SetRevoked { settled, not_before })
    }

    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        self.settler.settle(epoch).await
    }

    async fn record_use(&self, uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError> {
        for chunk in uses.chunks(USES_PER_JOB) {
            let chunk = chunk.to_vec();
            self.tx("record_use", |tx| {
                Box::pin(async move { rotation::record_use(tx, &chunk).await })
            })
            .await?;
        }
        Ok(())
    }
}
