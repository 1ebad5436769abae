//! From a connection text to a store: what is refused, each with its own words.

use super::scene::{Held, Memory, Node, open, options};
use crate::sqlite::scene::{bearer, by, key, partner, signing, user};
use rescind_store::{
    KeyRing, LoadError, ReadStore, SharedStore, StoreError, WriteStore,
    conformance::postgres::Database,
    postgres::{Durability, OpenError, Options, PostgresStore, Unkept},
};
use std::sync::Arc;

async fn refused(database: &Database) -> OpenError {
    open(database, Arc::new(Memory::default())).await.unwrap_err()
}

#[tokio::test]
async fn schema_of_the_future_is_refused_and_left_alone() {
    let database = Database::create().await;
    Node::of(&database).await.store.create_owner(user("u"), by(0)).await.unwrap();
    let sql = database.client().await;
    sql.batch_execute(
        "INSERT INTO refinery_schema_history VALUES (5, 'future', '2030-01-01T00:00:00Z', '1')",
    )
    .await
    .unwrap();
    let error = refused(&database).await;
    assert!(matches!(error, OpenError::NewerSchema { found: 5, known: 4 }), "{error:?}");
    let kept = sql.query("SELECT version FROM refinery_schema_history", &[]).await.unwrap();
    assert_eq!(kept.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_first_and_at_once_make_one_schema() {
    let database = Arc::new(Database::create().await);
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let database = Arc::clone(&database);
            tokio::spawn(async move { Node::of(&database).await })
        })
        .collect();
    let mut nodes = Vec::new();
    for start in starts {
        nodes.push(start.await.unwrap());
    }
    nodes[0].store.create_owner(user("u"), by(0)).await.unwrap();
    for node in &nodes {
        let found = node.store.user_by_email("u@example.com").await.unwrap();
        assert!(found.is_some());
    }
    let sql = database.client().await;
    let history = sql.query("SELECT * FROM refinery_schema_history", &[]).await.unwrap();
    assert_eq!(history.len(), 4);
}

#[tokio::test]
async fn tables_of_another_program_are_refused_and_left_alone() {
    let database = Database::create().await;
    let sql = database.client().await;
    sql.batch_execute("CREATE TABLE tokens (theirs TEXT)").await.unwrap();
    let error = refused(&database).await;
    assert!(matches!(error, OpenError::Migration(_)), "{error:?}");
    sql.query("SELECT theirs FROM tokens", &[]).await.unwrap();
    let ours = sql.query_one("SELECT to_regclass('owners') IS NULL", &[]).await.unwrap();
    assert!(ours.get::<_, bool>(0), "half of a schema");
}

#[tokio::test]
async fn missing_sealing_key_is_named_and_leaves_memory_empty() {
    let database = Database::create().await;
    let first = Node::of(&database).await;
    first.store.create_owner(partner("p"), by(0)).await.unwrap();
    first.store.create_owner(user("u"), by(0)).await.unwrap();
    first.store.issue(bearer("b", "u"), by(1)).await.unwrap();
    first.store.issue(signing("s", "p"), by(1)).await.unwrap();
    let (memory, other) = (Arc::new(Memory::default()), key(2));
    let key_ring = KeyRing::parse([other.as_str()]).unwrap();
    let options = Options { key_ring, ..options(database.connection(), memory.clone()) };
    let store = PostgresStore::open(options).await.unwrap();
    let used = KeyRing::parse([key(1).as_str()]).unwrap().ids().next().unwrap();
    let error = store.load().await.unwrap_err();
    assert!(matches!(error, LoadError::KeyMissing { key } if key == used), "{error:?}");
    assert_eq!(memory.held(), Held::default());
    assert_eq!(store.applied().unwrap(), None);
}

#[tokio::test]
async fn secret_moved_to_another_token_does_not_open() {
    let database = Database::create().await;
    let node = Node::of(&database).await;
    node.store.create_owner(partner("p"), by(0)).await.unwrap();
    node.store.issue(signing("s", "p"), by(1)).await.unwrap();
    node.store.issue(signing("victim", "p"), by(1)).await.unwrap();
    let sql = database.client().await;
    sql.batch_execute(
        "UPDATE tokens SET sealed_secret = (SELECT sealed_secret FROM tokens WHERE id = 's')
         WHERE id = 'victim'",
    )
    .await
    .unwrap();
    let error = node.store.load().await.unwrap_err();
    assert!(
        matches!(&error, LoadError::Secret { token, .. } if token.as_str() == "victim"),
        "{error:?}"
    );
}

/// One setting of the role or the database is enough to lose what was confirmed.
#[tokio::test]
async fn commits_that_a_crash_can_lose_are_refused_at_the_start_and_later() {
    let database = Database::create().await;
    let node = Node::of(&database).await;
    node.store.create_owner(user("u"), by(0)).await.unwrap();
    let sql = database.client().await;
    let name: String = sql.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    let off = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    sql.batch_execute(&off).await.unwrap();
    let error = refused(&database).await;
    assert!(matches!(error, OpenError::NotDurable(Unkept::CommitOff)), "{error:?}");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sql.query(cut, &[]).await.unwrap();
    let refused = loop {
        match node.store.issue(bearer("b", "u"), by(1)).await {
            Err(rescind_store::IssueError::Store(StoreError::Unavailable(Some(cause)))) => {
                let text = cause.to_string();
                if text.contains("synchronous_commit is off") {
                    break text;
                }
            }
            other => panic!("written by a connection that may lose it: {other:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(refused.contains("a crash loses"), "{refused}");
    let on = format!("ALTER DATABASE {name} SET synchronous_commit = on");
    sql.batch_execute(&on).await.unwrap();
    while node.store.issue(bearer("b", "u"), by(1)).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn declaration_that_the_server_does_not_keep_is_refused() {
    let database = Database::create().await;
    let declared = async |durability| {
        let options = options(database.connection(), Arc::new(Memory::default()));
        PostgresStore::open(Options { durability, ..options }).await
    };
    let error = declared(Durability::Sync).await.unwrap_err();
    assert!(matches!(error, OpenError::NotDurable(Unkept::NoStandbyNames)), "{error:?}");
    let asynchronous = Durability::Async { accept_lost_revocations_on_failover: false };
    let error = declared(asynchronous).await.unwrap_err();
    assert!(matches!(error, OpenError::NotDurable(Unkept::NotAccepted)), "{error:?}");
    let report = declared(Durability::Single).await.unwrap().durability().await.unwrap();
    assert!(report.fsync && report.full_page_writes && !report.in_recovery);
    assert_eq!((report.synchronous_commit.as_str(), report.standbys), ("on", 0));
    assert!(report.server_version >= 140_000);
}

#[tokio::test]
async fn error_does_not_show_the_password() {
    for text in [
        "postgres://rescind:hunter2-secret@127.0.0.1:1/rescind?sslmode=disable",
        "host=127.0.0.1 port=1 user=rescind password=hunter2-secret nonsense=1",
        "password=hunter2-secret host",
    ] {
        let options = options(text.into(), Arc::new(Memory::default()));
        assert!(!format!("{options:?}").contains("hunter2"));
        let error = PostgresStore::open(options).await.unwrap_err();
        let mut shown = format!("{error:?} {error}");
        let mut next = std::error::Error::source(&error);
        while let Some(source) = next {
            shown += &format!(" {source:?} {source}");
            next = source.source();
        }
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
