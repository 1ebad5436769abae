//! `rescind user …`

use super::{Creation, Networks, Paging, Scopes, values};
use clap::{Args, Subcommand};
use rescind_core::TenantId;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user; the password is asked for, or read from standard input
    Create(UserCreateArgs),
    /// Show one user
    #[command(visible_alias = "show")]
    Get(UserRef),
    /// List all users
    List(UserListArgs),
    /// Change a user's name, or what its tokens may do
    Update(UserUpdateArgs),
    /// Refuse a user's logins and tokens until resumed
    Suspend(UserRef),
    /// End a suspension
    Resume(UserRef),
    /// Set a new password, and revoke the tokens that were made with the old one
    Password(UserPasswordArgs),
}

#[derive(Debug, Args)]
pub(crate) struct UserRef {
    /// Id or e-mail address
    #[arg(value_name = "USER", value_parser = values::id_or_email)]
    pub user: String,
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
    #[arg(long, value_name = "ID", value_parser = TenantId::parse)]
    pub tenant: Option<TenantId>,
    #[command(flatten)]
    pub creation: Creation,
}

#[derive(Debug, Args)]
pub(crate) struct UserListArgs {
    /// Only this tenant's
    #[arg(long, value_name = "ID", value_parser = TenantId::parse)]
    pub tenant: Option<TenantId>,
    #[command(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct UserUpdateArgs {
    #[command(flatten)]
    pub who: UserRef,
    /// Given name
    #[arg(long, value_name = "NAME")]
    pub first_name: Option<String>,
    /// Family name
    #[arg(long, value_name = "NAME")]
    pub last_name: Option<String>,
    #[command(flatten)]
    pub scopes: Scopes,
    #[command(flatten)]
    pub networks: Networks,
}

#[derive(Debug, Args)]
pub(crate) struct UserPasswordArgs {
    #[command(flatten)]
    pub who: UserRef,
    /// Leave the user's tokens as they are
    #[arg(long)]
    pub keep_tokens: bool,
}
