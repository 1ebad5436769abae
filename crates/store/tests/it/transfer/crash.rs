//! Real processes that die while they move a store: at most one of the two can be served, and the
//! same move, repeated, ends as if nothing had happened.

use super::scene::{Places, dump, end_of, moved, serve_postgres, serve_sqlite, to_sqlite};
use crate::{
    postgres::scene as shared,
    sqlite::scene::{Heard, bearer, by, open},
};
use rescind_store::{
    WriteStore, postgres,
    sqlite::{OpenError, SqliteEnd},
    transfer::{Doing, Progress, TABLES, TransferError, transfer},
};
use rusqlite::Connection;
use std::{
    env,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::Arc,
};

/// In which the process that is to die finds both.
const FILE: &str = "RESCIND_TEST_DATABASE";
const DATABASE: &str = "RESCIND_TEST_TRANSFER";
const SIGABRT: i32 = 6;
/// Tokens more than fit into two batches.
const MANY: u32 = 12_000;

/// Each named point, and at which of its passages it is tried: after the first table, in the middle,
/// and after the last.
fn points() -> [(&'static str, Vec<usize>); 5] {
    [
        ("transfer_begun", vec![1]),
        ("transfer_copied", vec![1, 3, TABLES.len()]),
        ("transfer_compared", vec![1]),
        ("transfer_retired", vec![1]),
        ("transfer_finished", vec![1]),
    ]
}

#[tokio::test]
async fn death_at_every_point_leaves_at_most_one_to_serve_and_is_made_good() {
    let template = Places::new().await;
    let filled = template.filled("first").await;
    let rows = dump(&filled);
    for (point, passages) in points() {
        for passage in passages {
            let places = Places::new().await;
            let path = places.copy_of(&filled);
            let context = format!("{point}:{passage}");
            let ended = child("moves_to_postgres", &path, &places, &context);
            assert_eq!(ended.signal(), Some(SIGABRT), "{context}");
            let file = open(&path, Arc::new(Heard::default()));
            let database = shared::open(&places.database, Arc::new(Heard::default())).await;
            match point {
                "transfer_retired" => {
                    assert!(matches!(file, Err(OpenError::Moved { .. })), "{context}");
                    assert!(matches!(database, Err(postgres::OpenError::Unfinished)), "{context}");
                }
                "transfer_finished" => {
                    assert!(matches!(file, Err(OpenError::Moved { .. })), "{context}");
                    database.unwrap().close().await.unwrap();
                }
                _ => {
                    file.unwrap().close().await.unwrap();
                    assert!(matches!(database, Err(postgres::OpenError::Unfinished)), "{context}");
                }
            }
            let again = child("moves_to_postgres", &path, &places, "none");
            assert!(again.success(), "{context}");
            to_sqlite(&mut places.end().await, &places.path("second")).await.unwrap();
            assert_eq!(dump(&places.path("second")), rows, "{context}");
        }
    }
}

#[tokio::test]
async fn death_on_the_way_back_is_made_good_too() {
    let template = Places::new().await;
    let filled = template.filled("first").await;
    let rows = dump(&filled);
    for (point, passages) in points() {
        let places = Places::new().await;
        let first = places.copy_of(&filled);
        assert!(child("moves_to_postgres", &first, &places, "none").success());
        let path = places.path("second");
        let ended = child("moves_to_sqlite", &path, &places, &format!("{point}:{}", passages[0]));
        assert_eq!(ended.signal(), Some(SIGABRT), "{point}");
        let file = open(&path, Arc::new(Heard::default()));
        let database = shared::open(&places.database, Arc::new(Heard::default())).await;
        assert_eq!(file.is_ok(), point == "transfer_finished", "{point}");
        let is_moved = ["transfer_retired", "transfer_finished"].contains(&point);
        assert_eq!(database.is_ok(), !is_moved, "{point}");
        drop((file, database));
        let again = child("moves_to_sqlite", &path, &places, "none");
        assert!(again.success(), "{point}");
        assert_eq!(dump(&path), rows, "{point}");
        drop(serve_sqlite(&path).await);
    }
}

#[tokio::test]
async fn copy_goes_on_behind_the_last_row_that_is_there() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let sql = Connection::open(&path).unwrap();
    sql.execute(
        "INSERT INTO tokens (id, owner, kind, digest, scopes, issued_at)
         SELECT 'many-' || value, 'u', 'bearer', randomblob(32), '', 1790000009000
         FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT ?1)
               SELECT value FROM n)",
        [MANY],
    )
    .unwrap();
    drop(sql);
    // Owners, bounds, and two batches of tokens.
    let ended = child("moves_to_postgres", &path, &places, "transfer_copied:4");
    assert_eq!(ended.signal(), Some(SIGABRT));
    let mut seen = Vec::new();
    let mut source = SqliteEnd::source(&path).unwrap();
    let mut end = places.end().await;
    let now = rescind_core::Timestamp::from_millis(0);
    let mut watch = |progress: Progress| seen.push(progress);
    let done = transfer(&mut source, &mut end, false, now, &mut watch).await.unwrap().unwrap();
    let tokens = done.rows.iter().find(|(table, _)| *table == "tokens").unwrap().1;
    assert!(tokens > u64::from(MANY));
    let copying = |table| {
        let of = move |one: &&Progress| one.doing == Doing::Copying && one.table == table;
        seen.iter().find(of).map(|one| one.rows).unwrap()
    };
    assert_eq!((copying("owners"), copying("tokens"), copying("audit")), (5, 10_000, 0));
    drop(serve_postgres(&places.database).await);
}

/// Between the two attempts somebody has served the source.
#[tokio::test]
async fn source_that_changed_meanwhile_is_copied_afresh_only_on_demand() {
    let places = Places::new().await;
    let path = places.filled("first").await;
    let ended = child("moves_to_postgres", &path, &places, "transfer_copied:3");
    assert_eq!(ended.signal(), Some(SIGABRT));
    let (store, _) = serve_sqlite(&path).await;
    store.issue(bearer("between", "u"), by(20)).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let rows = dump(&path);
    let mut end = places.end().await;
    let mut source = SqliteEnd::source(&path).unwrap();
    let error = moved(&mut source, &mut end, false).await.unwrap_err();
    assert!(matches!(error, TransferError::OtherMove { .. }), "{error:?}");
    moved(&mut source, &mut end, true).await.unwrap().unwrap();
    to_sqlite(&mut end, &places.path("second")).await.unwrap();
    assert_eq!(dump(&places.path("second")), rows);
}

#[tokio::test]
#[ignore = "is the process that the tests above start"]
async fn moves_to_postgres() {
    let mut source = SqliteEnd::source(&file()).unwrap();
    moved(&mut source, &mut end_of(&database()).await, false).await.unwrap();
}

#[tokio::test]
#[ignore = "is the process that the tests above start"]
async fn moves_to_sqlite() {
    use rescind_store::transfer::{End, State};
    let mut source = end_of(&database()).await;
    let mark = source.mark().await.unwrap();
    if !mark.is_some_and(|mark| matches!(mark.state, State::Moved { .. })) {
        source.hold(&[]).await.unwrap();
    }
    moved(&mut source, &mut SqliteEnd::destination(&file()).unwrap(), false).await.unwrap();
}

/// This very binary, to run one of its tests, which dies at this passage.
fn child(test: &str, file: &Path, places: &Places, passage: &str) -> ExitStatus {
    Command::new(env::current_exe().unwrap())
        .args([&format!("transfer::crash::{test}"), "--exact", "--ignored", "--quiet"])
        .env(FILE, file)
        .env(DATABASE, places.database.connection())
        .env("RESCIND_CRASH_POINT", passage)
        .output()
        .unwrap()
        .status
}

fn file() -> PathBuf {
    env::var_os(FILE).expect("started by another test").into()
}

fn database() -> String {
    env::var(DATABASE).expect("started by another test")
}
