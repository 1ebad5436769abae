//! The verification path: an index in memory, the lease gate, the decision.
//!
//! [`Permission::bearer`] and [`Permission::signed`] are the only two ways to obtain a [`Verified`], and both
//! end in `rescind_core::decide`. Nothing here writes to disk, waits, or touches SQL: the store
//! tells the index of each commit ([`rescind_store::Follower`]), before it answers whoever asked
//! for the change.

pub mod clock;
pub mod credentials;
pub mod fields;
mod guard;
mod index;
mod usage;

pub use clock::Clock;
pub use fields::Fields;
pub use guard::{Guard, Permission, Refusal, Verified};
pub use index::{Entry, Index};
