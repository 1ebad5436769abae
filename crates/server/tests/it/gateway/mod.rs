//! The gateway between a client that speaks bytes and a real upstream.

mod access;
mod failures;
mod forwarding;
mod headers;
mod signed;
mod upgrades;
mod upstream;
mod wire;
mod world;
