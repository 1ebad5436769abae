//! What went wrong in SQLite, sorted by what may still be believed afterwards.

use crate::{
    KeyRingError,
    outage::{Cause, Outage},
    rows::Unreadable,
};
use rusqlite::ErrorCode;

/// A statement failed, or a stored value does not read as what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("SQLite refused a statement")]
    Sql(#[from] rusqlite::Error),
    #[error("{0}")]
    Value(String),
    #[error("a secret could not be sealed")]
    Seal(#[from] KeyRingError),
}

pub(super) type Stop<E> = crate::outage::Stop<E, Fault>;

impl Fault {
    /// After these, what is on disk, or whether the last write is, is not known. SQLite itself
    /// would go on (it even commits after a failed fsync, whose pages the kernel has dropped); we
    /// do not.
    pub(super) fn is_fatal(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::InternalMalfunction
            )
        )
    }

    pub(super) fn is_disk_full(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        error.sqlite_error_code() == Some(ErrorCode::DiskFull)
    }

    /// Whether a row with one of the same unique values exists already.
    pub(super) fn is_duplicate(&self) -> bool {
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        let Self::Sql(error) = self else { return false };
        matches!(
            error.sqlite_extended_error_code(),
            Some(SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE)
        )
    }

    pub(super) fn outage(self) -> Outage {
        match self {
            Self::Value(what) => Outage::Corrupt(what),
            // Not SQLite's, but rusqlite's: a column of another type, a row that must be there.
            Self::Sql(error) if error.sqlite_error().is_none() => {
                Outage::Corrupt(error.to_string())
            }
            fault if fault.is_fatal() => Outage::Failed(Cause::new(fault)),
            fault => Outage::Unavailable(Cause::new(fault)),
        }
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        Self::Value(unreadable.to_string())
    }
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<E> From<rusqlite::Error> for Stop<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}
