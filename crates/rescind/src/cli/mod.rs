//! What can be typed, one file for each subject. Secrets cannot: a command line is seen by every
//! process of the machine and kept by shells. Tokens and passwords are read from standard input, a
//! prompt, a file or the environment.

mod audit;
mod context;
mod doctor;
mod documents;
mod keygen;
mod migrate_store;
mod operator;
mod partner;
mod restrictions;
mod revoke_all;
mod serve;
mod token;
mod user;
mod values;
mod verify;

pub(crate) use audit::{Anchor, AuditCommand, AuditExportArgs, AuditListArgs, AuditVerifyArgs};
pub(crate) use context::{ContextAddArgs, ContextCommand};
pub(crate) use doctor::{DoctorArgs, DoctorCommand, EchoArgs, ProxyArgs};
pub(crate) use documents::{CompletionsArgs, ManArgs, ProblemArgs};
pub(crate) use keygen::KeygenCommand;
pub(crate) use migrate_store::{MigrateStoreArgs, StoreKind};
pub(crate) use operator::{OperatorCommand, OperatorCreateArgs, OperatorUpdateArgs};
pub(crate) use partner::{
    PartnerCommand, PartnerCreateArgs, PartnerListArgs, PartnerRef, PartnerUpdateArgs,
};
pub(crate) use restrictions::{Confirm, Creation, Networks, Paging, Presented, Scopes};
pub(crate) use revoke_all::RevokeAllArgs;
pub(crate) use serve::{DevArgs, DevCommand, IdentityArgs, IdentityKind, ServeArgs};
pub(crate) use token::{
    ImportFormat, OverlapStart, Reason, State, TokenCommand, TokenCreateArgs, TokenImportArgs,
    TokenListArgs, TokenRevokeArgs, TokenRotateArgs, TokenUpdateArgs,
};
pub(crate) use user::{
    UserCommand, UserCreateArgs, UserListArgs, UserPasswordArgs, UserUpdateArgs,
};
pub(crate) use values::digest;
pub(crate) use verify::VerifyArgs;

use clap::ValueEnum;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

/// Issue, verify, rotate and revoke API tokens
#[derive(Debug, Parser)]
#[command(name = "rescind", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What can be said with every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// For reading, with more columns, as one JSON value, or ids alone for pipes
    #[arg(short, long, global = true, value_enum, default_value = "table", value_name = "FORMAT")]
    pub output: Format,
    /// The same as `-o json`
    #[arg(long, global = true, conflicts_with = "output")]
    pub json: bool,
    /// The server to ask, by its name in `rescind context list`
    #[arg(long, global = true, value_name = "NAME", value_parser = values::context_name)]
    pub context: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Wide,
    Json,
    Id,
}

const AFTER_HELP: &str = "\
The server is that of --context or RESCIND_CONTEXT; else that of RESCIND_ADMIN_URL and
RESCIND_ADMIN_TOKEN; else the one in use, as `rescind context list` shows.

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
    /// Move everything from the embedded store to PostgreSQL, or back, while no server runs
    MigrateStore(MigrateStoreArgs),
    /// Users, who log in with e-mail and password
    #[command(subcommand)]
    User(UserCommand),
    /// Partners, who are known by an identity issuer
    #[command(subcommand)]
    Partner(PartnerCommand),
    /// Operators, whose admin tokens run this server
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Tokens: issue, look at, rotate, revoke
    #[command(subcommand)]
    Token(TokenCommand),
    /// Revoke all tokens of an owner, of a tenant, or of everybody
    RevokeAll(RevokeAllArgs),
    /// Say whether the token on standard input is valid
    Verify(VerifyArgs),
    /// What was done, by whom, and whether anybody changed that record
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Say whose admin token this is, and what it may do
    Whoami,
    /// Say how the server is
    Status,
    /// Show every node of the server, and how far each one is
    Cluster,
    /// Say what an error of the server means
    Problem(ProblemArgs),
    /// Print the description of the admin API (OpenAPI)
    Openapi,
    /// The servers that this command knows
    #[command(subcommand)]
    Context(ContextCommand),
    /// Say what is wrong with the way to the server, and what to do next
    Doctor(DoctorArgs),
    /// Make a secret for a file, on standard output
    #[command(subcommand)]
    Keygen(KeygenCommand),
    /// Print what a shell needs to complete these commands
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them
    Man(ManArgs),
}

impl Cli {
    /// Reads this process's command line. Does not return if that makes no sense, or asks for help.
    pub(crate) fn from_environment() -> (Self, String) {
        let matches = Self::command().get_matches();
        let words = words(&matches);
        match Self::from_arg_matches(&matches) {
            Ok(cli) => (cli, words),
            Err(fault) => fault.exit(),
        }
    }
}

impl Global {
    pub(crate) const fn format(&self) -> Format {
        if self.json { Format::Json } else { self.output }
    }
}

/// The command itself without its arguments, as in `rescind token list`.
fn words(matches: &ArgMatches) -> String {
    let mut words = "rescind".to_owned();
    let mut at = matches;
    while let Some((word, inner)) = at.subcommand() {
        words.push(' ');
        words.push_str(word);
        at = inner;
    }
    words
}

#[cfg(test)]
mod tests;
