//! From a path to a database that may be trusted, or to an error that says what to do.
//!
//! Nothing is written before the file is known to be ours: a wrong path must not turn another
//! program's database into WAL mode.

use super::{
    checkpoint::Checkpoints,
    connection,
    error::OpenError,
    files, load,
    readers::{READ_CONNECTIONS, Readers},
    schema,
    store::SqliteStore,
    transfer,
    writer::{Writer, Written},
};
use crate::{Follower, KeyRing, publisher::Publisher};
use rusqlite::Connection;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A larger file is not checked whole at each start: at 0.25 GB/s this is half a second.
const CHECK_BYTES_MAX: u64 = 128 << 20;

/// What to open, and with what.
pub struct Options {
    /// The database file. It and its directory are made if they are missing, for this user only.
    pub path: PathBuf,
    pub key_ring: KeyRing,
    /// Is told of everything stored before `open` returns, and then of each commit.
    pub follower: Arc<dyn Follower>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("path", &self.path).finish_non_exhaustive()
    }
}

pub(super) fn open(options: Options) -> Result<SqliteStore, OpenError> {
    let path = options.path.as_path();
    let (lock, existing) = files::prepare(path)?;
    let (sql, checkpoints) = trusted(path, existing)?;
    transfer::refuse_if_moved(&sql, path)?;
    load::load(&sql, path, &options.key_ring, options.follower.as_ref())?;
    let publisher = Arc::new(Publisher::new(options.follower, ()));
    let readers = (0..READ_CONNECTIONS)
        .map(|_| connection::reader(path))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|fault| OpenError::of(path, fault))?;
    let written = Arc::new(Written::default());
    let writer = Writer {
        sql,
        keys: options.key_ring,
        publisher: Arc::clone(&publisher),
        checkpoints,
        written: Arc::clone(&written),
        _lock: lock,
    };
    Ok(SqliteStore {
        queue: writer.start().map_err(|error| OpenError::io(path, error))?,
        readers: Readers::new(readers, Arc::clone(&publisher)),
        publisher,
        written,
    })
}

/// The write connection to a whole, durable database with the newest schema.
pub(super) fn trusted(
    path: &Path,
    existing: Option<u64>,
) -> Result<(Connection, Checkpoints), OpenError> {
    let of = |fault| OpenError::of(path, fault);
    let mut sql = connection::writer(path).map_err(of)?;
    schema::identify(&sql, path)?;
    if let Some(bytes) = existing {
        check(&sql, path, bytes)?;
    }
    connection::make_durable(&sql, path)?;
    let checkpoints = Checkpoints::of(&mut sql).map_err(of)?;
    schema::migrate(&mut sql, path)?;
    // A process that ended after a failed fsync has left commits in the log that can be read but
    // may not be on the disk, and a later power cut would then also take what is written after
    // them. Copying the whole log into the file and syncing that makes them durable first.
    checkpoints.run_whole(&sql).map_err(of)?;
    Ok((sql, checkpoints))
}

fn check(sql: &Connection, path: &Path, bytes: u64) -> Result<(), OpenError> {
    if bytes > CHECK_BYTES_MAX {
        tracing::info!(bytes, "the database is too large to be checked whole at each start");
        return Ok(());
    }
    let found: String = sql
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| OpenError::of(path, error.into()))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(OpenError::Corrupt { path: path.into(), detail: found }),
    }
}
