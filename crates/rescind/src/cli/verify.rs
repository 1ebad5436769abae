//! `rescind verify -`

use super::{Presented, values};
use clap::Args;
use rescind_core::ScopeSet;
use std::net::IpAddr;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub presented: Presented,
    /// Scopes that it must have
    #[arg(long, value_name = "A,B", value_parser = values::scopes)]
    pub scopes: Option<ScopeSet>,
    /// Where it is used from, for tokens that are bound to networks
    #[arg(long, value_name = "ADDRESS")]
    pub client_address: Option<IpAddr>,
    /// One token on each line; a line that begins with `{` is an item of POST /v1/verify
    #[arg(long)]
    pub batch: bool,
}
