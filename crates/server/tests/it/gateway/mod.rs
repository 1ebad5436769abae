//! The gateway between a client that speaks bytes and a real upstream.

mod access;
mod failures;
mod forwarding;
pub(crate) mod headers;
pub(crate) mod logs;
mod pool;
mod signed;
mod tls;
mod upgrades;
mod upstream;
pub(crate) mod wire;
pub(crate) mod world;
