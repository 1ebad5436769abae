//! What is not moved, and who is kept out meanwhile and afterwards.

use super::scene::{Places, dump, moved, serve_postgres, serve_sqlite, to_postgres, to_sqlite};
use crate::{
    postgres::scene as shared,
    sqlite::scene::{Heard, bearer, by, open, revocation, user},
};
use rescind_store::{
    Member, Position, SharedStore, WriteStore,
    postgres::{self, Durability, PostgresEnd},
    sqlite::{OpenError, SqliteEnd},
    transfer::{End, TransferError, reopen},
};
use rusqlite::Connection;
use std::{path::Path, sync::Arc};

fn member(node: &str) -> Member {
    Member {
        node: node.into(),
        incarnation: 7,
        lease_ms: 1_000,
        applied: 0,
        renewals: 0,
        contact: None,
    }
}

fn serving(path: &Path) -> OpenError {
    open(path, Arc::new(Heard::default())).unwrap_err()
}

/// Whatever is revoked from now on is revoked elsewhere.
#[tokio::test]
async fn store_that_was_moved_is_served_only_by_whoever_says_so() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let rows = dump(&path);
    let mut end = places.end().await;
    to_postgres(&path, &mut end).await.unwrap();
    let error = serving(&path);
    assert!(matches!(&error, OpenError::Moved { to, .. } if to.starts_with("postgresql ")));
    // A version that knows nothing of moves finds no epoch, and is refused by the schema before.
    let sql = Connection::open(&path).unwrap();
    let epoch = sql.query_row("SELECT n FROM epoch", [], |row| row.get::<_, u64>(0));
    assert!(epoch.is_err());
    drop(sql);
    let mut source = SqliteEnd::source(&path).unwrap();
    reopen(&mut source).await.unwrap();
    let again = reopen(&mut source).await.unwrap_err();
    assert!(matches!(again, TransferError::NotMoved { .. }), "{again:?}");
    drop(source);
    drop(serve_sqlite(&path).await);
    assert_eq!(dump(&path), rows);

    to_sqlite(&mut end, &places.path("second")).await.unwrap();
    let error = shared::open(&places.database, Arc::new(Heard::default())).await.unwrap_err();
    assert!(matches!(&error, postgres::OpenError::Moved { to, .. } if to.starts_with("sqlite ")));
    reopen(&mut end).await.unwrap();
    drop(serve_postgres(&places.database).await);
}

#[tokio::test]
async fn destination_that_holds_anything_is_refused_and_left_alone() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let other = places.path("other");
    let store = open(&other, Arc::new(Heard::default())).unwrap();
    store.create_owner(user("theirs"), by(0)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let (before, mut end) = (dump(&other), places.end().await);
    to_postgres(&path, &mut end).await.unwrap();
    let error = to_sqlite(&mut end, &other).await.unwrap_err();
    assert!(matches!(error, TransferError::NotEmpty { table: "owners", .. }), "{error:?}");
    assert_eq!(dump(&other), before);
    // The first one holds what was moved.
    drop(end);
    let mut end = places.end().await;
    let error = to_sqlite(&mut end, &path).await.unwrap_err();
    assert!(matches!(error, TransferError::Moved { .. }), "{error:?}");
    let mut theirs = SqliteEnd::source(&other).unwrap();
    let error = moved(&mut theirs, &mut end, true).await.unwrap_err();
    assert!(matches!(error, TransferError::NotEmpty { .. }), "{error:?}");
    drop(serve_postgres(&places.database).await);
}

#[tokio::test]
async fn database_with_a_node_on_it_is_no_destination() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let (node, _) = serve_postgres(&places.database).await;
    node.register(&member("n"), None).await.unwrap();
    let error = to_postgres(&path, &mut places.end().await).await.unwrap_err();
    assert!(matches!(error, TransferError::NotEmpty { table: "members", .. }), "{error:?}");
    node.create_owner(user("u"), by(0)).await.unwrap();
    drop(serve_sqlite(&path).await);
}

#[tokio::test]
async fn source_that_is_served_is_refused() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let (store, _) = serve_sqlite(&path).await;
    let error = SqliteEnd::source(&path).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
    store.close().await.unwrap();
    drop(store);
    to_postgres(&path, &mut places.end().await).await.unwrap();

    let (node, _) = serve_postgres(&places.database).await;
    node.register(&member("n"), None).await.unwrap();
    let end = places.end().await;
    let seen = end.members().await.unwrap();
    assert_eq!(seen, [member("n")]);
    node.renew("n", 7, Position::default(), 1_000).await.unwrap();
    let error = end.hold(&seen).await.unwrap_err();
    assert!(matches!(&error, TransferError::Served { node, .. } if node == "n"), "{error:?}");
    // It was not held up by that.
    node.renew("n", 7, Position::default(), 1_000).await.unwrap();
    node.issue(bearer("b", "u"), by(30)).await.unwrap();
}

/// One that stood still for longer than its lease, and was not waited for any more.
#[tokio::test]
async fn node_that_sleeps_through_the_move_gets_no_lease_and_writes_nothing() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    to_postgres(&path, &mut places.end().await).await.unwrap();
    let (node, _) = serve_postgres(&places.database).await;
    node.register(&member("n"), None).await.unwrap();
    let applied = node.applied().unwrap().unwrap();
    node.read_log(applied).await.unwrap();
    let mut end = places.end().await;
    let silent = end.members().await.unwrap();
    end.hold(&silent).await.unwrap();
    let (renewed, issued) =
        tokio::join!(node.renew("n", 7, applied, 1_000), node.issue(bearer("b", "u"), by(30)));
    assert!(renewed.is_err() && issued.is_err(), "{renewed:?} {issued:?}");
    let mut destination = SqliteEnd::destination(&places.path("second")).unwrap();
    moved(&mut end, &mut destination, false).await.unwrap();
    // Its row is renewed; what its lease would rest on is gone.
    let _ = node.renew("n", 7, applied, 1_000).await;
    assert!(node.read_log(applied).await.is_err());
    assert!(node.load().await.is_err());
    assert!(node.issue(bearer("b", "u"), by(30)).await.is_err());
    assert!(node.revoke(revocation("whole"), by(30)).await.is_err());
}

#[tokio::test]
async fn one_process_moves_a_database_at_a_time() {
    let places = Places::new().await;
    let _first = places.end().await;
    let connection = places.database.connection();
    let second = PostgresEnd::open(&connection, None, Durability::Single).await;
    assert!(matches!(second, Err(postgres::OpenError::BeingMoved)), "{second:?}");
}

#[tokio::test]
async fn trail_that_was_tampered_with_is_not_passed_off_as_whole() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let sql = Connection::open(&path).unwrap();
    sql.execute("UPDATE audit SET detail = '{}' WHERE seq = 3", []).unwrap();
    drop(sql);
    let error = to_postgres(&path, &mut places.end().await).await.unwrap_err();
    assert!(matches!(error, TransferError::Chain(_)), "{error:?}");
    drop(serve_sqlite(&path).await);
    let error = shared::open(&places.database, Arc::new(Heard::default())).await.unwrap_err();
    assert!(matches!(error, postgres::OpenError::Unfinished), "{error:?}");
}

/// Even where nothing that is counted tells.
#[tokio::test]
async fn copy_that_differs_in_one_column_is_found() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let mut end = places.end().await;
    let mut source = SqliteEnd::source(&path).unwrap();
    let origin = source.origin().await.unwrap();
    end.begin(&origin).await.unwrap();
    let table = &rescind_store::transfer::TABLES[0];
    let rows = source.read(table, None, 1_000).await.unwrap();
    end.write(table, &rows).await.unwrap();
    let sql = places.database.client().await;
    let done = sql.execute("UPDATE owners SET last_name = 'M' WHERE id = 'abroad'", &[]);
    assert_eq!(done.await.unwrap(), 1);
    let error = moved(&mut source, &mut end, false).await.unwrap_err();
    assert!(matches!(error, TransferError::Differs { table: "owners", row: 3 }), "{error:?}");
    moved(&mut source, &mut end, true).await.unwrap_err();
}
