//! Connections, and the settings without which a commit is not durable.

use super::{error::OpenError, fault::Fault};
use rusqlite::{Connection, OpenFlags, config::DbConfig, types::FromSql};
use std::{path::Path, time::Duration};

/// Only a foreign tool can hold the database's own locks: ours is one writer in one process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than are in use at a time. (Lists have a form for each set of filters; the rarest are
/// prepared anew.)
const STATEMENTS_CACHED: usize = 64;

pub(super) fn writer(path: &Path) -> Result<Connection, Fault> {
    // Without CREATE: the file was made before, with its mode.
    open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

pub(super) fn reader(path: &Path) -> Result<Connection, Fault> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, Fault> {
    let sql = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    sql.busy_timeout(BUSY_TIMEOUT)?;
    sql.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // Plans depend on no value. Otherwise SQLite parses a statement whose plan might anew whenever
    // it is bound again, which takes several times as long as to run it.
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A database file is data, not code: its views and triggers may not call functions with
    // effects.
    sql.pragma_update(None, "trusted_schema", false)?;
    sql.pragma_update(None, "cell_size_check", true)?;
    // Otherwise rows could spill into files in a directory that everybody reads.
    sql.pragma_update(None, "temp_store", "memory")?;
    Ok(sql)
}

/// A pragma that SQLite does not know or cannot obey is silently ignored, so each is read back.
pub(super) fn make_durable(sql: &Connection, path: &Path) -> Result<(), OpenError> {
    let of = |error: rusqlite::Error| OpenError::of(path, error.into());
    // Returns a row, unlike the others.
    sql.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(of)?;
    // macOS: a plain fsync does not empty the drive's cache. Ignored elsewhere.
    for (pragma, value) in
        [("synchronous", 2), ("foreign_keys", 1), ("fullfsync", 1), ("checkpoint_fullfsync", 1)]
    {
        sql.pragma_update(None, pragma, value).map_err(of)?;
    }
    require::<String>(sql, path, "journal_mode", "wal")?;
    require::<i64>(sql, path, "synchronous", "2")?;
    require::<i64>(sql, path, "foreign_keys", "1")
}

fn require<T: FromSql + ToString>(
    sql: &Connection,
    path: &Path,
    pragma: &'static str,
    wanted: &'static str,
) -> Result<(), OpenError> {
    let found: T = sql
        .pragma_query_value(None, pragma, |row| row.get(0))
        .map_err(|error| OpenError::of(path, error.into()))?;
    let found = found.to_string();
    if found == wanted {
        return Ok(());
    }
    Err(OpenError::NotDurable { path: path.into(), pragma, found, wanted })
}
