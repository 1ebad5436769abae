//! The SQLite engine against the suite of all backends, and what only SQLite can get wrong.

#![cfg(test)]

mod sqlite;

use async_trait::async_trait;
use rescind_store::{Follower, Store, conformance::Backend, conformance_tests};
use std::sync::Arc;

/// Stores in one directory, which goes when the backend does.
struct Sqlite(tempfile::TempDir);

#[async_trait]
impl Backend for Sqlite {
    async fn open(&self, follower: Arc<dyn Follower>) -> Arc<dyn Store> {
        let directory = tempfile::tempdir_in(self.0.path()).unwrap().keep();
        Arc::new(sqlite::scene::open(&directory.join("rescind.db"), follower).unwrap())
    }
}

conformance_tests!(Sqlite(tempfile::tempdir().unwrap()));
