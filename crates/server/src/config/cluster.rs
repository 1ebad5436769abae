//! Several nodes over one PostgreSQL: where it is, how durable it is, and how long a lease lasts.

use super::{Faults, SecretPath, duration};
use rescind_core::ID_BYTES_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Leases that are too short lapse at every hiccup, and those that are too long make the worst
/// revocation wait.
const LEASE_MIN: Duration = Duration::from_secs(1);
const LEASE_MAX: Duration = Duration::from_mins(5);
/// The longest name of a host (RFC 1035).
const HOST_BYTES_MAX: usize = 253;
/// A probe writes, as a login does: more often it would be load, and less often no watch.
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_hours(1);
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    #[default]
    Lease,
    ReadThrough,
}

/// This node among several on one PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Name of this node, unique among all; without it, the name of the host.
    pub node: Option<String>,
    /// Address and port at which other nodes find this one, as `10.0.0.7:8083`. They prove to each
    /// other who they are; still, only nodes need to reach it. Without it, nodes hear of one another
    /// through PostgreSQL alone, and a revocation takes longer. Port 0 picks a free one.
    pub listen: Option<SocketAddr>,
    /// Host and port that others are told, if they cannot reach this node at `cluster.listen`
    /// itself; needed if that is `0.0.0.0` or `[::]`.
    pub advertise: Option<String>,
    /// How long this node may verify without hearing from the database, and so the longest that a
    /// revocation waits for a node that has gone silent. From 1s to 5m.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub lease: Duration,
    /// By what this node verifies. `lease`: from memory, for as long as its lease lasts. `read-through`:
    /// each verification waits until memory has read all that was written before it was asked, so
    /// that nothing rests on this host's clock; for hosts that are frozen or moved while they run. It
    /// costs a commit each time, shared by all that ask at the same time, and nothing is verified
    /// while the database is away.
    pub verify: Verification,
    /// How often this node tries by itself what it is for: it issues a token, accepts it, revokes it
    /// and refuses it, and shows among the metrics how long that took. Each time a revoked token and
    /// its entries in the audit trail stay behind. `0s` is never; else from 1s to 1h.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub probe: Duration,
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
        Self {
            node: None,
            listen: None,
            advertise: None,
            lease: Duration::from_secs(15),
            verify: Verification::Lease,
            probe: Duration::ZERO,
        }
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
    /// `shared`: records are kept in PostgreSQL.
    pub(super) fn validate(&self, shared: bool, faults: &mut Faults) {
        if self.verify == Verification::ReadThrough {
            if !shared {
                let message = "`read-through` goes with `postgres.connection_file` only";
                faults.add("cluster.verify", message);
            }
            if self.listen.is_some() {
                let message = "goes with `cluster.verify = \"lease\"` only: nobody dials a node that \
                               holds no lease";
                faults.add("cluster.listen", message);
            }
        }
        if !(LEASE_MIN..=LEASE_MAX).contains(&self.lease) {
            faults.add("cluster.lease", "must be from 1s to 5m");
        }
        let anywhere = self.listen.is_some_and(|address| address.ip().is_unspecified());
        match &self.advertise {
            None if anywhere => {
                faults.add("cluster.advertise", "must say where other nodes find this one");
            }
            Some(_) if self.listen.is_none() => {
                faults.add("cluster.advertise", "goes with `cluster.listen` only");
            }
            Some(place) if !is_place(place) => {
                faults.add("cluster.advertise", "must be host and port, as `node-1.internal:8083`");
            }
            _ => {}
        }
        if !self.probe.is_zero() && !(PROBE_MIN..=PROBE_MAX).contains(&self.probe) {
            faults.add("cluster.probe", "must be 0s, or from 1s to 1h");
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

/// A host (RFC 1123, or an address of either family) and a port.
fn is_place(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let named = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_host(host),
    };
    named && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn is_host(text: &str) -> bool {
    let clean = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(clean)
}
