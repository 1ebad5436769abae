//! The server as its clients see it: over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and this whole crate is tests"
)]

mod acting;
mod admin;
mod admin_audit;
mod admin_openapi;
mod admin_owners;
mod admin_revocations;
mod admin_revocations_progress;
mod admin_tokens;
mod admin_tokens_import;
mod admin_tokens_revoke;
mod admin_tokens_rotate;
mod admin_tokens_update;
mod callers;
mod client_addresses;
mod counted;
mod documentation;
mod fast_path;
mod forward_auth;
mod gateway;
mod grpc;
mod identity;
mod limitless;
mod limits;
mod matrix;
mod metrics;
mod min_epoch;
mod oauth;
mod probe;
mod problems;
mod server;
mod shortcuts;
mod tenants;
mod verify;
mod wizcommerce;
