//! The layer and the store of a service's own, over real HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod addresses;
mod bearer;
mod embedded;
#[path = "../../examples/axum.rs"]
#[expect(dead_code, reason = "its main is for people")]
mod example;
mod examples;
mod other_servers;
mod races;
mod signed;
mod wire;
mod world;
