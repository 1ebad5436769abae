//! One node: who asks its guard, and what keeps it open.
//!
//! The guard decides from memory, and never waits. Everything about it that does wait is here:
//! [`Verifier`], which every way of enforcement asks, has a token fetched that memory has never
//! heard of; [`cluster`] keeps this node's lease among others, and waits for theirs when something
//! was revoked here. On the only node there is nothing to wait for, and `Verifier::alone` is the
//! guard itself.
//!
//! What it deliberately does not do: decide. `rescind_core::decide` does, asked by the guard; and
//! who may still say "valid" is decided by the machines of `rescind_coherence`.

mod at_least;
pub mod cluster;
mod elsewhere;
mod tally;
mod verifier;

pub use at_least::{EPOCH_PATIENCE, EPOCH_WAITS_MAX};
pub use elsewhere::{
    ABSENT_TOKENS_MAX, FETCH_EVERY, FETCH_PATIENCE, FETCHED_PER_SECOND, FETCHED_TOGETHER_MAX,
    FETCHES_AT_ONCE, Source, UNKNOWN_FOR,
};
pub use tally::{Fetches, Verifications};
pub use verifier::Verifier;
