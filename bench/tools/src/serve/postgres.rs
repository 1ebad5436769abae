//! One SELECT a request: a prepared statement by primary key, over a few connections on each of which
//! queries follow one another without waiting for the answer (tokio-postgres does so by itself).

use super::Key;
use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_postgres::{Client, NoTls, Statement};

const KNOWS: &str = "SELECT owner, scopes FROM tokens
     WHERE digest = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";
const REVOKE: &str =
    "UPDATE tokens SET revoked_at = now() WHERE digest = $1 AND revoked_at IS NULL";

#[derive(Clone)]
pub(super) struct Store(Arc<Pool>);

struct Pool {
    connections: Vec<Connection>,
    turn: AtomicUsize,
}

struct Connection {
    client: Client,
    knows: Statement,
    revoke: Statement,
}

impl Store {
    pub(super) async fn open(address: &str, count: usize) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(Connection::open(address).await?);
        }
        Ok(Self(Arc::new(Pool { connections, turn: AtomicUsize::new(0) })))
    }

    fn connection(&self) -> Result<&Connection> {
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed);
        self.0.connections.get(turn % self.0.connections.len()).context("no connection")
    }

    pub(super) async fn knows(&self, key: Key) -> Result<bool> {
        let Connection { client, knows, .. } = self.connection()?;
        Ok(client.query_opt(knows, &[&key.as_slice()]).await?.is_some())
    }

    pub(super) async fn revoke(&self, key: Key) -> Result<bool> {
        let Connection { client, revoke, .. } = self.connection()?;
        Ok(client.execute(revoke, &[&key.as_slice()]).await? == 1)
    }
}

impl Connection {
    async fn open(address: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
        tokio::spawn(connection);
        let (knows, revoke) = (client.prepare(KNOWS).await?, client.prepare(REVOKE).await?);
        Ok(Self { client, knows, revoke })
    }
}
