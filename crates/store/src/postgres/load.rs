//! The whole set, from one snapshot into the follower.
//!
//! Rows are streamed: a million tokens need not fit into memory twice. Every sealed secret of an
//! active token is opened here, so a key that is missing shows before the first request and not at
//! some later one. What is committed meanwhile is not told: the log says it afterwards.

use super::{
    connection::{Connector, Session},
    fault::Fault,
    log,
    memory::Memory,
    rows::{Columns, OWNER_COLUMNS, RECORD_COLUMNS, Unopened},
};
use crate::{
    Change, KeyRing, KeyRingError, LoadError, Loaded, LogPage, StoreError, outage::Outage,
};
use futures_util::TryStreamExt;
use std::{pin::pin, time::Duration};
use tokio::time::timeout;
use tokio_postgres::Row;

/// Rows that are told at once: others who have something to tell wait for so long.
const ROWS_AT_ONCE: usize = 1024;
/// For the whole load: at 100,000 tokens a second, sixty million.
const LOAD_TIMEOUT: Duration = Duration::from_secs(600);

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// One at a time. The follower is empty again after an error.
pub(super) async fn load(
    connector: &Connector,
    memory: &Memory,
    keys: &KeyRing,
) -> Result<Loaded, LoadError> {
    let clear = || memory.clear().map_err(|cause| StoreError::from(Outage::Failed(cause)));
    clear()?;
    let emptied = Emptied(memory);
    let loaded = timeout(LOAD_TIMEOUT, run(connector, memory, keys)).await;
    let loaded = loaded.map_err(|_| StoreError::from(Fault::TimedOut("the load")))??;
    emptied.filled();
    Ok(loaded)
}

/// Whoever gives up a load leaves nothing behind that is half of one.
struct Emptied<'a>(&'a Memory);

impl Emptied<'_> {
    fn filled(self) {
        std::mem::forget(self);
    }
}

impl Drop for Emptied<'_> {
    fn drop(&mut self) {
        // After a failure of the follower there is nothing to empty: it is sealed for good.
        let _ = self.0.clear();
    }
}

async fn run(connector: &Connector, memory: &Memory, keys: &KeyRing) -> Result<Loaded, LoadError> {
    let session = connector.session().await.map_err(StoreError::from)?;
    let patient = format!("SET statement_timeout = {}", LOAD_TIMEOUT.as_millis());
    session.batch_execute(&patient).await.map_err(Fault::from).map_err(StoreError::from)?;
    Ok(tell_all(&session, memory, keys).await?)
}

async fn tell_all(session: &Session, memory: &Memory, keys: &KeyRing) -> Result<Loaded, Unopened> {
    session.batch_execute(BEGIN).await?;
    let LogPage { head: at, timeline, .. } = log::head(session).await?;
    let owners = format!("SELECT {OWNER_COLUMNS} FROM owners ORDER BY seq");
    // First: an owner stands before its tokens.
    tell(session, memory, &owners, |row| Ok(Change::Owner(Columns::of(row).owner()?))).await?;
    let bounds = "SELECT nullif(tenant, ''), not_before FROM bounds";
    tell(session, memory, bounds, |row| Ok(log::bound(row)?)).await?;
    let tokens = format!(
        "SELECT {RECORD_COLUMNS}, digest, sealed_secret FROM tokens
         WHERE revoked_at IS NULL ORDER BY seq"
    );
    tell(session, memory, &tokens, |row| {
        let mut columns = Columns::of(row);
        let record = columns.record()?;
        let material = columns.material(&record.id, keys)?;
        Ok(Change::Issued { record, material })
    })
    .await?;
    memory.loaded(at).map_err(failed)?;
    Ok(Loaded { at, timeline })
}

async fn tell(
    session: &Session,
    memory: &Memory,
    query: &str,
    read: impl Fn(&Row) -> Result<Change, Unopened> + Send,
) -> Result<(), Unopened> {
    let none: [&str; 0] = [];
    let mut rows = pin!(session.query_raw(query, none).await?);
    let mut read_so_far = Vec::with_capacity(ROWS_AT_ONCE);
    while let Some(row) = rows.try_next().await? {
        read_so_far.push(read(&row)?);
        if read_so_far.len() == ROWS_AT_ONCE {
            memory.load(read_so_far.drain(..)).map_err(failed)?;
        }
    }
    memory.load(read_so_far.into_iter()).map_err(failed)
}

/// The store says itself why, to whoever asks it next.
fn failed(cause: crate::outage::Cause) -> Unopened {
    Unopened::Fault(Fault::Away(cause.to_string()))
}

impl From<Unopened> for LoadError {
    fn from(unopened: Unopened) -> Self {
        match unopened {
            Unopened::Fault(fault) => Self::Store(fault.into()),
            Unopened::Secret(_, KeyRingError::Missing { key }) => Self::KeyMissing { key },
            Unopened::Secret(token, source) => Self::Secret { token, source },
        }
    }
}
