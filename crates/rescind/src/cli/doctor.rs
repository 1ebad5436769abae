//! `rescind doctor`

use super::{ServeArgs, values};
use clap::{Args, Subcommand};
use std::net::SocketAddr;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DoctorArgs {
    #[command(subcommand)]
    pub command: Option<DoctorCommand>,
    /// If all is well, keep URL and token as a context (mode 0600) and use it from now on
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "default")]
    #[arg(value_parser = values::context_name)]
    pub save: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DoctorCommand {
    /// Attack your own API through its proxy, and say what came out
    #[command(after_help = PROXY_HELP)]
    Proxy(ProxyArgs),
    /// Look at the database that nodes share, and at its nodes, without changing anything
    Cluster(ServeArgs),
    /// Answer requests with what they are: to stand behind a proxy while it is looked at
    Echo(EchoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Something protected, as clients reach it through the proxy
    #[arg(long)]
    pub url: String,
    /// Revoke the token at the end, and see whether the next request is refused
    #[arg(long)]
    pub revoke: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EchoArgs {
    /// Where the proxy expects the API; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
}

const PROXY_HELP: &str = "\
A token, for what should pass, is taken from RESCIND_TOKEN or the first line of standard input, or
asked for. Without one, only what should be refused is tried.

What the API is told is seen only if an echo stands in its place: `rescind doctor echo`.";
