//! Reads: a few read-only connections, each used by one blocking thread at a time.
//!
//! They see every commit that has been answered: in WAL mode a statement reads the newest snapshot
//! that was durable when it began.

use super::fault::Fault;
use crate::{StoreError, outage::Outage, publisher::Publisher};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads serve logins, lists and the audit trail, never verification: a few at a time are enough.
pub(super) const READ_CONNECTIONS: u32 = 4;

pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    /// As many as there are connections.
    permits: Arc<Semaphore>,
    publisher: Arc<Publisher<()>>,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>, publisher: Arc<Publisher<()>>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Arc::new(Self { idle: Mutex::new(connections), permits, publisher })
    }

    pub(super) async fn read<T, F>(self: &Arc<Self>, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        if let Some(cause) = self.publisher.failure() {
            return Err(Outage::Failed(cause).into());
        }
        let closed = || unavailable("the store is closed");
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let connection = self.idle.lock().pop().ok_or_else(closed)?;
        let taken =
            Taken { connection: Some(connection), readers: Arc::clone(self), _permit: permit };
        let read = tokio::task::spawn_blocking(move || taken.run(query)).await;
        match read.map_err(|_| unavailable("the query panicked"))? {
            Ok(value) => Ok(value),
            Err(fault) => Err(self.outage(fault).into()),
        }
    }

    /// Waits for the reads under way, and refuses all others.
    pub(super) async fn close(&self) {
        if self.permits.acquire_many(READ_CONNECTIONS).await.is_ok() {
            self.permits.close();
            self.idle.lock().clear();
        }
    }

    /// What a reader cannot read, the writer must not build on.
    fn outage(&self, fault: Fault) -> Outage {
        match fault.outage() {
            Outage::Failed(cause) => Outage::Failed(self.publisher.fail(cause)),
            outage => outage,
        }
    }
}

/// A connection in use; it goes back even if the query panics.
struct Taken {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    // Given back after the connection: fields are dropped after `drop` has run.
    _permit: OwnedSemaphorePermit,
}

impl Taken {
    fn run<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        match &self.connection {
            Some(connection) => query(connection),
            None => Err(Fault::Value("no connection".into())),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.readers.idle.lock().extend(self.connection.take());
    }
}

fn unavailable(why: &str) -> StoreError {
    Outage::unavailable(why).into()
}
