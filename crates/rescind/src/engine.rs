//! Where records are kept, and who verifies from them: the embedded SQLite and its only node, or
//! PostgreSQL and one node of several. Nothing else in the house knows which it is.

use crate::failure::Failure;
use crate::server::chain;
use rescind_guard::Guard;
use rescind_node::Verifier;
use rescind_node::cluster::{Cluster, Identity, Listen, Rules, Shared, Timing, settlements};
use rescind_server::admin::StorePlace;
use rescind_server::config::{self, Config};
use rescind_store::postgres::{self, PostgresStore};
use rescind_store::sqlite::{self, SqliteStore};
use rescind_store::{Follower, KeyRing, Settler, SharedStore, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a start waits for its first lease: for the whole set to be loaded, above all.
const FIRST_LEASE_WITHIN: Duration = Duration::from_mins(10);

pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) place: StorePlace,
    life: Life,
}

enum Life {
    Alone(Arc<SqliteStore>),
    AmongOthers(Arc<PostgresStore>, Arc<Cluster>),
}

impl Engine {
    /// Opens the store that the configuration names. When this returns, the guard is open.
    pub(crate) async fn open(
        config: &Config,
        key_ring: KeyRing,
        (guard, rules): (Arc<Guard>, Rules),
        credentials: Option<&Path>,
    ) -> Result<Self, Failure> {
        match &config.postgres.connection_file {
            None => Self::alone(config, key_ring, guard).await,
            Some(file) => {
                let setup = |error| Failure::unreachable(chain(&error));
                let connection = file.read(credentials).map_err(setup)?;
                Self::among_others(config, connection.as_str(), key_ring, (guard, rules)).await
            }
        }
    }

    async fn alone(config: &Config, key_ring: KeyRing, guard: Arc<Guard>) -> Result<Self, Failure> {
        let follower = Arc::clone(&guard) as Arc<dyn Follower>;
        let options = sqlite::Options { path: config.store.database(), key_ring, follower };
        let opened = tokio::task::spawn_blocking(move || SqliteStore::open(options)).await;
        let store = match opened {
            Ok(opened) => Arc::new(opened.map_err(|error| embedded_failure(&error))?),
            Err(_) => return Err(Failure::unreachable("opening the store ended abnormally")),
        };
        guard.open_for_good();
        let path = config.store.path.display().to_string();
        Ok(Self {
            store: Arc::clone(&store) as Arc<dyn Store>,
            verifier: Arc::new(Verifier::alone(guard)),
            cluster: None,
            place: StorePlace { kind: "sqlite", path },
            life: Life::Alone(store),
        })
    }

    async fn among_others(
        config: &Config,
        connection: &str,
        key_ring: KeyRing,
        (guard, rules): (Arc<Guard>, Rules),
    ) -> Result<Self, Failure> {
        let identity = identity(&config.cluster, rules)?;
        let (settler, unsettled) = settlements();
        let options = options(config, connection, key_ring, Arc::clone(&guard), settler);
        let opened = PostgresStore::open(options).await;
        let store = Arc::new(opened.map_err(|error| shared_failure(&error))?);
        let shared = Arc::clone(&store) as Arc<dyn SharedStore>;
        let started = Cluster::start(&identity, Arc::clone(&guard), Arc::clone(&shared), unsettled);
        let cluster = Arc::new(started.map_err(|error| Failure::unreachable(chain(&error)))?);
        let path = store.place();
        tracing::info!(node = identity.node, store = path, "waiting for the first lease");
        cluster.opened(FIRST_LEASE_WITHIN).await.map_err(no_lease)?;
        let verifier = Verifier::among_others(guard, Arc::new(Shared(shared)));
        Ok(Self {
            store: Arc::clone(&store) as Arc<dyn Store>,
            verifier: Arc::new(verifier.proving(cluster.proofs())),
            cluster: Some(Arc::clone(&cluster)),
            place: StorePlace { kind: "postgresql", path },
            life: Life::AmongOthers(store, cluster),
        })
    }

    /// Returns why, if this process can no longer go on.
    pub(crate) async fn failed(&self) -> String {
        match &self.life {
            Life::Alone(store) => store.failed().await,
            Life::AmongOthers(store, _) => store.failed().await,
        }
    }

    /// Writes everything down, seals, and leaves the others.
    ///
    /// A connection on which a request may have begun outlives the listeners. So alone, too, it seals
    /// before it gives the file back: whoever opens that next waits for nobody.
    pub(crate) async fn close(self) {
        let closed = match self.life {
            Life::Alone(store) => {
                self.verifier.guard().close();
                store.close().await
            }
            Life::AmongOthers(store, cluster) => {
                let closed = store.close().await;
                cluster.leave().await;
                closed
            }
        };
        if let Err(error) = closed {
            tracing::warn!(%error, "the store was not closed cleanly; nothing that was answered is lost");
        }
    }
}

fn options(
    config: &Config,
    connection: &str,
    key_ring: KeyRing,
    guard: Arc<Guard>,
    settler: Arc<dyn Settler>,
) -> postgres::Options {
    postgres::Options {
        connection: connection.to_owned(),
        ca_file: config.postgres.ca_file.clone(),
        durability: declared(&config.postgres),
        key_ring,
        follower: guard,
        settler,
    }
}

/// What the operator says that the database keeps.
pub(crate) fn declared(said: &config::Postgres) -> postgres::Durability {
    let accept_lost_revocations_on_failover = said.accept_lost_revocations_on_failover;
    match said.durability {
        config::Durability::Single => postgres::Durability::Single,
        config::Durability::Sync => postgres::Durability::Sync,
        config::Durability::Async => {
            postgres::Durability::Async { accept_lost_revocations_on_failover }
        }
    }
}

fn identity(cluster: &config::Cluster, rules: Rules) -> Result<Identity, Failure> {
    let node = cluster.node.clone().unwrap_or_else(host_name);
    let timing = Timing::new(cluster.lease);
    let timing = timing.map_err(|error| Failure::usage(format!("cluster.lease: {error}")))?;
    let advertise = cluster.advertise.clone();
    let listen = cluster.listen.map(|address| Listen { address, advertise });
    let reads_through = cluster.verify == config::Verification::ReadThrough;
    Ok(Identity { node, incarnation: rand::random(), timing, listen, reads_through, rules })
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn no_lease(why: String) -> Failure {
    Failure::unreachable(format!("this node could not begin to verify: {why}"))
        .next("see whether the database is well, and whether this node may write to it")
}

pub(crate) fn shared_failure(error: &postgres::OpenError) -> Failure {
    let failure = Failure::unreachable(chain(error));
    match error {
        postgres::OpenError::Moved { .. } => failure.next(GO_WHERE_IT_WENT),
        postgres::OpenError::Unfinished => failure.next(FINISH_THE_MOVE),
        postgres::OpenError::SharedSessions => failure.next(GO_TO_THE_SERVER),
        postgres::OpenError::BeingMoved => failure.next("let that one end"),
        _ => failure
            .next("see whether the database is there, and what postgres.connection_file says"),
    }
}

pub(crate) const GO_TO_THE_SERVER: &str = "have postgres.connection_file lead to the server itself";
const GO_WHERE_IT_WENT: &str = "serve what it was moved to; if that is lost, \
     `rescind migrate-store --reopen` says what it would mean to go on with this one";
const FINISH_THE_MOVE: &str = "repeat the `rescind migrate-store` that did not end";

pub(crate) fn embedded_failure(error: &sqlite::OpenError) -> Failure {
    let failure = Failure::unreachable(chain(error));
    match error {
        sqlite::OpenError::Locked { .. } => {
            failure.next("stop the other server, or give this one a directory of its own")
        }
        sqlite::OpenError::Foreign { .. } => {
            failure.next("give this server a directory of its own")
        }
        sqlite::OpenError::DiskFull { .. } => {
            failure.next("free some space; everything that was answered is kept")
        }
        sqlite::OpenError::Permission { .. } => {
            failure.next("give it to that user (chown), or choose another directory")
        }
        sqlite::OpenError::Missing { .. } => failure.next("name its directory in store.path"),
        sqlite::OpenError::Moved { .. } => failure.next(GO_WHERE_IT_WENT),
        sqlite::OpenError::Unfinished { .. } => failure.next(FINISH_THE_MOVE),
        // Nothing but a backup helps, and that is said. Whether to begin anew is for `dev` to say,
        // and for no other fault: nobody is to be advised to delete what is well.
        sqlite::OpenError::NotADatabase { .. }
        | sqlite::OpenError::Corrupt { .. }
        | sqlite::OpenError::KeyMissing { .. }
        | sqlite::OpenError::Secret { .. } => failure,
        _ => failure.next("see whether another program has it open, and whether the disk is well"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_guard::clock::SystemClock;
    use rescind_server::config::{Sources, load};

    #[tokio::test]
    async fn node_that_was_alone_says_nothing_any_more_once_it_is_closed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().display().to_string();
        let said = [("store.path", &*path), ("limitless.enabled", "false")];
        let overrides = said.map(|(key, value)| (key.into(), value.into())).to_vec();
        let config = load(&Sources { overrides, ..Sources::default() }).unwrap();
        let key = KeyRing::generate_text(&mut rand::rng());
        let key_ring = KeyRing::parse([key.as_str()]).unwrap();
        let guard = Arc::new(Guard::new(Arc::new(SystemClock), Vec::new()));
        let shared = (Arc::clone(&guard), Rules::ALL);
        let engine = Engine::open(&config, key_ring, shared, None).await.unwrap();
        assert!(guard.is_open());
        engine.close().await;
        assert!(!guard.is_open());
    }
}
