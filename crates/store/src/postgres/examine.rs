//! Looking at a database before anybody opens it, or beside those who have: what `rescind doctor
//! cluster` asks.
//!
//! Opening would migrate the schema, and begin to write. Here nothing is changed: there is a
//! question for each thing that can be set up wrongly, and what the answers mean is for others to
//! say. The one word that is said, a notification to itself, leaves no trace.

use super::{
    connection::Connector, durability, durability::DurabilityReport, error::OpenError,
    error::Reason, fault::Fault, members::Members, schema, sessions, tls,
};
use crate::Roll;
use std::{fmt, path::Path, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_postgres::{AsyncMessage, Config};

/// For a notification to come back. In the next room it takes a millisecond.
const NOTIFIED_WITHIN: Duration = Duration::from_secs(2);
/// Of each other question, but the one that connects.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Nobody else listens there.
const CHANNEL: &str = "rescind_doctor";

/// A database that is looked at, and not opened.
pub struct Examiner {
    connector: Connector,
}

/// What a server is, and whether this database is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    pub durability: DurabilityReport,
    pub encoding: String,
    /// `None` until the first node has started.
    pub schema: Option<i32>,
    /// What this version migrates to.
    pub schema_known: i32,
}

impl Examiner {
    /// As [`super::Options`] has them.
    pub fn new(connection: &str, ca_file: Option<&Path>) -> Result<Self, OpenError> {
        let config = connection.parse::<Config>();
        let config = config.map_err(|error| OpenError::Text(Reason::new(error)))?;
        let (config, tls) = tls::of(config, ca_file)?;
        Ok(Self { connector: Connector::new(config, tls) })
    }

    /// Host and database, to be shown.
    pub fn place(&self) -> String {
        self.connector.place()
    }

    /// Whether each connection has a session of its own, without which no node starts, and most
    /// other questions are not answered.
    pub async fn keeps_sessions(&self) -> Result<bool, OpenError> {
        sessions::are_kept(&self.connector).await.map_err(OpenError::unreachable)
    }

    /// On a connection as nodes have it: to the server that takes writes.
    pub async fn server(&self) -> Result<ServerReport, OpenError> {
        let session = self.connector.session().await.map_err(OpenError::unreachable)?;
        let asking = async {
            let durability = durability::report(&session).await?;
            let encoding = session.query_one("SHOW server_encoding", &[]).await?.try_get(0)?;
            let (schema, schema_known) = (schema::newest(&session).await?, schema::known());
            Ok(ServerReport { durability, encoding, schema, schema_known })
        };
        bounded("settings", asking).await
    }

    /// The server's wall clock, in milliseconds since 1970.
    pub async fn clock_millis(&self) -> Result<i64, OpenError> {
        let session = self.connector.session().await.map_err(OpenError::unreachable)?;
        let query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let asking = async { Ok(session.query_one(query, &[]).await?.try_get(0)?) };
        bounded("the clock", asking).await
    }

    /// Every member, and the head of the log. Of a schema that is known.
    pub async fn roll(&self) -> Result<Roll, OpenError> {
        let read = Members::new(&self.connector).all(0).await;
        read.map_err(|error| OpenError::Other(Reason::new(error)))
    }

    /// How long a notification takes from one connection to another; `None` if it does not come.
    /// `word` is one that nobody else says.
    pub async fn notified(&self, word: &str) -> Result<Option<Duration>, OpenError> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let hear = move |message| {
            if let AsyncMessage::Notification(notification) = message {
                let _ = tell.send(notification.payload().to_owned());
            }
        };
        let listening = self.connector.listening(hear).await.map_err(OpenError::unreachable)?;
        let saying = self.connector.session().await.map_err(OpenError::unreachable)?;
        let begun = bounded("a notification", async {
            listening.batch_execute(&format!("LISTEN {CHANNEL}")).await?;
            let begun = Instant::now();
            saying.query("SELECT pg_notify($1, $2)", &[&CHANNEL, &word]).await?;
            Ok(begun)
        });
        let begun = begun.await?;
        let heard = async { while told.recv().await.is_some_and(|heard| heard != word) {} };
        Ok(timeout(NOTIFIED_WITHIN, heard).await.ok().map(|()| begun.elapsed()))
    }
}

async fn bounded<T>(
    what: &'static str,
    asking: impl Future<Output = Result<T, Fault>>,
) -> Result<T, OpenError> {
    let answered = timeout(ANSWER_WITHIN, asking).await;
    answered.unwrap_or(Err(Fault::TimedOut(what))).map_err(OpenError::other)
}

impl fmt::Debug for Examiner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Examiner").field("place", &self.place()).finish()
    }
}
