//! Options that several commands share.

use super::values;
use crate::{failure::Failure, input};
use clap::Args;
use rescind_core::{NetworkSet, ScopeSet};
use zeroize::Zeroizing;

/// What an owner's tokens may do at most.
#[derive(Debug, Args)]
pub(crate) struct Scopes {
    /// The most that its tokens may do, now and later
    #[arg(long, value_name = "A,B", value_parser = values::scopes)]
    pub scopes: Option<ScopeSet>,
    /// Set no such bound
    #[arg(long, conflicts_with = "scopes")]
    pub any_scope: bool,
}

/// From where something may be used.
#[derive(Debug, Args)]
pub(crate) struct Networks {
    /// Only from these networks, as 192.0.2.0/24,2001:db8::/32
    #[arg(long, value_name = "CIDR,…", value_parser = values::networks)]
    pub networks: Option<NetworkSet>,
    /// From any network
    #[arg(long, conflicts_with = "networks")]
    pub any_network: bool,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// At most this many
    #[arg(long, value_name = "N", default_value = "10000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Go on behind this one, as the end of a longer list says
    #[arg(long, value_name = "ID", value_parser = values::cursor)]
    pub after: Option<String>,
}

/// A token that is read from standard input, or asked for.
#[derive(Args)]
pub(crate) struct Presented {
    /// Only `-`: the token comes on standard input, where no other process sees it
    #[arg(value_name = "-", default_value = "-", hide_default_value = true)]
    from: String,
}

impl Presented {
    /// Clap would quote what it refuses, and that is most likely a token.
    pub(crate) fn read(&self) -> Result<Zeroizing<String>, Failure> {
        if self.from == "-" {
            return input::secret("token");
        }
        Err(Failure::usage("a token is not taken from the command line, where others see it")
            .next("pipe it in, with `-` in its place; if it is a real one, revoke it"))
    }
}

/// Without what was typed, for it may be a secret.
impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Presented")
    }
}

/// A creation that can be repeated without making two.
#[derive(Debug, Args)]
pub(crate) struct Creation {
    /// Repeated with the same key, it is done once [default: a new one]
    #[arg(long, value_name = "KEY", value_parser = values::idempotency_key)]
    pub idempotency_key: Option<String>,
}

/// What is not done without being asked.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Confirm {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}
