//! `rescind completions`, `rescind man` and `rescind problem`: what describes this command and its
//! server to shells and readers.

use super::values;
use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that asks
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for every command here; without it, the first page goes to standard output
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProblemArgs {
    /// The end of its type, as last-admin; without it, all of them
    #[arg(value_name = "NAME", value_parser = values::problem_name)]
    pub name: Option<String>,
}
