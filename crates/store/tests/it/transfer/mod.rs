//! All of a store into the other engine's, and back.

#[cfg(unix)]
mod crash;
mod refusals;
mod scene;

use rescind_core::audit::GENESIS;
use rescind_store::{ReadStore, transfer::TABLES};
use rusqlite::Connection;
use scene::{Places, dump, goes_on, held, serve_postgres, serve_sqlite, to_postgres, to_sqlite};
use std::collections::BTreeSet;

#[tokio::test]
async fn every_record_goes_to_postgres_and_back_and_is_the_same() {
    let places = Places::new().await;
    let first = places.filled("first").await;
    let (store, heard) = serve_sqlite(&first).await;
    let (epoch, before) = (store.epoch().await.unwrap(), held(&heard));
    store.close().await.unwrap();
    drop(store);
    let rows = dump(&first);
    assert!(rows.iter().all(|(table, rows)| !rows.is_empty() || panic!("no {table}")));

    let mut end = places.end().await;
    let done = to_postgres(&first, &mut end).await.unwrap().unwrap();
    assert_eq!(done.epoch, epoch);
    assert!(done.rows.iter().all(|(_, count)| *count > 0), "{done:?}");
    assert!(done.audit.0 > 0 && done.audit.1 != GENESIS);
    let second = places.path("second");
    // A node has been there meanwhile, and has loaded the same.
    let (store, heard) = serve_postgres(&places.database).await;
    assert_eq!(held(&heard), before);
    store.close().await.unwrap();

    let back = to_sqlite(&mut end, &second).await.unwrap().unwrap();
    assert_eq!(back, done);
    assert_eq!(dump(&second), rows);
    let (store, heard) = serve_sqlite(&second).await;
    assert_eq!(held(&heard), before);
    goes_on(&store, epoch).await;
}

#[tokio::test]
async fn postgres_goes_on_where_the_file_has_ended() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let mut end = places.end().await;
    let epoch = to_postgres(&path, &mut end).await.unwrap().unwrap().epoch;
    let (store, _) = serve_postgres(&places.database).await;
    goes_on(&store, epoch).await;
}

/// Repeating what is done already does no harm, and says so.
#[tokio::test]
async fn move_that_is_done_is_not_done_again() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let mut end = places.end().await;
    to_postgres(&path, &mut end).await.unwrap().unwrap();
    let (store, _) = serve_postgres(&places.database).await;
    goes_on(&store, store.epoch().await.unwrap()).await;
    let rows = dump(&path);
    assert_eq!(to_postgres(&path, &mut end).await.unwrap(), None);
    assert_eq!(dump(&path), rows);
}

/// A column that a later migration adds must go over too.
#[tokio::test]
async fn no_column_of_either_schema_stays_behind() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    drop(places.end().await);
    let sql = Connection::open(path).unwrap();
    let postgres = places.database.client().await;
    let told: BTreeSet<(String, String)> = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| (table.name.into(), (*column).into())))
        .collect();
    let of_one_place = ["epoch", "transfer", "members", "refinery_schema_history"];
    let query = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
                 WHERE m.type = 'table'";
    let mut statement = sql.prepare(query).unwrap();
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut in_sqlite: BTreeSet<(String, String)> = found.collect::<Result<_, _>>().unwrap();
    in_sqlite.retain(|(table, _)| !of_one_place.contains(&table.as_str()));
    assert_eq!(in_sqlite, told);
    let query = "SELECT table_name::text, column_name::text FROM information_schema.columns
                 WHERE table_schema = 'public'";
    let found = postgres.query(query, &[]).await.unwrap();
    let mut in_postgres: BTreeSet<(String, String)> =
        found.iter().map(|row| (row.get(0), row.get(1))).collect();
    // What only nodes that run go by: none has come along.
    let of_nodes = ["changed_at", "mark"];
    in_postgres.retain(|(table, column)| {
        !of_one_place.contains(&table.as_str()) && !of_nodes.contains(&column.as_str())
    });
    assert_eq!(in_postgres, told);
}
