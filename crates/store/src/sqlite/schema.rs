//! Which schema a file has, and how it becomes the newest.
//!
//! Migrations expand first and contract a release later, so that the version before still runs on
//! what a migration has left. A schema of the future is refused: what a newer version means by its
//! columns (a new way to be revoked, say) is not known here.

use super::error::{self, OpenError, Reason};
use refinery::{Migration, Runner};
use rusqlite::Connection;
use std::{error::Error, path::Path};

/// In order; a released one is never edited.
const MIGRATIONS: [(&str, &str); 3] = [
    ("V1__records", include_str!("migrations/V1__records.sql")),
    ("V2__administration", include_str!("migrations/V2__administration.sql")),
    ("V3__transfer", include_str!("migrations/V3__transfer.sql")),
];

/// "Resc", as the first migration writes it.
const APPLICATION_ID: i64 = 0x5265_7363;

/// Where refinery keeps what was applied.
const HISTORY: &str = "refinery_schema_history";

/// Refuses a file that is not ours or is of the future. Reads only.
pub(super) fn identify(sql: &Connection, path: &Path) -> Result<(), OpenError> {
    let (application, tables, found) =
        fingerprint(sql).map_err(|error| OpenError::of(path, error.into()))?;
    // A start that was cut off before the first migration leaves the history alone in its file.
    let new = application == 0 && tables == 0;
    if !new && application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.into() });
    }
    let known = MIGRATIONS.len() as i64;
    match found {
        Some(found) if found > known => {
            Err(OpenError::NewerSchema { path: path.into(), found, known })
        }
        _ => Ok(()),
    }
}

/// Application id, tables other than the history, and the newest migration applied.
fn fingerprint(sql: &Connection) -> rusqlite::Result<(i64, i64, Option<i64>)> {
    let application = sql.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let (tables, history) = sql.query_row(
        "SELECT count(*) FILTER (WHERE tbl_name <> ?1), count(*) FILTER (WHERE name = ?1)
         FROM sqlite_schema",
        [HISTORY],
        |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)),
    )?;
    let newest = match history {
        0 => None,
        _ => sql.query_row(&format!("SELECT max(version) FROM {HISTORY}"), [], |row| row.get(0))?,
    };
    Ok((application, tables, newest))
}

pub(super) fn migrate(sql: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let migrated = runner().and_then(|runner| runner.run(sql));
    migrated.map(drop).map_err(|error| match sqlite_cause(&error) {
        Some(rusqlite::ErrorCode::DiskFull) => {
            OpenError::DiskFull { path: path.into(), source: Reason::new(error) }
        }
        _ => OpenError::Migration { path: path.into(), source: Reason::new(error) },
    })
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

fn sqlite_cause(error: &(dyn Error + 'static)) -> Option<rusqlite::ErrorCode> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
            return error::code(error);
        }
        next = error.source();
    }
    None
}
