//! Rows of members: what a node's lease rests on, and what a revocation waits by.

use super::scene::Node;
use rescind_core::Digest;
use rescind_store::{
    Contact, Epoch, Member, Position, Ring, SharedStore, conformance::postgres::Database,
};
use std::time::Duration;
use tokio::time::timeout;

fn member(node: &str, incarnation: u64) -> Member {
    Member {
        node: node.into(),
        incarnation,
        lease_ms: 15_000,
        applied: 3,
        renewals: 0,
        contact: Some(Contact {
            address: "10.0.0.7:8443".into(),
            certificate: Digest::of(b"certificate"),
        }),
    }
}

/// From before there were marks.
fn place(epoch: Epoch) -> Position {
    Position { epoch, mark: None }
}

/// Which has come to an epoch beyond all that is said here.
async fn database() -> Database {
    let database = Database::create().await;
    drop(Node::of(&database).await);
    database.client().await.batch_execute("UPDATE epoch SET n = 9").await.unwrap();
    database
}

async fn rows(node: &Node) -> Vec<Member> {
    node.store.members(0).await.unwrap().members
}

#[tokio::test]
async fn member_is_kept_as_it_was_entered_and_renewed() {
    let database = database().await;
    let (a, b) = (Node::of(&database).await, Node::of(&database).await);
    let incarnation = u64::MAX - 7;
    a.store.register(&member("a", incarnation), None).await.unwrap();
    assert_eq!(rows(&b).await, [member("a", incarnation)]);
    assert!(a.store.renew("a", incarnation, place(5), 9_000).await.unwrap());
    let renewed = Member { lease_ms: 9_000, applied: 5, renewals: 1, ..member("a", incarnation) };
    assert_eq!(rows(&b).await, std::slice::from_ref(&renewed));
    assert!(a.store.acknowledge("a", incarnation, place(6)).await.unwrap());
    assert_eq!(rows(&b).await, [Member { applied: 6, ..renewed.clone() }]);
    // Overtaken on the way.
    assert!(a.store.acknowledge("a", incarnation, place(4)).await.unwrap());
    assert!(a.store.renew("a", incarnation, place(2), 9_000).await.unwrap());
    let kept = Member { applied: 6, renewals: 2, ..renewed };
    assert_eq!(rows(&b).await, [kept]);
    a.store.leave("a", incarnation).await.unwrap();
    assert_eq!(rows(&b).await, []);
    assert!(!a.store.renew("a", incarnation, place(7), 9_000).await.unwrap());
    assert!(!a.store.acknowledge("a", incarnation, place(7)).await.unwrap());
}

/// An old primary that still answers would be asked for ever.
#[tokio::test]
async fn server_that_does_not_know_of_a_commit_is_looked_for_anew() {
    let database = Database::create().await;
    let (node, sql) = (Node::of(&database).await, database.client().await);
    let asked = async || {
        let query = "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'SELECT n, node,%'";
        sql.query_one(query, &[]).await.unwrap().get::<_, i32>(0)
    };
    rows(&node).await;
    let first = asked().await;
    rows(&node).await;
    assert_eq!(asked().await, first);
    assert_eq!(node.store.members(1).await.unwrap().head, 0);
    rows(&node).await;
    let gone = async {
        while asked().await == first {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.expect("it is asked again");
}

/// Said again and again here: whoever has just begun to listen may have missed it.
#[tokio::test]
async fn acknowledgement_is_heard_by_others() {
    let database = database().await;
    let (a, b) = (Node::of(&database).await, Node::of(&database).await);
    a.store.register(&member("a", 9), None).await.unwrap();
    let mut bell = b.store.doorbell();
    let heard = Ring::Acknowledged { node: "a".into(), incarnation: 9, applied: place(6) };
    let hear = async {
        loop {
            assert!(a.store.acknowledge("a", 9, place(6)).await.unwrap());
            let rung = timeout(Duration::from_millis(100), bell.rung()).await;
            if rung.is_ok_and(|ring| ring.unwrap() == heard) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(10), hear).await.unwrap();
}

/// The lease of the one before counts until it has run out.
#[tokio::test]
async fn another_start_under_the_same_name_has_a_row_of_its_own() {
    let database = database().await;
    let node = Node::of(&database).await;
    node.store.register(&member("a", 1), None).await.unwrap();
    node.store.register(&member("a", 2), None).await.unwrap();
    assert_eq!(rows(&node).await, [member("a", 1), member("a", 2)]);
    node.store.leave("a", 2).await.unwrap();
    assert!(node.store.renew("a", 1, place(4), 15_000).await.unwrap());
}

#[tokio::test]
async fn member_that_has_renewed_since_is_not_removed() {
    let database = database().await;
    let (a, b) = (Node::of(&database).await, Node::of(&database).await);
    a.store.register(&member("a", 1), None).await.unwrap();
    a.store.register(&member("b", 1), None).await.unwrap();
    let [seen, _] = rows(&b).await.try_into().unwrap();
    assert!(a.store.renew("a", 1, place(4), 15_000).await.unwrap());
    assert!(!b.store.remove_member("a", 1, seen.renewals).await.unwrap());
    assert!(a.store.renew("a", 1, place(4), 15_000).await.unwrap());
    assert!(b.store.remove_member("a", 1, 2).await.unwrap());
    assert!(!b.store.remove_member("a", 1, 2).await.unwrap());
    assert_eq!(rows(&b).await, [member("b", 1)]);
    assert!(!a.store.renew("a", 1, place(4), 15_000).await.unwrap());
}

/// Renewing does not wait for the right to write: somebody may have it for a while.
#[tokio::test]
async fn renewal_does_not_wait_behind_a_write() {
    let database = database().await;
    let node = Node::of(&database).await;
    node.store.register(&member("a", 1), None).await.unwrap();
    let sql = database.client().await;
    sql.batch_execute("BEGIN; SELECT n FROM epoch FOR UPDATE").await.unwrap();
    assert!(node.store.renew("a", 1, place(4), 15_000).await.unwrap());
    assert_eq!(rows(&node).await.len(), 1);
    sql.batch_execute("ROLLBACK").await.unwrap();
}
