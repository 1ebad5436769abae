//! From a connection text to a database that may be trusted, or to an error that says what to do.

use super::{
    connection::{Connector, Session},
    doorbell,
    durability::{self, Caution, Durability},
    error::{OpenError, Reason},
    fault::Fault,
    members::Members,
    memory::Memory,
    readers::Readers,
    schema, sessions,
    store::PostgresStore,
    tls, transfer,
    writer::{BackOff, QUEUE_JOBS_MAX, Writer, Written},
};
use crate::{Bell, Follower, KeyRing, Settler};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tokio_postgres::Config;

/// The oldest that is still supported by its makers.
const SERVER_VERSION_MIN: u32 = 14;

/// What to open, and with what.
pub struct Options {
    /// As libpq has it: a URL, or keywords and values. `sslmode` is `disable`, or else the
    /// certificate and the name are verified.
    pub connection: String,
    /// Certificate authorities in PEM; without any, those of the system are believed.
    pub ca_file: Option<PathBuf>,
    pub durability: Durability,
    pub key_ring: KeyRing,
    /// Is told nothing until it is loaded, and then of each change.
    pub follower: Arc<dyn Follower>,
    /// Is asked after each commit that takes power away.
    pub settler: Arc<dyn Settler>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("durability", &self.durability).finish_non_exhaustive()
    }
}

pub(super) async fn open(options: Options) -> Result<PostgresStore, OpenError> {
    let connector =
        prepared(&options.connection, options.ca_file.as_deref(), options.durability).await?;
    transfer::refuse_if_moved(&connector).await?;
    let session = connector.session().await.map_err(OpenError::unreachable)?;
    let memory = Arc::new(Memory::new(options.follower));
    let written = Arc::new(Written::default());
    let writer = Writer {
        connector: connector.clone(),
        declared: options.durability,
        keys: options.key_ring.clone(),
        memory: Arc::clone(&memory),
        settler: Arc::clone(&options.settler),
        written: Arc::clone(&written),
        session: Some(Arc::new(session)),
        back_off: BackOff::default(),
    };
    let (queue, jobs) = mpsc::channel(QUEUE_JOBS_MAX);
    tokio::spawn(writer.run_until_panic(jobs));
    let bell = Arc::new(Bell::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(doorbell::listen(connector.clone(), Arc::clone(&bell)));
    let readers = Readers::new(connector.clone());
    Ok(PostgresStore {
        queue,
        readers: readers.map_err(|error| OpenError::other(Fault::Away(error.to_string())))?,
        members: Members::new(&connector),
        loading: Mutex::new(()),
        connector,
        keys: options.key_ring,
        memory,
        settler: options.settler,
        written,
        bell,
        _tasks: tasks,
    })
}

/// The way to a database that keeps what was declared, with the newest schema.
pub(super) async fn prepared(
    connection: &str,
    ca_file: Option<&Path>,
    durability: Durability,
) -> Result<Connector, OpenError> {
    let config = connection.parse::<Config>();
    let config = config.map_err(|error| OpenError::Text(Reason::new(error)))?;
    let (config, tls) = tls::of(config, ca_file)?;
    let connector = Connector::new(config, tls);
    if !sessions::are_kept(&connector).await.map_err(OpenError::unreachable)? {
        return Err(OpenError::SharedSessions);
    }
    let session = connector.session().await.map_err(OpenError::unreachable)?;
    check(&session, durability).await?;
    schema::migrate(session).await?;
    Ok(connector)
}

async fn check(session: &Session, declared: Durability) -> Result<(), OpenError> {
    let report = durability::report(session).await.map_err(OpenError::other)?;
    let found = report.server_version / 10_000;
    if found < SERVER_VERSION_MIN {
        return Err(OpenError::OldServer { found, wanted: SERVER_VERSION_MIN });
    }
    let row = session.query_one("SHOW server_encoding", &[]).await.map_err(OpenError::other)?;
    let encoding: String = row.try_get(0).map_err(OpenError::other)?;
    if encoding != "UTF8" {
        return Err(OpenError::Encoding { found: encoding });
    }
    for caution in report.check(declared)? {
        let text = match caution {
            Caution::StandbyOfASingle => {
                "declared as a single server, but others stream from it; a failover to one of \
                 them may bring back what was revoked"
            }
            Caution::NoStandbyNow => "commits wait for a standby, and none is there",
            Caution::MayLoseRevocations => "a failover may bring back what was revoked",
        };
        tracing::warn!(caution = text, "durability of PostgreSQL");
    }
    Ok(())
}
