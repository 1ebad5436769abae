//! Revocations that wait together share their statements, and each is as if it had been alone.

use super::scene::Node;
use crate::sqlite::scene::{at, bearer, by, id, owner_id, partner, revocation, signing, user};
use rescind_core::{Actor, TokenState, audit::Walk};
use rescind_store::{
    AuditFilter, By, ReadStore, Revocation, Revoked, StoreError, WriteStore,
    conformance::postgres::Database,
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::timeout};

type Waiting = JoinHandle<Result<Revoked, StoreError>>;

/// All of them in one batch, in this order, on a runtime of one thread: while somebody else has the right to write, they wait.
async fn together(database: &Database, node: &Node, all: Vec<(Revocation, By)>) -> Vec<Waiting> {
    let sql = database.client().await;
    sql.batch_execute("BEGIN; SELECT n FROM epoch FOR UPDATE").await.unwrap();
    let revoke = |(what, by): (Revocation, By)| {
        let store = Arc::clone(&node.store);
        tokio::spawn(async move { store.revoke(what, by).await })
    };
    // The first is taken alone, and holds up the others.
    let first = revoke((revocation("first"), by(2)));
    // Within its transaction, `sql` would see for ever who waited when it first asked.
    let watch = database.client().await;
    let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'";
    timeout(Duration::from_secs(4), async {
        while watch.query(waits, &[]).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the first does not wait");
    let before = node.store.counts();
    let waiting: Vec<_> = all.into_iter().map(revoke).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    sql.batch_execute("COMMIT").await.unwrap();
    assert!(matches!(first.await.unwrap(), Ok(Revoked::Now(_))));
    let mut done = Vec::new();
    for one in waiting {
        let answer = timeout(Duration::from_secs(20), one).await.unwrap().unwrap();
        done.push(tokio::spawn(async { answer }));
    }
    let after = node.store.counts();
    assert_eq!(after.commits - before.commits, 2, "not in one batch");
    done
}

async fn scene(database: &Database, tokens: usize) -> Node {
    let node = Node::of(database).await;
    for owner in ["u", "v"] {
        node.store.create_owner(user(owner), by(0)).await.unwrap();
    }
    node.store.issue(bearer("first", "u"), by(1)).await.unwrap();
    for n in 0..tokens {
        node.store.issue(bearer(&format!("t{n}"), "u"), by(1)).await.unwrap();
    }
    node
}

#[tokio::test]
async fn each_has_its_epoch_its_entry_and_its_answer() {
    let database = Database::create().await;
    let node = scene(&database, 20).await;
    let other = Node::of(&database).await;
    node.store.create_owner(partner("p"), by(0)).await.unwrap();
    node.store.issue(signing("s", "p"), by(1)).await.unwrap();
    node.store.issue(bearer("over", "u"), by(1)).await.unwrap();
    node.store.revoke(revocation("over"), by(2)).await.unwrap();
    let by_itself = By { actor: Actor::token(&id("t0")), ..by(3) };
    let mut all: Vec<_> = (1..20).map(|n| (revocation(&format!("t{n}")), by(3))).collect();
    all.push((revocation("t0"), by_itself));
    all.push((revocation("s"), by(3)));
    let foreign = Revocation { owner: Some(owner_id("v")), ..revocation("t1") };
    all.extend([(revocation("over"), by(3)), (revocation("none"), by(3)), (foreign, by(3))]);
    all.push((revocation("t2"), by(4)));
    let mut answers = Vec::new();
    for one in together(&database, &node, all).await {
        answers.push(one.await.unwrap().unwrap());
    }
    let epochs = answers[..21].iter().map(|answer| match answer {
        Revoked::Now(settled) => settled.epoch,
        other => panic!("{other:?}"),
    });
    // "over" had the first, "first" the second.
    assert_eq!(epochs.collect::<Vec<_>>(), (3..=23).collect::<Vec<_>>());
    let [over, none, foreign, twice] = &answers[21..] else { panic!() };
    assert!(matches!(over, Revoked::Before { .. }), "{over:?}");
    assert_eq!((none, foreign), (&Revoked::Unknown, &Revoked::Unknown));
    let Revoked::Before { record, .. } = twice else { panic!("{twice:?}") };
    assert!(matches!(record.state, TokenState::Revoked { at: when, .. } if when == at(3)));
    // What other nodes are told is what this one holds.
    assert_eq!(other.look().await, 23);
    assert!((0..20).all(|n| !other.knows(&format!("t{n}")) && !node.knows(&format!("t{n}"))));
    assert_eq!(other.memory.held().tokens, node.memory.held().tokens);
    let entries = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
    let entries = node.store.audit(&entries).await.unwrap();
    let mut walk = Walk::default();
    entries.iter().for_each(|row| walk.step(&row.entry, &row.hash).unwrap());
    let of = |name: &str| {
        let ended = |action: &str| action == "token.revoked";
        let mut entries = entries.iter().map(|row| &row.entry);
        entries.find(|entry| entry.subject == name && ended(&entry.action)).unwrap().actor.clone()
    };
    assert_eq!(of("t0"), Actor::token(&id("t0")));
    assert_eq!(of("t1"), Actor::system("test"));
    let sql = database.client().await;
    let log = "SELECT count(*) = 23 AND max(seq) = 23 FROM revocation_log";
    assert!(sql.query_one(log, &[]).await.unwrap().get::<_, bool>(0));
    let secret = "SELECT sealed_secret IS NULL FROM tokens WHERE id = 's'";
    assert!(sql.query_one(secret, &[]).await.unwrap().get::<_, bool>(0));
}

#[tokio::test]
async fn one_who_may_not_act_is_refused_and_holds_up_nobody() {
    let database = Database::create().await;
    let node = scene(&database, 6).await;
    node.store.issue(bearer("taken-back", "v"), by(1)).await.unwrap();
    node.store.revoke(revocation("taken-back"), by(2)).await.unwrap();
    let powerless = By { actor: Actor::token(&id("taken-back")), ..by(3) };
    let mut all: Vec<_> = (0..5).map(|n| (revocation(&format!("t{n}")), by(3))).collect();
    all.insert(2, (revocation("t5"), powerless));
    let mut answers = Vec::new();
    for one in together(&database, &node, all).await {
        answers.push(one.await.unwrap());
    }
    let refused = answers.remove(2);
    assert!(matches!(refused, Err(StoreError::ActorRefused)), "{refused:?}");
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Revoked::Now(_)))), "{answers:?}");
    let kept = node.store.token(&id("t5")).await.unwrap().unwrap();
    assert_eq!(kept.record.state, TokenState::Active);
    assert!(node.knows("t5"));
    assert_eq!(node.applied(), 7);
}

/// The database ends it for whom it belongs to, and the other one comes first.
#[tokio::test]
async fn whoever_asks_for_what_is_not_his_is_not_answered_for_whom_it_is() {
    let database = Database::create().await;
    let node = scene(&database, 2).await;
    let of = |owner: &str| Revocation { owner: Some(owner_id(owner)), ..revocation("t1") };
    let all = vec![(of("v"), by(3)), (of("u"), by(4)), (revocation("t0"), by(3))];
    let mut answers = Vec::new();
    for one in together(&database, &node, all).await {
        answers.push(one.await.unwrap().unwrap());
    }
    assert_eq!(answers[0], Revoked::Unknown);
    assert!(answers[1..].iter().all(|one| matches!(one, Revoked::Now(_))), "{answers:?}");
    let entries = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
    let entries = node.store.audit(&entries).await.unwrap();
    let entry = entries.iter().find(|row| row.entry.subject == "t1" && row.entry.at >= at(3));
    assert_eq!(entry.unwrap().entry.at, at(4));
}
