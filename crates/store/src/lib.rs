//! Durable records: what the truth is, and how it is written down so that it stays true.
//!
//! Two traits, [`ReadStore`] and [`WriteStore`], with one conformance suite that every backend
//! runs. Each mutation is one named transaction that also writes its audit entry, raises the epoch
//! if it changes what is in memory, commits durably, and only then tells the [`Follower`] (the index in
//! memory) and returns. Policy is not decided here: rules come from `rescind-core` and run inside
//! the transaction.

mod crash;
mod model;
mod mutation;
mod outage;
pub mod postgres;
mod publisher;
mod rows;
mod seal;
mod settling;
mod shared;
pub mod sqlite;
mod traits;
pub mod transfer;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use model::*;
pub use seal::{KeyId, KeyRing, KeyRingError};
pub use settling::Settling;
pub use shared::{
    Applied, Bell, Contact, Doorbell, Fetched, LoadError, Loaded, LogPage, Member, Position, Ring,
    Roll, SharedStore, Sought,
};
pub use traits::{Follower, ReadStore, Settler, Store, WriteStore};
