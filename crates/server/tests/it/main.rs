//! The server as its clients see it: over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and this whole crate is tests"
)]

mod admin;
mod callers;
mod documentation;
mod gateway;
mod identity;
mod limitless;
mod limits;
mod server;
mod wizcommerce;
