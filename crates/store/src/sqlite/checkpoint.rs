//! Checkpoints: moving what is committed from the log into the database file.
//!
//! SQLite would do this by itself after a commit, and throw the result away: an fsync that failed
//! there would never be seen, and the log that still had the pages would be overwritten. So its
//! automatic checkpoints are off, and these report.

use super::fault::Fault;
use rusqlite::{Connection, ffi};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Pages in the log that make a checkpoint worthwhile: SQLite's own default, 4 MB.
const CHECKPOINT_PAGES: u32 = 1000;

pub(super) struct Checkpoints {
    /// Pages in the log after the last commit.
    pages: Arc<AtomicU32>,
    /// As many were there at the last attempt. One that could not finish is tried again only after
    /// as many more, not after each commit.
    attempted: u32,
}

impl Checkpoints {
    /// Takes the place of SQLite's automatic checkpoints on this connection, also of the one that
    /// closing it would make.
    pub(super) fn of(sql: &mut Connection) -> Result<Self, Fault> {
        use rusqlite::config::DbConfig;
        sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&pages);
        sql.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, now: std::ffi::c_int| {
            counted.store(u32::try_from(now).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, attempted: 0 })
    }

    pub(super) fn are_due(&mut self) -> bool {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.attempted {
            self.attempted = 0;
        }
        pages - self.attempted >= CHECKPOINT_PAGES
    }

    /// As much as readers allow, without waiting for them.
    pub(super) fn run(&mut self, sql: &Connection) -> Result<(), Fault> {
        self.attempted = self.pages.load(Ordering::Relaxed);
        checkpoint(sql, "PRAGMA wal_checkpoint(PASSIVE)").map(drop)
    }

    /// All of it, waiting for readers, and the log empty afterwards.
    pub(super) fn run_whole(&self, sql: &Connection) -> Result<(), Fault> {
        match checkpoint(sql, "PRAGMA wal_checkpoint(TRUNCATE)")? {
            Blocked(false) => Ok(()),
            Blocked(true) => Err(Fault::Sql(rusqlite::Error::SqliteFailure(
                ffi::Error::new(ffi::SQLITE_BUSY),
                Some("another process reads the log, so that it cannot be emptied".into()),
            ))),
        }
    }
}

struct Blocked(bool);

fn checkpoint(sql: &Connection, pragma: &str) -> Result<Blocked, Fault> {
    Ok(Blocked(sql.query_row(pragma, [], |row| row.get(0))?))
}
