//! `rescind dev` and `rescind serve`: what runs until it is told to stop.

use super::values;
use clap::{Args, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf};

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
    /// Address for Envoy's gRPC
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8083")]
    pub grpc_listen: SocketAddr,
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
    #[arg(long, value_name = "KEY=VALUE", value_parser = values::setting)]
    pub set: Vec<(String, String)>,
}
