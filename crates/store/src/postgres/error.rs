//! Why the database was not opened, and what to do about it. The connection text is never shown: it
//! may hold a password.

use super::{durability::Unkept, fault::Fault};
use rescind_core::Timestamp;

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the PostgreSQL connection is not written as a URL or as keywords and values")]
    Text(#[source] Reason),
    #[error("TLS to PostgreSQL cannot be set up; check the file of certificate authorities")]
    Tls(#[source] Reason),
    #[error("PostgreSQL cannot be reached, or lets nobody in with these credentials")]
    Unreachable(#[source] Reason),
    #[error(
        "a pooler gives each transaction another session; it must keep one for each connection \
         (session mode), or not stand in between"
    )]
    SharedSessions,
    #[error("PostgreSQL {found} is too old; at least {wanted} is needed")]
    OldServer { found: u32, wanted: u32 },
    #[error("the database is encoded in {found} and must be in UTF8")]
    Encoding { found: String },
    #[error(
        "the database has schema version {found}, newer than this version knows ({known}); \
         start the newer version again, or restore the backup made before the upgrade"
    )]
    NewerSchema { found: i32, known: i32 },
    #[error(
        "the schema could not be brought up to date; the database may belong to another program"
    )]
    Migration(#[source] Reason),
    #[error("another node has been bringing the schema up to date for too long")]
    Busy,
    #[error(transparent)]
    NotDurable(#[from] Unkept),
    #[error("the database was being filled from another store, and is not whole")]
    Unfinished,
    #[error(
        "the records were moved to {to} at {at}; what was revoked since then is not known here"
    )]
    Moved { to: String, at: Timestamp },
    #[error("another process is moving the records of this database")]
    BeingMoved,
    #[error("the database cannot be used")]
    Other(#[source] Reason),
}

/// What the network, TLS or PostgreSQL said.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Reason(Box<dyn std::error::Error + Send + Sync>);

impl Reason {
    pub(super) fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl OpenError {
    pub(super) fn unreachable(fault: Fault) -> Self {
        Self::Unreachable(Reason::new(fault))
    }

    pub(super) fn other(fault: impl Into<Fault>) -> Self {
        Self::Other(Reason::new(fault.into()))
    }
}
