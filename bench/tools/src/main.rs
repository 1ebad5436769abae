//! What `bench/run` sets beside Rescind, and what puts load on either.
//!
//! `serve` is the least that somebody would write who has no Rescind: a hyper server, set up like
//! Rescind's own, that answers at once, after one Redis GET, or after one PostgreSQL SELECT. `load`
//! asks at a constant rate and counts from when each request was due. `revoke` measures how long a
//! revocation takes, and for how long after its answer the token was still accepted.

mod ask;
mod load;
mod revoke;
mod serve;
#[cfg(test)]
mod tests;

use anyhow::Result;
use clap::Parser;
use std::io::Write;

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
}

fn main() -> Result<()> {
    let report = match Command::parse() {
        Command::Serve(what) => return serve::run(what),
        Command::Load(options) => load::run(&options)?,
        Command::Revoke(options) => revoke::run(&options)?,
    };
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
