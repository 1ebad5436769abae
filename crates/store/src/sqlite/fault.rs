//! What went wrong in SQLite, sorted by what may still be believed afterwards.

use crate::{KeyRingError, StoreError};
use rusqlite::ErrorCode;
use std::{error::Error, fmt, sync::Arc};

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

/// Why a transaction's body stops: a rule refused, or the store could not.
#[derive(Debug)]
pub(super) enum Stop<E> {
    Refused(E),
    Fault(Fault),
}

/// A cause that many callers are told of at once.
#[derive(Clone, Debug)]
pub(super) struct Cause(pub(super) Arc<dyn Error + Send + Sync>);

/// What is left of the error of a job or of a whole batch.
#[derive(Clone, Debug)]
pub(super) enum Outage {
    /// Rolled back cleanly.
    Unavailable(Cause),
    /// Nothing that this process says can be trusted any more.
    Failed(Cause),
    Corrupt(String),
}

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
}

impl Outage {
    pub(super) fn of(fault: Fault) -> Self {
        match fault {
            Fault::Value(what) => Self::Corrupt(what),
            // Not SQLite's, but rusqlite's: a column of another type, a row that must be there.
            Fault::Sql(error) if error.sqlite_error().is_none() => Self::Corrupt(error.to_string()),
            fault if fault.is_fatal() => Self::Failed(Cause::new(fault)),
            fault => Self::Unavailable(Cause::new(fault)),
        }
    }
}

impl Cause {
    pub(super) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self(Arc::from(Box::<dyn Error + Send + Sync>::from(text.into())))
    }
}

impl From<Outage> for StoreError {
    fn from(outage: Outage) -> Self {
        match outage {
            Outage::Unavailable(cause) => Self::Unavailable(Some(Box::new(cause))),
            Outage::Failed(cause) => Self::Failed(Some(Box::new(cause))),
            Outage::Corrupt(what) => Self::Corrupt(what),
        }
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

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
