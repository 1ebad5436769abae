//! The writer: one task, one connection, and the order that everything rests on.
//!
//! As in SQLite, it takes all that is waiting, runs each job in its own savepoint of one common
//! transaction, and commits once. Nobody is answered before the batch's fate is known. Then, and in
//! this order: commit, tell the follower, answer.
//!
//! Every batch is committed, also one whose jobs were all refused or found nothing to do. Its commit
//! waits for the standby as any other, and for everything before it: "already revoked" may rest on a
//! commit whose own wait was cut short.

use super::{
    batch::{self, Batch},
    books::Books,
    connection::{Connector, Session},
    durability::{self, Durability},
    fault::Fault,
    job::Job,
    log,
    memory::{Memory, Unheard},
    revoking::{Ended, Revoking},
    tx::Tx,
};
use crate::{
    KeyRing, Settler,
    crash::crash_point,
    outage::{Cause, Outage, chain},
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};

/// Jobs that may wait; more are refused at once. At 5,000 jobs a second this is 200 ms of waiting.
pub(super) const QUEUE_JOBS_MAX: usize = 1024;
/// Jobs that share a commit, and the right to write. Other nodes wait for it meanwhile.
pub(super) const BATCH_JOBS_MAX: usize = 64;
/// For a batch up to its commit; then its connection is given up, and nothing was changed.
const BATCH_TIMEOUT: Duration = Duration::from_secs(15);
/// For a commit; then its outcome is unknown. A standby may be waited for.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the log, when others have written.
const LOG_TIMEOUT: Duration = Duration::from_secs(5);
/// After a connection could not be made: at first, and at most. Meanwhile jobs are refused at once.
const BACK_OFF_FIRST: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

pub(super) enum Message {
    Job(Box<dyn Job>),
    /// Apart from the others: those that wait together are made together.
    Revoke(Box<Revoking>),
    /// Write all that is waiting, end.
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    pub(super) connector: Connector,
    pub(super) declared: Durability,
    pub(super) keys: KeyRing,
    pub(super) memory: Arc<Memory>,
    pub(super) settler: Arc<dyn Settler>,
    pub(super) written: Arc<Written>,
    pub(super) session: Option<Arc<Session>>,
    pub(super) back_off: BackOff,
}

/// What the writer has done since it started.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) jobs: AtomicU64,
    pub(super) commits: AtomicU64,
}

impl Writer {
    pub(super) async fn run_until_panic(self, queue: mpsc::Receiver<Message>) {
        let memory = Arc::clone(&self.memory);
        if AssertUnwindSafe(self.run(queue)).catch_unwind().await.is_err() {
            memory.fail(Cause::text("the writer panicked"));
        }
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut closed = None;
        while let Some(first) = queue.recv().await {
            let mut batch = Batch::default();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Job(job) => batch.jobs.push(job),
                    Message::Revoke(revoking) => batch.revocations.push(*revoking),
                    Message::Close(done) => {
                        closed = Some(done);
                        queue.close();
                    }
                }
                next = if batch.len() < BATCH_JOBS_MAX { queue.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.write(batch).await;
            }
        }
        if let Some(done) = closed {
            let _ = done.send(());
        }
    }

    async fn write(&mut self, mut batch: Batch) {
        let outcome = self.transact(&mut batch).await;
        crash_point!("before_answer");
        if outcome.is_err() {
            // Whatever went wrong, nobody knows what this connection still has to say.
            self.session = None;
        }
        batch.answer(outcome);
    }

    /// The whole batch in one durable commit; what remains of each job. An error is everybody's.
    async fn transact(&mut self, batch: &mut Batch) -> Result<Vec<Option<Outage>>, Outage> {
        if let Some(cause) = self.memory.failure() {
            return Err(Outage::Failed(cause));
        }
        crash_point!("before_begin");
        let written = timeout(BATCH_TIMEOUT, async {
            let (mut tx, ended) = self.begin(&batch.revocations).await?;
            self.check_same_history(&tx.books)?;
            crash_point!("after_begin");
            let outages = batch::run(&mut tx, batch, ended).await?;
            Ok((tx, outages))
        });
        let (tx, outages) = match written.await {
            Ok(Ok(written)) => written,
            Ok(Err(fault)) => return Err(Fault::outage(fault)),
            Err(_) => return Err(Fault::TimedOut("a transaction").outage()),
        };
        crash_point!("before_commit");
        let (notify, settler) = (!self.settler.reaches_all(), Arc::clone(&self.settler));
        let told = || settler.committed(tx.books.page());
        let committed = batch::commit(&tx, notify, COMMIT_TIMEOUT, told).await;
        let members = committed.inspect_err(|outage| {
            if let Outage::Uncertain(cause) = outage {
                tracing::warn!(error = %chain(cause), "it is not known whether a batch was written");
            }
        })?;
        crash_point!("after_commit");
        self.written.jobs.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.written.commits.fetch_add(1, Ordering::Relaxed);
        if let Some(members) = members {
            self.settler.members(tx.books.end(), members);
        }
        self.publish(&tx.session, tx.books).await?;
        crash_point!("after_publish");
        Ok(outages)
    }

    /// A connection that turns out to be dead is made anew once: nothing was committed over it.
    async fn begin(&mut self, revocations: &[Revoking]) -> Result<(Tx, Option<Ended>), Fault> {
        let session = self.session().await?;
        match batch::begin(session, &self.keys, revocations).await {
            Err(Fault::Sql(error)) if error.is_closed() => {
                self.session = None;
                batch::begin(self.session().await?, &self.keys, revocations).await
            }
            begun => begun,
        }
    }

    /// Whoever has the right to write sees the newest epoch there is. A follower that stands beyond
    /// it, or there by another mark, has heard of commits that are gone (a failover, a backup):
    /// numbers would be given a second time, and what they stand for would be taken for known. One
    /// that is behind learns from the log whether it is of this history.
    fn check_same_history(&self, books: &Books) -> Result<(), Fault> {
        let start = books.start;
        match self.memory.applied() {
            Ok(Some(at)) if at.epoch > start.epoch || (at.epoch == start.epoch && at != start) => {
                let why = "the database has gone backwards; this node must load it anew";
                tracing::error!(applied = at.epoch, found = start.epoch, "{why}");
                Err(Fault::Away(why.into()))
            }
            _ => Ok(()),
        }
    }

    /// A server that does not keep what was declared is not written to.
    async fn session(&mut self) -> Result<Arc<Session>, Fault> {
        if let Some(session) = self.session.as_ref().filter(|session| !session.is_closed()) {
            return Ok(Arc::clone(session));
        }
        self.session = None;
        self.back_off.check()?;
        let made = async {
            let session = self.connector.session().await?;
            let report = durability::report(&session).await?;
            report.check(self.declared).map_err(|unkept| Fault::Away(unkept.to_string()))?;
            Ok(Arc::new(session))
        };
        let made: Result<Arc<Session>, Fault> = made.await;
        self.back_off.note(made.is_ok());
        self.session = made.as_ref().ok().map(Arc::clone);
        made
    }

    /// Own changes from memory if no one else's lie before them, and from the log otherwise.
    ///
    /// What was committed but cannot be told is not answered as done: this node would still accept
    /// what was revoked. Whoever reads the log next tells it.
    async fn publish(&self, session: &Session, books: Books) -> Result<(), Outage> {
        let mut unheard = self.memory.publish(books).map_err(Outage::Failed)?;
        while let Err(Unheard::Behind(applied)) = unheard {
            let page = timeout(LOG_TIMEOUT, log::read(session, applied))
                .await
                .map_err(|_| Fault::TimedOut("the log").uncertain())?
                .map_err(Fault::uncertain)?;
            if page.too_far || !page.holds {
                let why = "this node's memory does not follow the database; it must load anew";
                return Err(Outage::Uncertain(Cause::text(why)));
            }
            unheard = self.memory.apply(page).map_err(Outage::Failed)?.map(drop);
        }
        Ok(())
    }
}

/// How long no connection is tried after one that failed. No job waits for it: each is refused.
#[derive(Default)]
pub(super) struct BackOff {
    last: Option<(Duration, Instant)>,
}

impl BackOff {
    fn check(&self) -> Result<(), Fault> {
        match self.last {
            Some((time, failed)) if failed.elapsed() < time => {
                Err(Fault::Away("PostgreSQL could not be reached a moment ago".into()))
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, reached: bool) {
        let last = self.last.take().map(|(time, _)| time);
        if !reached {
            let time = last.map_or(BACK_OFF_FIRST, |last| (last * 2).min(BACK_OFF_MAX));
            self.last = Some((time, Instant::now()));
        }
    }
}
