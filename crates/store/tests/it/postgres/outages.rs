//! PostgreSQL goes away, at the worst moments: what is not known is never called done.

use super::{
    scene::{Memory, Node, options},
    server::Server,
};
use crate::sqlite::scene::{bearer, by, revocation, user};
use rescind_store::{
    Member, Position, ReadStore, Revoked, SharedStore, StoreError, WriteStore,
    conformance::postgres::Database,
};
use std::{process::Command, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// Runs a statement while each transaction that has revoked a token commits.
async fn at_commit(database: &Database, statement: &str) {
    let sql = database.client().await;
    sql.batch_execute(&format!(
        "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN {statement}; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE OF revoked_at ON tokens
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
    ))
    .await
    .unwrap();
}

async fn no_more_at_commit(database: &Database) {
    database.client().await.batch_execute("DROP TRIGGER at_commit ON tokens").await.unwrap();
}

async fn with_a_token(database: &Database) -> Node {
    let node = Node::of(database).await;
    node.store.create_owner(user("u"), by(0)).await.unwrap();
    node.store.issue(bearer("b", "u"), by(1)).await.unwrap();
    node
}

fn is_uncertain(answer: &Result<Revoked, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Uncertain(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_whose_connection_is_killed_is_never_success() {
    let database = Database::create().await;
    let node = with_a_token(&database).await;
    at_commit(&database, "PERFORM pg_sleep(60)").await;
    let revoking = tokio::spawn({
        let store = Arc::clone(&node.store);
        async move { store.revoke(revocation("b"), by(2)).await }
    });
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND query = 'COMMIT' AND state = 'active'";
    let sql = database.client().await;
    while sql.query(kill, &[]).await.unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let answer = revoking.await.unwrap();
    assert!(is_uncertain(&answer), "{answer:?}");
    assert!(node.knows("b"), "told of what may not have happened");
    no_more_at_commit(&database).await;
    // On a new connection, as if nothing had been.
    let again = node.store.revoke(revocation("b"), by(3)).await.unwrap();
    assert!(matches!(again, Revoked::Now(_)), "{again:?}");
    assert!(!node.knows("b"));
}

/// The server says that it has committed, and warns: of what, only a person could tell.
#[tokio::test]
async fn commit_with_a_warning_is_uncertain_and_found_done_when_it_is_asked_again() {
    let database = Database::create().await;
    let node = with_a_token(&database).await;
    at_commit(&database, "RAISE WARNING 'canceling wait'").await;
    let answer = node.store.revoke(revocation("b"), by(2)).await;
    assert!(is_uncertain(&answer), "{answer:?}");
    let again = node.store.revoke(revocation("b"), by(3)).await.unwrap();
    assert!(matches!(again, Revoked::Before { .. }), "{again:?}");
    assert_eq!(node.look().await, 1);
    assert!(!node.knows("b"));
}

#[tokio::test]
async fn refused_commit_is_uncertain_too_and_changes_nothing() {
    let database = Database::create().await;
    let node = with_a_token(&database).await;
    at_commit(&database, "RAISE EXCEPTION 'no'").await;
    let answer = node.store.revoke(revocation("b"), by(2)).await;
    assert!(is_uncertain(&answer), "{answer:?}");
    assert_eq!(node.store.epoch().await.unwrap(), 0);
    assert!(node.knows("b"));
}

/// Before the commit it is known: nothing was changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_that_is_cut_off_before_its_commit_is_unavailable() {
    let database = Database::create().await;
    let node = with_a_token(&database).await;
    let sql = database.client().await;
    sql.batch_execute("BEGIN; LOCK TABLE tokens").await.unwrap();
    let revoking = tokio::spawn({
        let store = Arc::clone(&node.store);
        async move { store.revoke(revocation("b"), by(2)).await }
    });
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sql.query(kill, &[]).await.unwrap().is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    let answer = revoking.await.unwrap();
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    sql.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(node.store.epoch().await.unwrap(), 0);
    assert!(matches!(node.store.revoke(revocation("b"), by(3)).await, Ok(Revoked::Now(_))));
}

/// All that a revocation sends is prepared, so that the next one waits where it is carried out.
async fn warm(database: &Database) -> Node {
    let node = with_a_token(database).await;
    node.store.issue(bearer("first", "u"), by(1)).await.unwrap();
    node.store.revoke(revocation("first"), by(1)).await.unwrap();
    node
}

/// What is written down goes before the commit in the same breath. If that is refused, there is no
/// commit, whatever the server says of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_whose_books_are_refused_is_unavailable_and_changes_nothing() {
    let database = Database::create().await;
    let node = warm(&database).await;
    let sql = database.client().await;
    // Longer than anybody waits for a lock.
    sql.batch_execute("BEGIN; LOCK TABLE audit IN SHARE MODE").await.unwrap();
    let answer = node.store.revoke(revocation("b"), by(2)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    sql.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(node.store.epoch().await.unwrap(), 1);
    assert!(node.knows("b"));
    assert!(matches!(node.store.revoke(revocation("b"), by(3)).await, Ok(Revoked::Now(_))));
}

/// Its connection lives, and says nothing more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_stands_still_on_the_way_to_a_commit_is_given_up() {
    let database = Database::create().await;
    let node = warm(&database).await;
    let sql = database.client().await;
    sql.batch_execute("BEGIN; LOCK TABLE audit IN SHARE MODE").await.unwrap();
    let store = Arc::clone(&node.store);
    let revoking = tokio::spawn(async move { store.revoke(revocation("b"), by(2)).await });
    let waiting = "SELECT pid FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    // Within its transaction, `sql` would see for ever who was there when it first asked.
    let watch = database.client().await;
    let backend = loop {
        match watch.query(waiting, &[]).await.unwrap().first() {
            Some(row) => break row.get::<_, i32>(0).to_string(),
            None => sleep(Duration::from_millis(5)).await,
        }
    };
    let signal = |what: &str| {
        let sent = Command::new("kill").args([what, backend.as_str()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    let answer = timeout(Duration::from_secs(30), revoking).await;
    signal("-CONT");
    sql.batch_execute("ROLLBACK").await.unwrap();
    let answer = answer.expect("still waiting").unwrap();
    assert!(is_uncertain(&answer), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_outlives_a_restart_of_postgres() {
    let server = Server::start();
    let database = Database::create_on(server.text.clone()).await;
    let node = with_a_token(&database).await;
    let mut bell = node.store.doorbell();
    bell.rung().await.unwrap();
    server.stop();
    let away = node.store.revoke(revocation("b"), by(2)).await;
    assert!(matches!(away, Err(StoreError::Unavailable(_))), "{away:?}");
    assert!(node.store.epoch().await.is_err());
    assert!(node.store.read_log(Position::default()).await.is_err());
    assert!(node.store.renew("a", 1, Position::default(), 1).await.is_err());
    assert!(timeout(Duration::from_millis(50), node.store.failed()).await.is_err());
    assert!(node.knows("b"), "memory is as it was");
    server.start_again();
    let back = timeout(Duration::from_secs(20), async {
        loop {
            match node.store.revoke(revocation("b"), by(3)).await {
                Ok(revoked) => return revoked,
                Err(StoreError::Unavailable(_)) => sleep(Duration::from_millis(20)).await,
                Err(other) => panic!("{other:?}"),
            }
        }
    });
    assert!(matches!(back.await.unwrap(), Revoked::Now(_)));
    assert!(!node.knows("b"));
    assert_eq!(node.store.epoch().await.unwrap(), 1);
    assert_eq!(node.store.read_log(Position::default()).await.unwrap().head.epoch, 1);
    timeout(Duration::from_secs(10), bell.rung()).await.unwrap().unwrap();
}

/// The one that PostgreSQL itself reports as a success: whoever waits for a standby is told to stop
/// waiting, and the commit is nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_wait_for_the_standby_is_no_success() {
    let server = Server::start();
    let database = Database::create_on(server.text.clone()).await;
    let node = with_a_token(&database).await;
    let sql = database.client().await;
    sql.batch_execute("SET synchronous_commit = local").await.unwrap();
    sql.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.unwrap();
    server.ctl(&["reload"]);
    sleep(Duration::from_millis(500)).await;
    for (number, stop) in ["pg_cancel_backend", "pg_terminate_backend"].into_iter().enumerate() {
        let revoking = tokio::spawn({
            let store = Arc::clone(&node.store);
            async move { store.revoke(revocation("b"), by(2)).await }
        });
        let kill = format!(
            "SELECT {stop}(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event = 'SyncRep'"
        );
        while sql.query(&kill, &[]).await.unwrap().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        let answer = revoking.await.unwrap();
        assert!(is_uncertain(&answer), "{stop}, {number}: {answer:?}");
    }
    // It is there, and "already revoked" waits for the standby as well: there is still none.
    let again = tokio::spawn({
        let store = Arc::clone(&node.store);
        async move { store.revoke(revocation("b"), by(3)).await }
    });
    sleep(Duration::from_millis(300)).await;
    assert!(!again.is_finished());
    sql.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    server.ctl(&["reload"]);
    assert!(matches!(again.await.unwrap(), Ok(Revoked::Before { .. })));
}

#[tokio::test]
async fn unreachable_server_is_said_at_the_start() {
    let text = "host=127.0.0.1 port=1 user=postgres sslmode=disable".to_owned();
    let options = options(text, Arc::new(Memory::default()));
    let error = rescind_store::postgres::PostgresStore::open(options).await.unwrap_err();
    assert!(matches!(error, rescind_store::postgres::OpenError::Unreachable(_)), "{error:?}");
}

/// A failover to a standby that was behind, or a backup from before.
#[tokio::test]
async fn database_that_has_gone_backwards_is_not_written_to_before_it_is_loaded_anew() {
    let database = Database::create().await;
    let node = with_a_token(&database).await;
    node.store.issue(bearer("c", "u"), by(1)).await.unwrap();
    node.store.revoke(revocation("b"), by(2)).await.unwrap();
    let sql = database.client().await;
    sql.batch_execute("UPDATE epoch SET n = 0, mark = NULL; DELETE FROM revocation_log")
        .await
        .unwrap();
    let refused = node.store.revoke(revocation("c"), by(3)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(node.knows("c"));
    let here = node.store.applied().unwrap().unwrap();
    let page = node.store.read_log(here).await.unwrap();
    assert!(!page.holds && page.head.epoch < here.epoch);
    assert_eq!(node.store.load().await.unwrap().at, Position::default());
    let revoked = node.store.revoke(revocation("c"), by(3)).await;
    assert!(matches!(revoked, Ok(Revoked::Now(settled)) if settled.epoch == 1), "{revoked:?}");
    assert!(!node.knows("c"));
}

/// The same, and others have written on before this node looks: by the numbers nothing has happened.
#[tokio::test]
async fn database_that_was_overtaken_after_it_went_backwards_is_another_history() {
    let database = Database::create().await;
    let old = with_a_token(&database).await;
    let sql = database.client().await;
    old.store.issue(bearer("c", "u"), by(1)).await.unwrap();
    old.store.register(&member("old"), None).await.unwrap();
    let backup =
        "CREATE TABLE kept AS SELECT (SELECT max(seq) FROM audit) AS seq, n, mark FROM epoch";
    sql.batch_execute(backup).await.unwrap();
    old.store.revoke(revocation("b"), by(2)).await.unwrap();
    let here = old.store.applied().unwrap().unwrap();
    let restore = "UPDATE epoch SET n = kept.n, mark = kept.mark FROM kept;
         DELETE FROM revocation_log WHERE seq > (SELECT n FROM kept);
         DELETE FROM audit WHERE seq > (SELECT seq FROM kept);
         UPDATE tokens SET revoked_at = NULL, revoked_by = NULL, revocation_reason = NULL";
    sql.batch_execute(restore).await.unwrap();
    let new = Node::of(&database).await;
    new.store.revoke(revocation("c"), by(3)).await.unwrap();
    let there = new.store.applied().unwrap().unwrap();
    assert_eq!(there.epoch, here.epoch);
    assert_ne!(there.mark, here.mark);

    let row = async || new.store.members(0).await.unwrap().members[0].applied;
    assert!(old.store.renew("old", 7, here, 1_000).await.unwrap());
    assert!(!old.store.acknowledge("old", 7, here).await.unwrap());
    old.store.register(&Member { applied: here.epoch, ..member("old") }, here.mark).await.unwrap();
    assert_eq!(row().await, 0, "it has not applied what the number means now");
    assert!(old.store.renew("old", 7, there, 1_000).await.unwrap());
    assert_eq!(row().await, 1);

    assert!(!old.store.read_log(here).await.unwrap().holds);
    assert!(old.store.read_log(there).await.unwrap().holds);
    let refused = old.store.revoke(revocation("b"), by(4)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    new.store.revoke(revocation("b"), by(5)).await.unwrap();
    assert!(!old.store.read_log(here).await.unwrap().holds, "however far the others have come");
    let unknown = old.store.issue(bearer("d", "u"), by(6)).await;
    assert!(unknown.is_ok(), "{unknown:?}");
    let unknown = old.store.revoke(revocation("d"), by(7)).await;
    assert!(is_uncertain(&unknown), "{unknown:?}");
}

fn member(node: &str) -> Member {
    let (node, incarnation, contact) = (node.into(), 7, None);
    Member { node, incarnation, lease_ms: 1_000, applied: 0, renewals: 0, contact }
}

/// As a primary that others have replaced: it answers readings, and confirms no write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_is_not_read_from_a_server_that_can_no_longer_commit() {
    let server = Server::start();
    let database = Database::create_on(server.text.clone()).await;
    let node = with_a_token(&database).await;
    node.store.revoke(revocation("b"), by(2)).await.unwrap();
    let page = node.store.read_log_of_primary(Position::default()).await.unwrap();
    assert_eq!((page.head.epoch, page.changes.len(), page.in_recovery), (1, 1, false));
    let sql = database.client().await;
    sql.batch_execute("SET synchronous_commit = local").await.unwrap();
    sql.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await.unwrap();
    server.ctl(&["reload"]);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(
        node.store.read_log(Position::default()).await.unwrap().head.epoch,
        1,
        "it reads as before"
    );
    let reading = tokio::spawn({
        let store = Arc::clone(&node.store);
        async move { store.read_log_of_primary(Position::default()).await }
    });
    sleep(Duration::from_millis(300)).await;
    let confirmed = reading.is_finished();
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'SyncRep'";
    sql.query(cancel, &[]).await.unwrap();
    let cancelled = reading.await.unwrap();
    // Before anything can fail: the database could not be dropped.
    sql.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    server.ctl(&["reload"]);
    sleep(Duration::from_millis(500)).await;
    assert!(!confirmed);
    assert!(cancelled.is_err(), "the server calls that a success: {cancelled:?}");
    assert_eq!(node.store.read_log_of_primary(Position::default()).await.unwrap().head.epoch, 1);
}
