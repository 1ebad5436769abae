//! The binary: puts the pieces together, owns the real clock and the real randomness, and talks to
//! people.

mod ablation;
mod cli;
mod client;
mod commands;
mod context;
mod dev;
mod engine;
mod failure;
mod input;
mod logging;
mod output;
mod private_file;
mod server;
mod shutdown;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let (cli, words) = cli::Cli::from_environment();
    commands::run(cli, &words).await.into()
}
