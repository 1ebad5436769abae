//! Each engine against the suite of all backends, and what only that engine can get wrong.

#![cfg(test)]

mod postgres;
mod sqlite;
mod transfer;

use async_trait::async_trait;
use parking_lot::Mutex;
use rescind_store::{
    Follower, Store, conformance::Backend, conformance_tests, sqlite::SqliteStore,
};
use std::{collections::HashMap, sync::Arc};

/// Stores in one directory, which goes when the backend does.
struct Sqlite {
    directory: tempfile::TempDir,
    opened: Mutex<HashMap<String, Arc<SqliteStore>>>,
}

impl Sqlite {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), opened: Mutex::default() }
    }
}

#[async_trait]
impl Backend for Sqlite {
    async fn open(&self, name: &str, follower: Arc<dyn Follower>) -> Arc<dyn Store> {
        let before = self.opened.lock().remove(name);
        if let Some(before) = before {
            before.close().await.unwrap();
        }
        let path = self.directory.path().join(name).join("rescind.db");
        let store = Arc::new(sqlite::scene::open(&path, follower).unwrap());
        self.opened.lock().insert(name.to_owned(), Arc::clone(&store));
        store
    }
}

conformance_tests!(Sqlite::new());
