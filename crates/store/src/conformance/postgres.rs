//! Databases to test with, on the server that `e2e/postgres/run` has started.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};
use tokio_postgres::{Client, Config, NoTls};

/// Where the connection text stands.
pub const VARIABLE: &str = "RESCIND_TEST_POSTGRES";

/// An empty database, which is dropped with this, whoever still uses it.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: run the tests by `e2e/postgres/run cargo nextest run …`")
        });
        Self::create_on(server).await
    }

    /// On a server of this connection text.
    pub async fn create_on(server: String) -> Self {
        static CREATED: AtomicU64 = AtomicU64::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let name = format!("rescind_{}_{number}", std::process::id());
        let admin = connect(&server).await;
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
        Self { server, name }
    }

    /// For the options of a store.
    pub fn connection(&self) -> String {
        format!("{} dbname={}", self.server, self.name)
    }

    /// With the powers of a superuser, and besides any store.
    pub async fn client(&self) -> Client {
        connect(&self.connection()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let config: Config = server.parse().unwrap();
                // A server that is gone has no databases.
                let Ok((client, connection)) = config.connect(NoTls).await else { return };
                tokio::spawn(connection);
                let _ = client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
            });
        });
        let _ = dropped.join();
    }
}

async fn connect(text: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(text, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
