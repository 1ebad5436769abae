//! Why the database was not opened, and what to do about it.

use super::fault::Fault;
use crate::{KeyId, KeyRingError, outage::Cause};
use rescind_core::{Timestamp, TokenId};
use rusqlite::ErrorCode;
use std::{
    io,
    path::{Path, PathBuf},
};

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path} is in use by another process; one process at a time can serve it")]
    Locked { path: PathBuf },
    #[error("{path} cannot be read and written; it must belong to the user this runs as")]
    Permission { path: PathBuf, source: Reason },
    #[error("no space is left for {path}; free some and start again")]
    DiskFull { path: PathBuf, source: Reason },
    #[error("{path} is not a database; check the path, or restore the file from a backup")]
    NotADatabase { path: PathBuf },
    #[error("{path} is the database of another program and was left as it is; check the path")]
    Foreign { path: PathBuf },
    #[error("{path} is damaged ({detail}); restore it from a backup")]
    Corrupt { path: PathBuf, detail: String },
    #[error(
        "{path} has schema version {found}, newer than this version knows ({known}); \
         start the newer version again, or restore the backup made before the upgrade"
    )]
    NewerSchema { path: PathBuf, found: i64, known: i64 },
    #[error("the schema of {path} could not be brought up to date")]
    Migration { path: PathBuf, source: Reason },
    #[error("{path} cannot be made durable here: {pragma} is {found} and must be {wanted}")]
    NotDurable { path: PathBuf, pragma: &'static str, found: String, wanted: &'static str },
    #[error(
        "secrets in {path} are sealed with key {key}, which is missing; add its file to sealing.key_files"
    )]
    KeyMissing { path: PathBuf, key: KeyId },
    #[error("the sealed secret of token {token} does not open; restore {path} from a backup")]
    Secret { path: PathBuf, token: TokenId, source: KeyRingError },
    #[error("there is no store at {path}")]
    Missing { path: PathBuf },
    #[error("{path} was being filled from another store, and is not whole")]
    Unfinished { path: PathBuf },
    #[error("{path} was moved to {to} at {at}; what was revoked since then is not known here")]
    Moved { path: PathBuf, to: String, at: Timestamp },
    #[error("{path} cannot be opened")]
    Other { path: PathBuf, source: Reason },
}

/// What the operating system or SQLite said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Reason(Box<dyn std::error::Error + Send + Sync>);

impl Reason {
    pub(super) fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl OpenError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path, source: Reason::new(error) }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source: Reason::new(error) }
            }
            _ => Self::Other { path, source: Reason::new(error) },
        }
    }

    pub(super) fn of(path: &Path, fault: Fault) -> Self {
        let code = match &fault {
            Fault::Sql(error) => code(error),
            Fault::Value(_) | Fault::Seal(_) => None,
        };
        let path = path.to_path_buf();
        match (code, fault) {
            (Some(ErrorCode::NotADatabase), _) => Self::NotADatabase { path },
            (Some(ErrorCode::DatabaseCorrupt), fault) => {
                Self::Corrupt { path, detail: crate::outage::chain(&fault) }
            }
            (Some(ErrorCode::DiskFull), fault) => {
                Self::DiskFull { path, source: Reason::new(Cause::new(fault)) }
            }
            (
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied),
                fault,
            ) => Self::Permission { path, source: Reason::new(Cause::new(fault)) },
            (_, Fault::Value(detail)) => Self::Corrupt { path, detail },
            (_, fault) => Self::Other { path, source: Reason::new(Cause::new(fault)) },
        }
    }
}

/// SQLite calls it an I/O error if there is no room for the log's index.
pub(super) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    match error.sqlite_extended_error_code() {
        Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) => Some(ErrorCode::DiskFull),
        _ => error.sqlite_error_code(),
    }
}
