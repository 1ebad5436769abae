//! What can be typed. Secrets cannot: a command line is seen by every process of the machine and
//! kept by shells. Tokens and passwords are read from standard input, a prompt, a file or the
//! environment.

use clap::{Args, Parser, Subcommand, ValueEnum};
use rescind_core::{OwnerId, RevocationReason, ScopeSet, TokenId, TokenKind};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

#[derive(Debug, Parser)]
#[command(name = "rescind", version, about, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Print one JSON value instead of text
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
The server is found by RESCIND_ADMIN_URL and RESCIND_ADMIN_TOKEN, or as saved by
`rescind doctor --save`.

Exit codes:
  0  done, valid
  1  refused, not found, not valid
  2  wrong usage
  3  no server, or its fault";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try everything on this machine: a server with a demo API, user, partner and issuer
    Dev(DevArgs),
    /// Serve for production
    Serve(ServeArgs),
    /// Users, who log in with e-mail and password
    #[command(subcommand)]
    User(UserCommand),
    /// Partners, who are known by an identity issuer
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// Tokens: issue, look at, revoke
    #[command(subcommand)]
    Token(TokenCommand),
    /// Say whether the token on standard input is valid
    Verify(VerifyArgs),
    /// Say what is wrong with the way to the server, and what to do next
    Doctor(DoctorArgs),
    /// Make a secret for a file, on standard output
    #[command(subcommand)]
    Keygen(KeygenCommand),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DevArgs {
    #[command(subcommand)]
    pub command: Option<DevCommand>,
    /// Address for clients; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address for verification and health
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    pub verify_listen: SocketAddr,
    /// Address for the admin API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8082")]
    pub admin_listen: SocketAddr,
    /// Where everything is kept between runs [default: rescind/dev in the user's data directory]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Begin with an empty database
    #[arg(long)]
    pub fresh: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Print an identity token (JWT) of the demo issuer
    Identity(IdentityArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// Who the token is about
    #[arg(long)]
    pub subject: String,
    /// A valid one, or one with a fault to see it refused
    #[arg(long, value_enum, default_value = "valid")]
    pub kind: IdentityKind,
    /// Where `rescind dev` keeps its issuer's key
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdentityKind {
    Valid,
    /// Ended an hour ago
    Expired,
    /// For another audience
    WrongAud,
    /// By another issuer
    WrongIss,
    /// Signed with another key
    WrongKey,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// TOML file with the configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One key of the configuration, over the file and the environment
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user; the password is asked for, or read from standard input
    Create(UserCreateArgs),
    /// List all users
    List,
    /// Refuse a user's logins and tokens until resumed
    Suspend {
        /// Id or e-mail address
        #[arg(value_name = "USER", value_parser = id_or_email)]
        user: String,
    },
    /// End a suspension
    Resume {
        /// Id or e-mail address
        #[arg(value_name = "USER", value_parser = id_or_email)]
        user: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct UserCreateArgs {
    /// Address that the user logs in with
    #[arg(long)]
    pub email: String,
    /// Given name
    #[arg(long, value_name = "NAME")]
    pub first_name: Option<String>,
    /// Family name
    #[arg(long, value_name = "NAME")]
    pub last_name: Option<String>,
    /// Tenant that the user belongs to
    #[arg(long, value_name = "ID")]
    pub tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PartnerCommand {
    /// Create a partner before it is first seen
    Create(PartnerCreateArgs),
    /// List all partners
    List,
    /// Change what a partner may do
    Set(PartnerSetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PartnerCreateArgs {
    #[command(flatten)]
    pub who: PartnerName,
    /// Account address, as 0x…
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    #[command(flatten)]
    pub capabilities: Capabilities,
}

#[derive(Debug, Args)]
pub(crate) struct PartnerSetArgs {
    #[command(flatten)]
    pub who: PartnerName,
    #[command(flatten)]
    pub capabilities: Capabilities,
    /// Refuse the partner and its tokens, or end that
    #[arg(long, value_name = "BOOL")]
    pub suspended: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct PartnerName {
    /// The claim `sub` of its identity tokens
    #[arg(long)]
    pub subject: String,
    /// The claim `iss`; needed where several issuers know the subject
    #[arg(long)]
    pub issuer: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Capabilities {
    /// Whether it may derive, list and revoke its own tokens
    #[arg(long, value_name = "BOOL")]
    pub token_management: Option<bool>,
    /// The most that its tokens may do, now and later
    #[arg(long, value_name = "A,B", value_parser = scopes)]
    pub scopes: Option<ScopeSet>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Issue a token and show it once
    Create(TokenCreateArgs),
    /// List tokens, without their secrets
    List(TokenListArgs),
    /// Show one token, without its secret
    Show {
        /// Token id, which is no secret
        #[arg(value_parser = TokenId::parse)]
        id: TokenId,
    },
    /// Revoke a token: at once, everywhere, for ever
    Revoke(TokenRevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// User or partner whom the token is for
    #[arg(long, value_name = "ID", value_parser = OwnerId::parse)]
    pub owner: OwnerId,
    /// bearer for users; api_key or signing for partners
    #[arg(long, default_value = "bearer", value_parser = issuable_kind)]
    pub kind: TokenKind,
    /// What it is for, in words
    #[arg(long)]
    pub label: Option<String>,
    /// What it may do
    #[arg(long, value_name = "A,B", value_parser = scopes)]
    pub scopes: Option<ScopeSet>,
    /// Lifetime, as 30d; without it the token lives until it is revoked
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub expires_in: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenListArgs {
    /// Only this owner's
    #[arg(long, value_name = "ID", value_parser = OwnerId::parse)]
    pub owner: Option<OwnerId>,
    /// Revoked and expired ones too
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TokenRevokeArgs {
    /// Token id, which is no secret
    #[arg(value_parser = TokenId::parse)]
    pub id: TokenId,
    /// Kept with the record: unspecified, key_compromise, superseded, …
    #[arg(long, value_parser = reason)]
    pub reason: Option<RevocationReason>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Only `-`: the token is read from standard input
    #[arg(value_name = "-", value_parser = ["-"])]
    pub from: String,
    /// Scopes that it must have
    #[arg(long, value_name = "A,B", value_parser = scopes)]
    pub scopes: Option<ScopeSet>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// If all is well, save URL and token (mode 0600), so that the variables are not needed
    #[arg(long)]
    pub save: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeygenCommand {
    /// An operator's token, for `admin.bootstrap_token_file`
    AdminToken {
        /// As in `tokens.admin_prefix`
        #[arg(long, default_value = "rescind_admin_")]
        prefix: String,
    },
    /// A key that seals signing secrets, for `sealing.key_files`
    SealingKey,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// As the admin API's paths have it: an id, or `email:ADDRESS`.
fn id_or_email(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Ok(format!("email:{text}"));
    }
    OwnerId::parse(text).map(|id| id.to_string()).map_err(|fault| fault.to_string())
}

fn scopes(text: &str) -> Result<ScopeSet, String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    ScopeSet::parse(names).map_err(|fault| fault.to_string())
}

fn issuable_kind(text: &str) -> Result<TokenKind, String> {
    let kinds = [TokenKind::Bearer, TokenKind::ApiKey, TokenKind::Signing];
    let names = || kinds.map(TokenKind::as_str).join(", ");
    kinds
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .ok_or_else(|| format!("one of {}", names()))
}

fn reason(text: &str) -> Result<RevocationReason, String> {
    let names = || RevocationReason::ALL.map(RevocationReason::as_str).join(", ");
    RevocationReason::parse(text).ok_or_else(|| format!("one of {}", names()))
}

fn lifetime(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(given) if given.as_secs() > 0 => Ok(given),
        Ok(_) => Err("a token lives at least a second".to_owned()),
        Err(_) => Err("durations look like 12h or 30d".to_owned()),
    }
}

#[cfg(test)]
mod tests;
