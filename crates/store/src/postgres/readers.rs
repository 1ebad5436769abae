//! Reads: a pool of connections, apart from those on which a lease or a commit depends.
//!
//! Each read is one statement, and so of one snapshot. They go to the server that takes writes and
//! see every commit that was answered; a replica could say that a revoked token is active.

use super::{connection::Connector, fault::Fault};
use crate::{StoreError, outage::Outage};
use deadpool_postgres::{Connect, Manager, ManagerConfig, Object, Pool, PoolError, Runtime};
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{Client, Config, Row};

use super::tx::Parameter;

/// Logins, lists and the audit trail.
const READS_AT_ONCE: usize = 4;
/// Of tokens that the index does not know. More than the other reads: requests wait for each.
const FETCHES_AT_ONCE: usize = 8;
/// From the wait for a connection to the last row. The largest list has a thousand.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// The same, of a fetch: of few rows, with somebody waiting for each.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Readers {
    pool: Pool,
    reads: Semaphore,
    fetches: Semaphore,
}

impl Readers {
    pub(super) fn new(connector: Connector) -> Result<Arc<Self>, deadpool_postgres::BuildError> {
        let config = ManagerConfig::default();
        let manager = Manager::from_connect(Config::new(), Pooled(connector), config);
        let pool = Pool::builder(manager)
            .max_size(READS_AT_ONCE + FETCHES_AT_ONCE)
            .runtime(Runtime::Tokio1)
            .build()?;
        let (reads, fetches) = (Semaphore::new(READS_AT_ONCE), Semaphore::new(FETCHES_AT_ONCE));
        Ok(Arc::new(Self { pool, reads, fetches }))
    }

    pub(super) async fn rows(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.within(&self.reads, READ_TIMEOUT, query, parameters).await
    }

    pub(super) async fn row(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(query, parameters).await?.into_iter().next())
    }

    pub(super) async fn fetch(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        self.within(&self.fetches, FETCH_TIMEOUT, query, parameters).await
    }

    pub(super) fn close(&self) {
        self.reads.close();
        self.fetches.close();
        self.pool.close();
    }

    async fn within(
        &self,
        permits: &Semaphore,
        patience: Duration,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let read = timeout(patience, self.read(permits, query, parameters)).await;
        read.unwrap_or_else(|_| Err(Fault::TimedOut("a read").into()))
    }

    async fn read(
        &self,
        permits: &Semaphore,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let closed = |_| StoreError::from(Outage::unavailable("the store is closed"));
        let _permit: SemaphorePermit<'_> = permits.acquire().await.map_err(closed)?;
        let taken = Taken(Some(self.pool.get().await.map_err(away)?));
        let rows = taken.query(query, parameters).await?;
        taken.give_back();
        Ok(rows)
    }
}

fn away(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => Fault::Sql(error).into(),
        other => Fault::Away(other.to_string()).into(),
    }
}

/// A connection in use. One that is not given back, because the query failed or was given up, is
/// closed: an answer may still be on its way.
struct Taken(Option<Object>);

impl Taken {
    async fn query(&self, query: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Fault> {
        let Some(sql) = &self.0 else { return Ok(Vec::new()) };
        let statement = sql.prepare_cached(query).await?;
        Ok(sql.query(&statement, parameters).await?)
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(doubtful) = self.0.take() {
            drop(Object::take(doubtful));
        }
    }
}

/// The pool's connections are made as all others are.
struct Pooled(Connector);

impl Connect for Pooled {
    fn connect(
        &self,
        _: &Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        Box::pin(self.0.pooled())
    }
}
