//! `rescind operator …`

use super::{Confirm, Creation, Networks, Paging};
use clap::{Args, Subcommand};
use rescind_core::{OwnerId, TenantId};

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Create an operator; tokens for it are made with `rescind token create --kind admin`
    Create(OperatorCreateArgs),
    /// Show one operator
    #[command(visible_alias = "show")]
    Get(OperatorRef),
    /// List all operators
    List(Paging),
    /// Change from where an operator's tokens may be used
    Update(OperatorUpdateArgs),
    /// Refuse an operator's tokens until resumed
    Suspend {
        #[command(flatten)]
        who: OperatorRef,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// End a suspension
    Resume(OperatorRef),
}

#[derive(Debug, Args)]
pub(crate) struct OperatorRef {
    /// Its id
    #[arg(value_name = "OPERATOR", value_parser = OwnerId::parse)]
    pub id: OwnerId,
}

#[derive(Debug, Args)]
pub(crate) struct OperatorCreateArgs {
    /// What it is called, as in `ada` or `deploy-pipeline`
    #[arg(long)]
    pub name: String,
    /// The one tenant that it sees and may touch; without it, all of them
    #[arg(long, value_name = "ID", value_parser = TenantId::parse)]
    pub tenant: Option<TenantId>,
    #[command(flatten)]
    pub creation: Creation,
}

#[derive(Debug, Args)]
pub(crate) struct OperatorUpdateArgs {
    #[command(flatten)]
    pub who: OperatorRef,
    #[command(flatten)]
    pub networks: Networks,
}
