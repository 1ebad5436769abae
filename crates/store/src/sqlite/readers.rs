//! Reads: a few read-only connections, each used by one blocking thread at a time.
//!
//! They see every commit that has been answered: in WAL mode a statement reads the newest snapshot
//! that was durable when it began.
//!
//! The naive way has each query wait for a connection, and then for a thread. Of many small ones at
//! once each pays for two threads to be woken, which takes longer than to read a row. So a query
//! waits for a thread that has a connection already, and that goes on until nothing waits. Then it
//! also finds in its cache what the one before it has read: a commit empties it, a query does not.

use super::fault::Fault;
use crate::{StoreError, outage::Outage, publisher::Publisher};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::{
    collections::VecDeque,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::{oneshot, watch};

/// Reads serve logins, lists and the audit trail, never verification: a few at a time are enough.
pub(super) const READ_CONNECTIONS: u32 = 4;

/// It answers whoever asked by itself.
type Query = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    desk: Mutex<Desk>,
    /// How many connections are in use.
    busy: watch::Sender<usize>,
    publisher: Arc<Publisher<()>>,
}

/// While a query waits, no connection is idle.
struct Desk {
    idle: Vec<Connection>,
    waiting: VecDeque<Query>,
    closed: bool,
}

impl Readers {
    pub(super) fn new(idle: Vec<Connection>, publisher: Arc<Publisher<()>>) -> Arc<Self> {
        let desk = Mutex::new(Desk { idle, waiting: VecDeque::new(), closed: false });
        Arc::new(Self { desk, busy: watch::Sender::new(0), publisher })
    }

    pub(super) async fn read<T, F>(self: &Arc<Self>, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        if let Some(cause) = self.publisher.failure() {
            return Err(Outage::Failed(cause).into());
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Box::new(move |sql| {
            // Whoever has gone away meanwhile needs no answer.
            if !reply.is_closed() {
                let _ = reply.send(query(sql));
            }
        }))?;
        let unanswered = |_| unavailable("the query panicked, or the store was closed");
        answer.await.map_err(unanswered)?.map_err(|fault| self.outage(fault).into())
    }

    fn ask(self: &Arc<Self>, query: Query) -> Result<(), StoreError> {
        let mut desk = self.desk.lock();
        if desk.closed {
            return Err(unavailable("the store is closed"));
        }
        desk.waiting.push_back(query);
        if let Some(connection) = desk.idle.pop() {
            self.busy.send_modify(|busy| *busy += 1);
            let taken = Taken { connection: Some(connection), readers: Arc::clone(self) };
            tokio::task::spawn_blocking(move || taken.answer_all());
        }
        Ok(())
    }

    /// Waits for the reads under way, and refuses all others.
    pub(super) async fn close(&self) {
        let unused = {
            let mut desk = self.desk.lock();
            desk.closed = true;
            (mem::take(&mut desk.waiting), mem::take(&mut desk.idle))
        };
        drop(unused);
        // Its sender is here, and so not gone.
        let _ = self.busy.subscribe().wait_for(|busy| *busy == 0).await;
    }

    /// What a reader cannot read, the writer must not build on.
    fn outage(&self, fault: Fault) -> Outage {
        match fault.outage() {
            Outage::Failed(cause) => Outage::Failed(self.publisher.fail(cause)),
            outage => outage,
        }
    }
}

/// A connection in use; it goes back even if the runtime ends before its thread has begun.
struct Taken {
    connection: Option<Connection>,
    readers: Arc<Readers>,
}

impl Taken {
    fn answer_all(mut self) {
        while let Some(query) = self.next() {
            let Some(connection) = &self.connection else { return };
            // Whoever asked hears of a panic: there is no answer any more.
            let _ = catch_unwind(AssertUnwindSafe(|| query(connection)));
        }
    }

    /// If there is none, the connection is idle again before anybody else can ask.
    fn next(&mut self) -> Option<Query> {
        let mut desk = self.readers.desk.lock();
        let next = desk.waiting.pop_front();
        if next.is_none() {
            desk.take_back(&mut self.connection);
        }
        next
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.readers.desk.lock().take_back(&mut self.connection);
        self.readers.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Desk {
    fn take_back(&mut self, connection: &mut Option<Connection>) {
        let connection = connection.take();
        if !self.closed {
            self.idle.extend(connection);
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    Outage::unavailable(why).into()
}
