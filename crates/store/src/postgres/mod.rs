//! The PostgreSQL engine: one database, and as many nodes as write to it and verify from memory.
//!
//! # What an answer rests on
//!
//! As in the SQLite engine, a write goes to the queue of this node's writer, which runs what is
//! waiting as one transaction: it begins with the lock on the one row of `epoch`, so the writes of
//! all nodes come one after the other, numbers have no gaps, the audit chain has no forks and
//! deadlocks cannot be. Then, and in this order: commit, tell this node's follower, answer. What
//! takes power away is answered only after the [`crate::Settler`] has said that every other node has
//! applied it too, or can no longer hold a lease; that wait holds up nobody else's write.
//!
//! # Where it can crash
//!
//! Before `COMMIT` is sent, nothing has happened, whatever breaks: PostgreSQL rolls back a
//! transaction whose session ends. Once it is sent, only its answer tells. An error, a time-out, a
//! lost connection or a warning (the wait for a standby was cut short) leaves the outcome unknown:
//! [`crate::StoreError::Uncertain`], never success, and the connection is dropped with everything
//! that it may still have to say. If it was committed, its neighbours' memory hears of it from the
//! log, and whoever asks again is told "already revoked", which is settled like the first time.
//!
//! A crash of this process after the commit is the same, seen from outside. A crash of PostgreSQL
//! loses no commit that was answered, if it is set up as was declared: see `durability.rs`, which
//! asks on each connection that writes.
//!
//! # Why nothing here ends the process
//!
//! In SQLite an I/O error means that this process can no longer know its own truth. Here the truth
//! is elsewhere and says itself again: while PostgreSQL is away, writes and reads are unavailable,
//! and verification goes on from memory for as long as the lease holds. Only a panic in the follower
//! is final: what is in memory is then not what the log says.
//!
//! # What is deliberately not here
//!
//! Leases and waiting: the store keeps the rows of members and reads the log, and somebody else
//! decides by them ([`crate::SharedStore`]). And any rule about who may do what: `rescind-core` has
//! those, and they run inside the transactions here.

mod ablation;
mod actor;
mod batch;
mod books;
mod connection;
mod doorbell;
mod durability;
mod error;
mod examine;
mod fault;
mod fetch;
mod job;
mod load;
mod log;
mod members;
mod memory;
mod nodes;
mod open;
mod owners;
mod queries;
mod readers;
mod revocation;
mod revoking;
mod rotation;
mod rows;
mod schema;
mod servers;
mod sessions;
mod store;
mod tls;
mod tokens;
mod transfer;
mod tx;
mod writer;

#[cfg(test)]
#[cfg(feature = "conformance")]
mod tests;

pub use durability::{Caution, Durability, DurabilityReport, Unkept};
pub use error::{OpenError, Reason};
pub use examine::{Examiner, ServerReport};
pub use open::Options;
pub use store::PostgresStore;
pub use transfer::PostgresEnd;
