//! What went wrong in PostgreSQL or on the way to it. Nothing here ends the process: the truth is in
//! the database, and it will say it again.

use crate::{
    KeyRingError,
    outage::{Cause, Outage},
    rows::Unreadable,
};
use tokio_postgres::error::SqlState;

pub(super) type Stop<E> = crate::outage::Stop<E, Fault>;

/// A statement failed, or a stored value does not read as what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("PostgreSQL refused a statement")]
    Sql(#[from] tokio_postgres::Error),
    #[error("{0}")]
    Value(String),
    #[error("a secret could not be sealed")]
    Seal(#[from] KeyRingError),
    #[error("{0} has taken too long")]
    TimedOut(&'static str),
    #[error("PostgreSQL warned during a commit")]
    Warned,
    #[error("{0}")]
    Away(String),
}

impl Fault {
    /// Whether a row with one of the same unique values exists already.
    pub(super) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Sql(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    /// Before a commit, when nothing has been changed.
    pub(super) fn outage(self) -> Outage {
        match self {
            Self::Value(what) => Outage::Corrupt(what),
            fault => Outage::Unavailable(Cause::new(fault)),
        }
    }

    /// Of a commit, whatever went wrong.
    pub(super) fn uncertain(self) -> Outage {
        Outage::Uncertain(Cause::new(self))
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

impl<E> From<tokio_postgres::Error> for Stop<E> {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Fault> for crate::StoreError {
    fn from(fault: Fault) -> Self {
        fault.outage().into()
    }
}
