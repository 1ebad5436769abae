//! `rescind migrate-store`

use super::{Confirm, values};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct MigrateStoreArgs {
    /// Where everything is to be; the other one is where it is now
    #[arg(long, value_name = "STORE", value_enum, required_unless_present = "reopen")]
    pub to: Option<StoreKind>,
    /// TOML file with the configuration: store.path is the one store, postgres.connection_file
    /// names the other
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One key of the configuration, over the file and the environment
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::setting)]
    pub set: Vec<(String, String)>,
    /// Take away what another move, which did not end, has left at the destination
    #[arg(long)]
    pub fresh: bool,
    /// Let a store that was moved be served again: what was revoked since then is valid in it
    #[arg(long, value_name = "STORE", value_enum, conflicts_with_all = ["to", "fresh"])]
    pub reopen: Option<StoreKind>,
    #[command(flatten)]
    pub confirm: Confirm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    Sqlite,
    Postgres,
}

impl StoreKind {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }
}

const AFTER_HELP: &str = "\
Stop every server of the store first. The destination must be empty. Everything is copied, compared
row by row, and the audit chain walked; then the store it came from is closed, so that nobody serves
it with what was revoked later still valid. To go back, move back, to a new directory or database.
What breaks off is repeated, and goes on where it was.";
