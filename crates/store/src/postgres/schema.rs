//! Which schema the database has, and how it becomes the newest while other nodes start too.
//!
//! Migrations expand first and contract a release later: during an upgrade the version before still
//! runs on what a migration has left. A schema of the future is refused: what a newer version means
//! by its columns (a new way to be revoked, say) is not known here. Of several nodes that start at
//! once one migrates, and the others wait for the advisory lock that it holds.

use super::{
    connection::{CONNECT_TIMEOUT, Session},
    error::{OpenError, Reason},
};
use refinery::{Migration, Runner};
use std::time::Duration;
use tokio::time::timeout;

/// In order; a released one is never edited.
const MIGRATIONS: [(&str, &str); 4] = [
    ("V1__records", include_str!("migrations/V1__records.sql")),
    ("V2__direct_connections", include_str!("migrations/V2__direct_connections.sql")),
    ("V3__transfer", include_str!("migrations/V3__transfer.sql")),
    ("V4__marks", include_str!("migrations/V4__marks.sql")),
];

/// "Rescind" in ASCII: no other program that uses this database takes the same lock.
const ADVISORY_LOCK: i64 = 0x0052_6573_6369_6e64;
/// For another node's migrations; then the start is given up, to be tried again.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(300);
/// Where refinery keeps what was applied.
const HISTORY: &str = "refinery_schema_history";

/// On a session that is used for nothing else afterwards: dropping it gives the lock back.
pub(super) async fn migrate(session: Session) -> Result<(), OpenError> {
    identify(&session).await?;
    let millis = MIGRATION_TIMEOUT.as_millis();
    let patient = format!("SET statement_timeout = {millis}; SET lock_timeout = {millis}");
    session.batch_execute(&patient).await.map_err(OpenError::other)?;
    let locked = session.query_one("SELECT pg_advisory_lock($1)", &[&ADVISORY_LOCK]);
    timeout(MIGRATION_TIMEOUT + CONNECT_TIMEOUT, locked)
        .await
        .map_err(|_| OpenError::Busy)?
        .map_err(OpenError::other)?;
    // Another node may have been a newer one.
    identify(&session).await?;
    let mut sql = session.into_inner();
    let runner = runner().map_err(|error| OpenError::Migration(Reason::new(error)))?;
    let migrated = runner.run_async(&mut *sql).await;
    migrated.map(drop).map_err(|error| OpenError::Migration(Reason::new(error)))
}

async fn identify(session: &Session) -> Result<(), OpenError> {
    match newest(session).await.map_err(OpenError::other)? {
        Some(found) if found > known() => Err(OpenError::NewerSchema { found, known: known() }),
        _ => Ok(()),
    }
}

/// What this version makes of it.
pub(super) fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

pub(super) async fn newest(session: &Session) -> Result<Option<i32>, tokio_postgres::Error> {
    let there = session.query_one("SELECT to_regclass($1) IS NOT NULL", &[&HISTORY]).await?;
    if !there.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let newest = format!("SELECT max(version) FROM {HISTORY}");
    session.query_one(&newest, &[]).await?.try_get(0)
}

/// Grouped: refinery would otherwise commit a migration and the note that it was applied one after
/// the other, and a crash in between would make the next start apply it twice.
fn runner() -> Result<Runner, refinery::Error> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Runner::new(&migrations).set_grouped(true))
}
