//! The gateway between a client that speaks bytes and a real upstream.

mod access;
mod failures;
mod forwarding;
mod headers;
mod logs;
mod signed;
mod tls;
mod upgrades;
mod upstream;
mod wire;
mod world;
