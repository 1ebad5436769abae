//! The PostgreSQL engine, on the server that `e2e/postgres/run` starts.

#[cfg(unix)]
mod crash;
mod fetching;
mod members;
mod nodes;
mod opening;
mod outages;
pub(crate) mod scene;
mod server;
mod settling;
mod tls;
mod together;

use async_trait::async_trait;
use parking_lot::Mutex;
use rescind_store::{
    Follower, SharedStore, Store,
    conformance::{Backend, postgres::Database},
    conformance_tests,
    postgres::PostgresStore,
};
use std::{collections::HashMap, sync::Arc};

/// A database for each place, which go when the backend does.
#[derive(Default)]
struct Postgres(Mutex<HashMap<String, Opened>>);

struct Opened {
    database: Arc<Database>,
    store: Arc<PostgresStore>,
}

#[async_trait]
impl Backend for Postgres {
    async fn open(&self, name: &str, follower: Arc<dyn Follower>) -> Arc<dyn Store> {
        let before = self.0.lock().remove(name);
        let database = match before {
            None => Arc::new(Database::create().await),
            Some(Opened { database, store }) => {
                store.close().await.unwrap();
                database
            }
        };
        let store = Arc::new(scene::open(&database, follower).await.unwrap());
        store.load().await.unwrap();
        self.0.lock().insert(name.to_owned(), Opened { database, store: Arc::clone(&store) });
        store
    }
}

conformance_tests!(Postgres::default());
