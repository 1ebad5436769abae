//! End to end: the real binary, real sockets, real clients.

#![expect(clippy::indexing_slicing, reason = "a JSON object's missing field reads as null")]
#![expect(clippy::print_stdout, reason = "what a test says is shown when it fails")]

mod cli;
mod documentation;
mod hostile;
mod house;
mod immediate;
mod kill;
mod login;
mod migration;
mod nodes;
mod oauth;
mod proxies;
mod schemathesis;
mod sdk;
mod secrecy;
mod several;
mod syscalls;
