//! The SQLite engine: one process, one file, one writer.
//!
//! # What an answer rests on
//!
//! A write goes to the writer's queue. The writer takes what is waiting, runs each transaction in a
//! savepoint of one common transaction, commits (WAL, `synchronous=FULL`: the log is fsynced),
//! tells the follower in the order of commit, and answers. So whatever was answered is durable, and
//! is in memory too: there is no moment at which a revocation has been confirmed and is still
//! accepted.
//!
//! # Where it can crash
//!
//! Before the commit is durable: nothing has happened, and nobody was told otherwise. After it, but
//! before the answer: it has happened; the caller saw a broken connection, which never meant "no",
//! and the restart loads it into the follower before the first request. A revocation is therefore
//! kept once it was answered, and sometimes kept though it was not.
//!
//! # Why an I/O error ends the process
//!
//! When fsync fails, the kernel may drop the pages that it could not write and report the next
//! fsync as a success. SQLite returns the error for that one commit and goes on: later commits
//! follow a hole in the log, are answered, and are gone after a power cut. Nor is it known whether
//! the commit that failed will be there after a restart. So the first I/O error (or damage, or a
//! panic in the follower) seals the follower, fails all that wait and refuses everything after;
//! [`SqliteStore::failed`] lets the process end. The next start reads the log from the disk and
//! syncs what it finds before it builds on it. A full disk is different: it is found before
//! anything is half done, so the transaction is rolled back, and the store goes on when there is
//! space.
//!
//! # What is deliberately not here
//!
//! A second process (a lock keeps it out: its memory would not follow ours) and any rule about who
//! may do what: `rescind-core` has those, and they run inside the transactions here.

mod actor;
mod checkpoint;
mod connection;
mod error;
mod fault;
mod files;
mod job;
mod load;
mod open;
mod owners;
mod queries;
mod readers;
mod revocation;
mod rotation;
mod rows;
mod schema;
mod store;
mod tokens;
mod transfer;
mod tx;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::Counts;
pub use error::{OpenError, Reason};
pub use open::Options;
pub use store::SqliteStore;
pub use transfer::SqliteEnd;
