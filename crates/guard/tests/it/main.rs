//! The guard from outside: filled as a store fills it, asked as a server asks it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocation;
mod bounds;
mod house;
mod races;
mod rules;
