//! Several nodes over one PostgreSQL: where it is, how durable it is, and how long a lease lasts.

use super::{Faults, SecretPath, duration};
use rescind_core::ID_BYTES_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Leases that are too short lapse at every hiccup, and those that are too long make the worst
/// revocation wait.
const LEASE_MIN: Duration = Duration::from_secs(1);
const LEASE_MAX: Duration = Duration::from_mins(5);
/// Most connections of one node that only read.
const READ_CONNECTIONS_MAX: u32 = 100;

/// PostgreSQL in the place of the embedded database, for one node or for several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Postgres {
    /// File with the connection text (`postgresql://user:password@host/database?sslmode=require`,
    /// or keywords and values). If it is set, records are kept there, and `store.path` is not used.
    pub connection_file: Option<SecretPath>,
    /// File with the certificates (PEM) that the database's must be signed by; without it, those
    /// that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// What the server is set up to keep, which is checked: `single` (one server that syncs to its
    /// disk), `sync` (besides, a synchronous standby, and failover to it), `async` (failover may
    /// forget what was answered).
    pub durability: Durability,
    /// Says that revocations may come back after a failover. Needed for `async`, and for nothing
    /// else.
    pub accept_lost_revocations_on_failover: bool,
    /// Connections that only read.
    pub read_connections: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    #[default]
    Single,
    Sync,
    Async,
}

/// This node among several on one PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Name of this node, unique among all; without it, the name of the host.
    pub node: Option<String>,
    /// How long this node may verify without hearing from the database, and so the longest that a
    /// revocation waits for a node that has gone silent. From 1s to 5m.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub lease: Duration,
}

impl Default for Postgres {
    fn default() -> Self {
        Self {
            connection_file: None,
            ca_file: None,
            durability: Durability::Single,
            accept_lost_revocations_on_failover: false,
            read_connections: 8,
        }
    }
}

impl Default for Cluster {
    /// Rides out a restart of PostgreSQL.
    fn default() -> Self {
        Self { node: None, lease: Duration::from_secs(15) }
    }
}

impl Postgres {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if let Some(path) = &self.connection_file {
            path.check(faults, "postgres.connection_file");
        }
        if !(1..=READ_CONNECTIONS_MAX).contains(&self.read_connections) {
            faults.add(
                "postgres.read_connections",
                format!("must be from 1 to {READ_CONNECTIONS_MAX}"),
            );
        }
        let accepted = self.accept_lost_revocations_on_failover;
        if accepted != (self.durability == Durability::Async) {
            let message = if accepted {
                "goes with `postgres.durability = \"async\"` only"
            } else {
                "must be true with `postgres.durability = \"async\"`: a failover may bring revoked \
                 tokens back to life"
            };
            faults.add("postgres.accept_lost_revocations_on_failover", message);
        }
    }
}

impl Cluster {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            faults.add("cluster.lease", "must be from 1s to 5m");
        }
        if self.node.as_deref().is_some_and(|name| !is_name(name)) {
            faults.add(
                "cluster.node",
                format!(
                    "must be 1 to {ID_BYTES_MAX} letters, digits, dots, hyphens or underscores"
                ),
            );
        }
    }
}

fn is_name(text: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(clean)
}
