//! A node from outside, its guard filled as a store fills it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod at_least;
/// The guard's own tests have made it.
#[path = "../../../guard/tests/it/house.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod house;
mod misses;
