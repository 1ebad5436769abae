//! `rescind context …`

use super::values;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// List the servers that are known
    List,
    /// Keep a server's address and the admin token for it, which is read from standard input
    Add(ContextAddArgs),
    /// Choose the server that commands go to
    Use(ContextName),
    /// Show where commands go, and why
    Show,
    /// Forget a server and its token
    Remove(ContextName),
}

#[derive(Debug, Args)]
pub(crate) struct ContextName {
    /// As in `rescind context list`
    #[arg(value_parser = values::context_name)]
    pub name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ContextAddArgs {
    /// What to call it
    #[arg(value_parser = values::context_name)]
    pub name: String,
    /// Address of its admin listener, as https://admin.example
    #[arg(long)]
    pub url: String,
    /// Replace the one of that name
    #[arg(long)]
    pub replace: bool,
    /// Use it from now on; the first one is used anyway
    #[arg(long = "use")]
    pub use_it: bool,
}
