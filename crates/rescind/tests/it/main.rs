//! The real binary: what is typed, what it serves, and what it says when something is wrong. What
//! holds under load and through crashes is tested in `e2e`.
#![cfg(test)]

mod caller;
mod cli;
mod commands;
mod contexts;
mod coverage;
mod dev;
mod failures;
mod full_disk;
mod imports;
mod operations;
mod operator;
mod process;
mod secrecy;
mod serve;
mod session;
mod signals;
mod signer;
mod site;
mod terminal;
mod trail;
mod upstream;
