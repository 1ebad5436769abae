//! What `bench/run` sets beside Rescind, and what puts load on either.
//!
//! `serve` is the least that somebody would write who has no Rescind: a hyper server, set up like
//! Rescind's own, that answers at once, after one Redis GET, or after one PostgreSQL SELECT. `load`
//! asks at a constant rate and counts from when each request was due. `revoke` measures how long a
//! revocation takes, and for how long after its answer the token was still accepted; `write`, how
//! long any writes take.

mod ask;
mod load;
mod revoke;
mod serve;
#[cfg(test)]
mod tests;
mod write;

use anyhow::Result;
use clap::Parser;
use std::io::Write as _;

#[derive(Debug, Parser)]
#[command(about = "What bench/run sets beside Rescind, and what puts load on either")]
enum Command {
    /// Answer requests, until told to stop.
    #[command(subcommand)]
    Serve(serve::What),
    /// Ask at a constant rate; latency counts from when each request was due.
    Load(load::Options),
    /// Revoke tokens one by one, and watch for how long they are still accepted.
    Revoke(revoke::Options),
    /// Write one thing after the other, on each of some connections.
    Write(write::Options),
}

fn main() -> Result<()> {
    let report = match Command::parse() {
        Command::Serve(what) => return serve::run(what),
        Command::Load(options) => load::run(&options)?,
        Command::Revoke(options) => revoke::run(&options)?,
        Command::Write(options) => write::run(&options)?,
    };
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
