//! The writer: one thread, one write connection, and the order that everything rests on.
//!
//! A transaction of its own for each caller would pay one fsync each. The writer takes all that is
//! waiting, runs each job in its own savepoint, and commits once: eight callers share one fsync.
//! Nobody is answered before the batch's fate is known, not even a refusal ("exists already" may
//! rest on a neighbour's row that never becomes durable). Then, and in this order:
//! commit, tell the follower, answer.

use super::{
    checkpoint::Checkpoints,
    fault::Fault,
    job::{Job, Ran},
    tx::{Told, Tx},
};
use crate::{
    KeyRing,
    crash::crash_point,
    outage::{Cause, Outage, chain},
    publisher::Publisher,
};
use rusqlite::Connection;
use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait; more are refused at once. At 20,000 jobs a second this is 50 ms of waiting.
pub(super) const QUEUE_JOBS_MAX: usize = 1024;
/// Jobs that share a commit. More would help little, and lengthen everybody's wait.
pub(super) const BATCH_JOBS_MAX: usize = 64;

pub(super) enum Message {
    Job(Box<dyn Job>),
    /// Write all that is waiting, checkpoint, end.
    Close(oneshot::Sender<Result<(), Outage>>),
}

pub(super) struct Writer {
    pub(super) sql: Connection,
    pub(super) keys: KeyRing,
    pub(super) publisher: Arc<Publisher<()>>,
    pub(super) checkpoints: Checkpoints,
    pub(super) written: Arc<Written>,
    /// Released last: fields are dropped in order.
    pub(super) _lock: File,
}

/// What the writer has done since it started.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) jobs: AtomicU64,
    pub(super) commits: AtomicU64,
}

impl Writer {
    pub(super) fn start(self) -> io::Result<mpsc::Sender<Message>> {
        let (sender, queue) = mpsc::channel(QUEUE_JOBS_MAX);
        thread::Builder::new().name("rescind-writer".into()).spawn(move || {
            let publisher = Arc::clone(&self.publisher);
            if catch_unwind(AssertUnwindSafe(|| self.run(queue))).is_err() {
                publisher.fail(Cause::text("the writer panicked"));
            }
        })?;
        Ok(sender)
    }

    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut closed = None;
        while let Some(first) = queue.blocking_recv() {
            let mut batch = Vec::with_capacity(BATCH_JOBS_MAX);
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Job(job) => batch.push(job),
                    Message::Close(done) => {
                        closed = Some(done);
                        queue.close();
                    }
                }
                next = if batch.len() < BATCH_JOBS_MAX { queue.try_recv().ok() } else { None };
            }
            if !batch.is_empty() {
                self.write(batch);
            }
        }
        let last = self.finish();
        drop(self);
        if let Some(done) = closed {
            let _ = done.send(last);
        }
    }

    fn write(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let outcome = self.transact(&mut batch);
        if let Err(Outage::Failed(cause)) = &outcome {
            self.publisher.fail(cause.clone());
        }
        crash_point!("before_answer");
        let whole = outcome.as_ref().is_ok_and(|jobs| jobs.iter().all(Option::is_none));
        match outcome {
            Ok(outages) => {
                for (job, outage) in batch.into_iter().zip(outages) {
                    job.answer(outage);
                }
            }
            Err(outage) => {
                for job in batch {
                    job.answer(Some(outage.clone()));
                }
            }
        }
        // After the answers, so that nobody waits for it. Once copied, the log is written from its
        // start again: on a full disk that is the room in which a revocation still finds a place.
        if !whole || self.checkpoints.are_due() {
            self.checkpoint();
        }
    }

    /// The whole batch in one durable commit; what remains of each job. An error is everybody's.
    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<Vec<Option<Outage>>, Outage> {
        if let Some(cause) = self.publisher.failure() {
            return Err(Outage::Failed(cause));
        }
        crash_point!("before_begin");
        self.statement("BEGIN IMMEDIATE").map_err(Fault::outage)?;
        crash_point!("after_begin");
        let mut told = Told::default();
        let outages = batch
            .iter_mut()
            .map(|job| self.run_job(job.as_mut(), &mut told))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|outage| self.rolled_back(outage))?;
        crash_point!("before_commit");
        self.commit()?;
        crash_point!("after_commit");
        self.written.jobs.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.written.commits.fetch_add(1, Ordering::Relaxed);
        self.publish(told).map_err(Outage::Failed)?;
        crash_point!("after_publish");
        Ok(outages)
    }

    /// Tells the follower of what a durable commit has changed, in order.
    fn publish(&self, told: Told) -> Result<(), Cause> {
        self.publisher.tell(|follower, ()| {
            told.changes.into_iter().for_each(|change| follower.apply(change));
            told.epoch.into_iter().for_each(|epoch| follower.reached(epoch));
        })
    }

    /// One job in its savepoint. An `Err` has taken the whole batch with it.
    fn run_job(&self, job: &mut dyn Job, told: &mut Told) -> Result<Option<Outage>, Outage> {
        self.statement("SAVEPOINT job").map_err(Fault::outage)?;
        let mut own = Told::default();
        let mut tx = Tx::new(&self.sql, &self.keys, &mut own);
        let outage = match catch_unwind(AssertUnwindSafe(|| job.run(&mut tx))) {
            Ok(Ran::Done) => {
                self.statement("RELEASE job").map_err(Fault::outage)?;
                told.append(own);
                return Ok(None);
            }
            Ok(Ran::Refused) => None,
            Ok(Ran::Stopped(fault)) => {
                tracing::warn!(job = job.name(), error = %chain(&fault), "not written");
                Some(fault.outage())
            }
            Err(_) => {
                tracing::error!(job = job.name(), "a transaction panicked and was rolled back");
                Some(Outage::Unavailable(Cause::text("the transaction panicked")))
            }
        };
        self.undo_job(outage)
    }

    /// After some errors, a full disk among them, SQLite has rolled back not the statement but the
    /// whole transaction, neighbours included. It shows in autocommit being back.
    fn undo_job(&self, outage: Option<Outage>) -> Result<Option<Outage>, Outage> {
        match outage {
            Some(Outage::Failed(cause)) => Err(Outage::Failed(cause)),
            outage if self.sql.is_autocommit() => {
                let cause = || Cause::text("the transaction was rolled back");
                Err(outage.unwrap_or_else(|| Outage::Unavailable(cause())))
            }
            outage => {
                self.statement("ROLLBACK TO job").map_err(Fault::outage)?;
                self.statement("RELEASE job").map_err(Fault::outage)?;
                Ok(outage)
            }
        }
    }

    /// A full disk is found before the commit record is whole, and rolls back. After any other
    /// error the record may or may not survive a crash: the outcome is unknown, and is not guessed.
    fn commit(&self) -> Result<(), Outage> {
        match self.statement("COMMIT") {
            Ok(()) => Ok(()),
            Err(fault) if fault.is_disk_full() => Err(self.rolled_back(fault.outage())),
            Err(fault) => Err(Outage::Failed(Cause::new(fault))),
        }
    }

    fn rolled_back(&self, outage: Outage) -> Outage {
        if self.sql.is_autocommit() {
            return outage;
        }
        match self.statement("ROLLBACK") {
            Ok(()) => outage,
            Err(fault) => Outage::Failed(Cause::new(fault)),
        }
    }

    fn statement(&self, sql: &str) -> Result<(), Fault> {
        self.sql.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn checkpoint(&mut self) {
        if self.publisher.failure().is_some() {
            return;
        }
        if let Err(fault) = self.checkpoints.run(&self.sql) {
            let error = chain(&fault);
            match fault.outage() {
                Outage::Failed(cause) => drop(self.publisher.fail(cause)),
                _ => tracing::warn!(%error, "a checkpoint has to wait; the log grows meanwhile"),
            }
        }
    }

    fn finish(&mut self) -> Result<(), Outage> {
        if let Some(cause) = self.publisher.failure() {
            return Err(Outage::Failed(cause));
        }
        self.checkpoints.run_whole(&self.sql).map_err(Fault::outage)
    }
}
