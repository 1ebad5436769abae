//! The server as its clients see it: over real connections.

mod callers;
mod gateway;
mod identity;
mod limitless;
mod server;
mod wizcommerce;
