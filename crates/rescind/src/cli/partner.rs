//! `rescind partner …`

use super::{Creation, Networks, Paging, Scopes};
use clap::{Args, Subcommand};
use rescind_core::{OwnerId, TenantId};

#[derive(Debug, Subcommand)]
pub(crate) enum PartnerCommand {
    /// Create a partner before it is first seen
    Create(PartnerCreateArgs),
    /// Show one partner
    #[command(visible_alias = "show")]
    Get(PartnerRef),
    /// List all partners
    List(PartnerListArgs),
    /// Change what a partner may do
    #[command(alias = "set")]
    Update(PartnerUpdateArgs),
    /// Refuse a partner and its tokens until resumed
    Suspend(PartnerRef),
    /// End a suspension
    Resume(PartnerRef),
}

/// By its id, or as its issuer knows it.
#[derive(Debug, Args)]
pub(crate) struct PartnerRef {
    /// Its id; or give --subject
    #[arg(value_name = "PARTNER", value_parser = OwnerId::parse)]
    #[arg(required_unless_present = "subject", conflicts_with_all = ["subject", "issuer"])]
    pub id: Option<OwnerId>,
    /// The claim `sub` of its identity tokens
    #[arg(long)]
    pub subject: Option<String>,
    /// The claim `iss`; needed where several issuers know the subject
    #[arg(long)]
    pub issuer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PartnerCreateArgs {
    /// The claim `sub` of its identity tokens
    #[arg(long)]
    pub subject: String,
    /// The claim `iss`; needed where several issuers are configured
    #[arg(long)]
    pub issuer: Option<String>,
    /// Account address, as 0x…
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Tenant that the partner belongs to
    #[arg(long, value_name = "ID", value_parser = TenantId::parse)]
    pub tenant: Option<TenantId>,
    /// Whether it may derive, list and revoke its own tokens
    #[arg(long, value_name = "BOOL")]
    pub token_management: Option<bool>,
    #[command(flatten)]
    pub scopes: Scopes,
    #[command(flatten)]
    pub creation: Creation,
}

#[derive(Debug, Args)]
pub(crate) struct PartnerListArgs {
    /// Only with this subject
    #[arg(long)]
    pub subject: Option<String>,
    /// Only this issuer's
    #[arg(long)]
    pub issuer: Option<String>,
    /// Only this tenant's
    #[arg(long, value_name = "ID", value_parser = TenantId::parse)]
    pub tenant: Option<TenantId>,
    #[command(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct PartnerUpdateArgs {
    #[command(flatten)]
    pub who: PartnerRef,
    /// Whether it may derive, list and revoke its own tokens
    #[arg(long, value_name = "BOOL")]
    pub token_management: Option<bool>,
    #[command(flatten)]
    pub scopes: Scopes,
    #[command(flatten)]
    pub networks: Networks,
    /// Refuse the partner and its tokens, or end that
    #[arg(long, value_name = "BOOL")]
    pub suspended: Option<bool>,
}
