//! `rescind token …`

use super::{Creation, Networks, Paging, Presented, values};
use clap::{Args, Subcommand, ValueEnum};
use rescind_core::{NetworkSet, OwnerId, RevocationReason, ScopeSet, TenantId, Timestamp};
use rescind_core::{TokenId, TokenKind};
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token and show it once
    Create(TokenCreateArgs),
    /// Show one token, without its secret
    #[command(visible_alias = "show")]
    Get(TokenRef),
    /// List tokens, without their secrets
    List(TokenListArgs),
    /// Rename a token, or let it do less
    Update(TokenUpdateArgs),
    /// Issue a successor, and end the token now or after an overlap
    Rotate(TokenRotateArgs),
    /// Revoke a token: at once, everywhere, for ever
    Revoke(TokenRevokeArgs),
    /// Revoke the token on standard input, by whoever finds it
    RevokePresented {
        #[command(flatten)]
        presented: Presented,
        #[command(flatten)]
        reason: Reason,
    },
    /// Take over tokens that another system has issued, as text or as SHA-256
    Import(TokenImportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenRef {
    /// Token id, which is no secret
    #[arg(value_name = "TOKEN", value_parser = TokenId::parse)]
    pub id: TokenId,
}

#[derive(Debug, Args)]
pub(crate) struct Reason {
    /// Kept with the record: unspecified, key_compromise, superseded, …
    #[arg(long, value_parser = values::reason)]
    pub reason: Option<RevocationReason>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// User, partner or operator whom the token is for
    #[arg(long, value_name = "ID", value_parser = OwnerId::parse)]
    pub owner: OwnerId,
    /// bearer for users; api_key or signing for partners; admin for operators
    #[arg(long, default_value = "bearer", value_parser = values::kind)]
    pub kind: TokenKind,
    /// What it is for, in words
    #[arg(long)]
    pub label: Option<String>,
    /// What it may do; of operators: read, issue, revoke, audit, admin
    #[arg(long, value_name = "A,B", value_parser = values::scopes)]
    pub scopes: Option<ScopeSet>,
    /// Lifetime, as 30d; without it the token lives until it is revoked
    #[arg(long, value_name = "DURATION", value_parser = values::lifetime)]
    pub expires_in: Option<Duration>,
    /// Only from these networks, as 192.0.2.0/24,2001:db8::/32
    #[arg(long, value_name = "CIDR,…", value_parser = values::networks)]
    pub networks: Option<NetworkSet>,
    #[command(flatten)]
    pub creation: Creation,
}

#[derive(Debug, Args)]
pub(crate) struct TokenListArgs {
    /// Only this owner's
    #[arg(long, value_name = "ID", value_parser = OwnerId::parse)]
    pub owner: Option<OwnerId>,
    /// Only this tenant's
    #[arg(long, value_name = "ID", value_parser = TenantId::parse)]
    pub tenant: Option<TenantId>,
    /// Only of this kind
    #[arg(long, value_parser = values::kind)]
    pub kind: Option<TokenKind>,
    /// Only in this state
    #[arg(long, value_enum, default_value = "active")]
    pub state: State,
    /// The same as --state all
    #[arg(long, conflicts_with = "state")]
    pub all: bool,
    /// Only those that have this scope
    #[arg(long, value_parser = values::scope)]
    pub scope: Option<String>,
    /// Only those issued before this time
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub issued_before: Option<Timestamp>,
    /// Only those issued at this time or later
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub issued_after: Option<Timestamp>,
    #[command(flatten)]
    pub paging: Paging,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    Active,
    Revoked,
    Expired,
    All,
}

#[derive(Debug, Args)]
pub(crate) struct TokenUpdateArgs {
    #[command(flatten)]
    pub token: TokenRef,
    /// What it is for, in words
    #[arg(long)]
    pub label: Option<String>,
    /// What it may do from now on; never more than before
    #[arg(long, value_name = "A,B", value_parser = values::scopes)]
    pub scopes: Option<ScopeSet>,
    /// When it ends; never later than before
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub expires_at: Option<Timestamp>,
    #[command(flatten)]
    pub networks: Networks,
}

#[derive(Debug, Args)]
pub(crate) struct TokenRotateArgs {
    #[command(flatten)]
    pub token: TokenRef,
    /// How long the old one stays valid beside the new one, up to 7d
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = values::overlap)]
    pub overlap: Duration,
    /// When that begins: at once, or when the new one is used for the first time
    #[arg(long, value_enum, default_value = "now")]
    pub overlap_starts: OverlapStart,
    /// Lifetime of the new one, as 30d [default: what the old one was given]
    #[arg(long, value_name = "DURATION", value_parser = values::lifetime)]
    pub expires_in: Option<Duration>,
    #[command(flatten)]
    pub creation: Creation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OverlapStart {
    Now,
    FirstUse,
}

#[derive(Debug, Args)]
pub(crate) struct TokenRevokeArgs {
    #[command(flatten)]
    pub token: TokenRef,
    #[command(flatten)]
    pub reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct TokenImportArgs {
    /// JSON lines or CSV with a header; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub from: PathBuf,
    /// How the file is written [default: by its name, else by its first character]
    #[arg(long, value_enum)]
    pub format: Option<ImportFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    Jsonl,
    Csv,
}
