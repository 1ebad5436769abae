//! Connections: how each one is made, what is set on it, and how a commit on it is judged.
//!
//! A time-out never sends a cancel request. PostgreSQL would obey it while it waits for the standby,
//! and then report success with a mere warning, for a commit that a failover may forget. What takes
//! too long loses its connection instead, and with it any claim to know the outcome.

use super::{fault::Fault, servers::Servers, tls::Tls, tx::Parameter};
use deadpool_postgres::ClientWrapper;
use futures_util::{StreamExt, future::try_join_all, stream};
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, NoTls, Row,
    config::{Host, TargetSessionAttrs},
    error::Severity,
};

/// For one host to take a connection. An answer from the other end of the world takes half a second.
const HOST_TIMEOUT: Duration = Duration::from_secs(2);
/// From the first packet to a session that is set up, with two dead hosts before the living one.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(7);
/// A statement of a transaction: the slowest revokes all of an owner's tokens, or is queued behind
/// one that does.
const STATEMENT_TIMEOUT_MILLIS: u32 = 10_000;
/// For the right to write: as many batches of other nodes may be before this one.
const LOCK_TIMEOUT_MILLIS: u32 = 5_000;
/// Of a session whose node has gone away between two statements, with the right to write.
const IDLE_IN_TRANSACTION_TIMEOUT_MILLIS: u32 = 5_000;
/// A peer that answers no packet for this long is gone; the kernel's own default is fifteen minutes.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence after which the kernel asks whether the peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);

/// Makes connections to the database: always to a server that takes writes.
#[derive(Clone)]
pub(super) struct Connector {
    servers: Servers,
    tls: Option<Tls>,
}

/// A connection of its own, to be dropped when anything about it is doubtful.
pub(super) struct Session {
    sql: ClientWrapper,
    warnings: Arc<AtomicU64>,
}

impl Connector {
    pub(super) fn new(mut config: Config, tls: Option<Tls>) -> Self {
        if config.get_application_name().is_none() {
            config.application_name("rescind");
        }
        // A replica tells of the past.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(HOST_TIMEOUT);
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.tcp_user_timeout(TCP_TIMEOUT);
        Self { servers: Servers::of(&config), tls }
    }

    /// Without anything that is a secret, or could be.
    pub(super) fn place(&self) -> String {
        let first = self.servers.first();
        let host = match first.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        format!("{host}/{}", first.get_dbname().unwrap_or_default())
    }

    pub(super) async fn session(&self) -> Result<Session, Fault> {
        let warnings = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&warnings);
        let sql = self.listening(move |message| count(&message, &counted)).await?;
        Ok(Session { sql, warnings })
    }

    /// A connection that hands on what the server says by itself.
    pub(super) async fn listening(
        &self,
        hear: impl Fn(AsyncMessage) + Send + Sync + 'static,
    ) -> Result<ClientWrapper, Fault> {
        let (client, task) = self.connect(hear).await?;
        Ok(ClientWrapper::new(client, task))
    }

    /// For the pool, which makes its own of it.
    pub(super) async fn pooled(&self) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let ignored = Arc::new(AtomicU64::new(0));
        self.open(move |message| count(&message, &ignored)).await
    }

    async fn connect(
        &self,
        hear: impl Fn(AsyncMessage) + Send + Sync + 'static,
    ) -> Result<(Client, JoinHandle<()>), Fault> {
        let opened = timeout(CONNECT_TIMEOUT, self.open(hear)).await;
        Ok(opened.map_err(|_| Fault::TimedOut("connecting"))??)
    }

    /// To the first server that takes writes. Only the last that is tried may take as long as the
    /// whole.
    async fn open(
        &self,
        hear: impl Fn(AsyncMessage) + Send + Sync + 'static,
    ) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let (hear, (before, last)) = (Arc::new(hear), self.servers.in_order());
        for (number, config) in before {
            let opened = timeout(HOST_TIMEOUT, self.open_one(config, Arc::clone(&hear))).await;
            if let Ok(Ok(opened)) = opened {
                self.servers.was_found(number);
                return Ok(opened);
            }
        }
        let (number, config) = last;
        let opened = self.open_one(config, hear).await?;
        self.servers.was_found(number);
        Ok(opened)
    }

    async fn open_one(
        &self,
        config: &Config,
        hear: Arc<impl Fn(AsyncMessage) + Send + Sync + 'static>,
    ) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let hear = move |message| hear(message);
        let (client, task) = match &self.tls {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                (client, tokio::spawn(drive(connection, hear)))
            }
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await?;
                (client, tokio::spawn(drive(connection, hear)))
            }
        };
        client.batch_execute(&settings()).await?;
        Ok((client, task))
    }
}

/// Warnings are asked for by name: a role may have been told to leave them out, and one of them says
/// that a commit is not what it seems. Every statement here is short, and compiling one takes
/// milliseconds, which PostgreSQL spends if it believes a table of three rows to have thousands.
fn settings() -> String {
    format!(
        "SET client_min_messages = warning;
         SET default_transaction_isolation = 'read committed';
         SET jit = off;
         SET statement_timeout = {STATEMENT_TIMEOUT_MILLIS};
         SET lock_timeout = {LOCK_TIMEOUT_MILLIS};
         SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_TIMEOUT_MILLIS}"
    )
}

async fn drive<S, T>(mut connection: Connection<S, T>, hear: impl Fn(AsyncMessage))
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
    while let Some(message) = messages.next().await {
        match message {
            Ok(message) => hear(message),
            Err(error) => {
                let error = crate::outage::chain(&error);
                tracing::info!(%error, "a connection to PostgreSQL has ended");
                return;
            }
        }
    }
}

fn count(message: &AsyncMessage, warnings: &AtomicU64) {
    let AsyncMessage::Notice(notice) = message else { return };
    if notice.parsed_severity() != Some(Severity::Notice) {
        tracing::warn!(message = notice.message(), "PostgreSQL warns");
        warnings.fetch_add(1, Ordering::AcqRel);
    }
}

impl Session {
    pub(super) fn into_inner(self) -> ClientWrapper {
        self.sql
    }

    /// After this, statements that are begun together are sent in the order in which they are begun:
    /// none of them has to be prepared first.
    pub(super) async fn ready<const N: usize>(&self, statements: [&str; N]) -> Result<(), Fault> {
        let prepared = statements.map(|statement| self.sql.prepare_cached(statement));
        try_join_all(prepared).await?;
        Ok(())
    }

    pub(super) async fn rows(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let statement = self.sql.prepare_cached(query).await?;
        Ok(self.sql.query(&statement, parameters).await?)
    }

    /// Commits what was begun. Any error leaves the outcome unknown: the session must be dropped.
    ///
    /// So does any warning that comes meanwhile. One of them says that the wait for the standby was
    /// cut short: what the server then reports as committed, a failover may forget.
    pub(super) async fn commit(&self, patience: Duration) -> Result<(), Fault> {
        let before = self.warnings.load(Ordering::Acquire);
        timeout(patience, self.sql.batch_execute("COMMIT"))
            .await
            .map_err(|_| Fault::TimedOut("a commit"))??;
        // The task that reads the connection counts a warning before it hands on the answer.
        match self.warnings.load(Ordering::Acquire) == before {
            true => Ok(()),
            false => Err(Fault::Warned),
        }
    }
}

impl Deref for Session {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.sql
    }
}
