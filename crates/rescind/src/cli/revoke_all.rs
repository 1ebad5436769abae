//! `rescind revoke-all`

use super::{Confirm, values};
use clap::Args;
use rescind_core::{OwnerId, RevocationReason, TenantId, Timestamp};

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("level").required(true))]
pub(crate) struct RevokeAllArgs {
    /// All tokens of this user, partner or operator
    #[arg(long, value_name = "ID", value_parser = OwnerId::parse, group = "level")]
    pub owner: Option<OwnerId>,
    /// All tokens of this tenant, its operators included
    #[arg(long, value_name = "ID", value_parser = TenantId::parse, group = "level")]
    pub tenant: Option<TenantId>,
    /// All tokens of all users and partners; operators keep theirs
    #[arg(long, group = "level")]
    pub everything: bool,
    /// Only those issued before this time; without it, all that there are now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub issued_before: Option<Timestamp>,
    /// Kept with the record: unspecified, key_compromise, superseded, …
    #[arg(long, value_parser = values::reason)]
    pub reason: Option<RevocationReason>,
    #[command(flatten)]
    pub confirm: Confirm,
}
