//! Several nodes over one database: each hears of everything, in order, and nothing comes back.

use super::scene::{Memory, Node, by_text, fetch_one, options};
use crate::sqlite::scene::{at, bearer, by, id, owner_id, partner, revocation, signing, user};
use async_trait::async_trait;
use rescind_core::{RevocationReason, TokenUpdate, audit::Walk};
use rescind_store::{
    Applied, AuditFilter, Epoch, Fetched, IssuedBefore, NewRotation, Overlap, OwnerUpdate,
    Position, ReadStore, RevocationOfAll, Ring, SetRevocation, Settled, Settler, SharedStore,
    StoreError, TokenSet, WriteStore,
    conformance::postgres::Database,
    postgres::{Options, PostgresStore},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

fn suspended(suspended: bool) -> OwnerUpdate {
    OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() }
}

/// Users and a partner with tokens that both nodes know.
pub(super) async fn two_nodes(database: &Database) -> (Node, Node) {
    let a = Node::of(database).await;
    for new in [user("u"), user("v"), partner("p")] {
        a.store.create_owner(new, by(0)).await.unwrap();
    }
    for new in [bearer("b", "u"), bearer("c", "u"), bearer("d", "v"), signing("s", "p")] {
        a.store.issue(new, by(1)).await.unwrap();
    }
    let b = Node::of(database).await;
    assert_eq!(b.memory.held(), a.memory.held());
    (a, b)
}

/// What a node that starts now would hold.
pub(super) async fn as_loaded_now(database: &Database) -> super::scene::Held {
    Node::of(database).await.memory.held()
}

#[tokio::test]
async fn every_kind_of_change_is_heard_through_the_log() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let store = &a.store;
    let everything = SetRevocation {
        set: TokenSet::Everything,
        issued_before: IssuedBefore::Moment(at(0)),
        reason: RevocationReason::Unspecified,
    };
    let tenants =
        SetRevocation { set: TokenSet::Tenant(user("u").tenant.unwrap()), ..everything.clone() };
    let owners = SetRevocation { set: TokenSet::Owner(owner_id("v")), ..everything.clone() };
    let end = TokenUpdate { expires_at: Some(at(90)), ..TokenUpdate::default() };
    let all = RevocationOfAll {
        owner: owner_id("u"),
        kind: rescind_core::TokenKind::Bearer,
        reason: RevocationReason::KeyCompromise,
    };
    let mut epoch = 0;
    for step in 0..9 {
        match step {
            0 => drop(store.update_owner(owner_id("u"), suspended(true), by(2)).await.unwrap()),
            1 => drop(store.update_owner(owner_id("u"), suspended(false), by(3)).await.unwrap()),
            2 => drop(store.update_token(id("d"), end.clone(), by(4)).await.unwrap()),
            3 => drop(store.revoke(revocation("s"), by(5)).await.unwrap()),
            4 => drop(store.revoke_set(everything.clone(), by(6)).await.unwrap()),
            5 => drop(store.revoke_set(tenants.clone(), by(7)).await.unwrap()),
            6 => drop(store.revoke_set(owners.clone(), by(8)).await.unwrap()),
            7 => drop(store.revoke_all(all.clone(), by(9)).await.unwrap()),
            _ => {
                let what = NewRotation {
                    from: id("d"),
                    id: id("e"),
                    material: bearer("e", "v").material,
                    lifetime: None,
                    overlap: Overlap::None,
                    idempotency: None,
                };
                drop(store.rotate(what, by(10)).await.unwrap());
            }
        }
        epoch += 1;
        assert_eq!(a.memory.held().epoch, epoch, "step {step}");
        assert_eq!(b.look().await, epoch, "step {step}");
        if step < 8 {
            assert_eq!(b.memory.held(), a.memory.held(), "step {step}");
        }
    }
    // The successor is new, so it is not in the log: it is fetched.
    assert!(!b.knows("e"));
    assert_eq!(fetch_one(&b.store, by_text("e")).await.unwrap(), Fetched::Known);
    assert_eq!(b.memory.held(), a.memory.held());
    assert_eq!(b.memory.held(), as_loaded_now(&database).await);
}

/// The writer finds that others have written since, and reads the log before it answers.
#[tokio::test]
async fn own_change_is_told_together_with_what_others_did_before_it() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    a.store.revoke(revocation("b"), by(2)).await.unwrap();
    a.store.update_owner(owner_id("v"), suspended(true), by(3)).await.unwrap();
    assert!(b.knows("b"));
    b.store.revoke(revocation("c"), by(4)).await.unwrap();
    assert!(!b.knows("b") && !b.knows("c"));
    assert_eq!(b.applied(), 3);
    assert_eq!(a.look().await, 3);
    assert_eq!(a.memory.held(), b.memory.held());
}

/// A new token is put in beside what is not heard of yet.
#[tokio::test]
async fn token_issued_by_a_node_that_is_behind_is_known_at_once() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    a.store.revoke(revocation("b"), by(2)).await.unwrap();
    b.store.issue(bearer("new", "u"), by(3)).await.unwrap();
    assert!(b.knows("new") && b.knows("b"));
    assert_eq!(b.applied(), 0);
    b.look().await;
    assert!(b.knows("new") && !b.knows("b"));
}

#[tokio::test]
async fn page_that_was_overtaken_takes_nothing_back() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    a.store.update_owner(owner_id("u"), suspended(true), by(2)).await.unwrap();
    a.store.update_owner(owner_id("u"), suspended(false), by(3)).await.unwrap();
    let resumed = b.store.read_log(Position::default()).await.unwrap();
    a.store.update_owner(owner_id("u"), suspended(true), by(4)).await.unwrap();
    assert_eq!(b.look().await, 3);
    assert!(matches!(b.store.apply(resumed).unwrap(), Applied::At(at) if at.epoch == 3));
    assert!(b.memory.held().owners[&owner_id("u")].state.is_suspended());
    let here = b.store.applied().unwrap().unwrap();
    let beyond = a.store.read_log(here).await.unwrap();
    let c = Node::of(&database).await;
    assert_eq!(c.store.apply(beyond).unwrap(), Applied::At(here));
    a.store.revoke(revocation("b"), by(5)).await.unwrap();
    a.store.revoke(revocation("c"), by(6)).await.unwrap();
    let next = Position { epoch: 4, mark: None };
    let with_a_gap = a.store.read_log(next).await.unwrap();
    assert_eq!(c.store.apply(with_a_gap).unwrap(), Applied::Gap);
    assert!(c.knows("b") && c.knows("c"));
}

/// Loading anew forgets what the database does not have (any more).
#[tokio::test]
async fn loading_anew_begins_with_nothing() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let sql = database.client().await;
    sql.batch_execute("DELETE FROM tokens WHERE id = 'b'").await.unwrap();
    assert!(b.knows("b"));
    b.store.load().await.unwrap();
    assert!(!b.knows("b") && b.knows("c"));
    a.store.revoke(revocation("c"), by(2)).await.unwrap();
    assert_eq!(b.look().await, 1);
    assert!(!b.knows("c"));
}

#[tokio::test]
async fn node_that_is_too_far_behind_is_told_to_load() {
    let database = Database::create().await;
    let node = Node::of(&database).await;
    let sql = database.client().await;
    let insert = |from: u32, to: u32| {
        format!(
            "INSERT INTO owners (id, kind, name, token_management, created_at, changed_at)
             SELECT 'o' || n, 'operator', 'name', FALSE, 0, 1 FROM generate_series({from}, {to}) AS n;
             UPDATE epoch SET n = 1"
        )
    };
    sql.batch_execute(&insert(1, 65_536)).await.unwrap();
    assert!(!node.store.read_log(Position::default()).await.unwrap().too_far);
    sql.batch_execute(&insert(65_537, 65_537)).await.unwrap();
    let page = node.store.read_log(Position::default()).await.unwrap();
    assert!(page.too_far);
    assert_eq!(node.store.apply(page).unwrap(), Applied::Gap);
    assert_eq!(node.store.load().await.unwrap().at.epoch, 1);
    assert_eq!(node.memory.held().owners.len(), 65_537);
}

/// All at once, of two nodes, while each also reads the log by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_two_nodes_leave_no_gap_and_one_chain() {
    const CALLERS: usize = 24;
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let nodes = [Arc::new(a), Arc::new(b)];
    let looking: Vec<_> = nodes
        .iter()
        .map(|node| {
            let node = Arc::clone(node);
            tokio::spawn(async move {
                loop {
                    node.look().await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
        })
        .collect();
    let callers = (0..CALLERS).map(|n| {
        let node = Arc::clone(&nodes[n % 2]);
        tokio::spawn(async move {
            let (name, kept) = (format!("t{n}"), format!("kept{n}"));
            node.store.issue(bearer(&name, "u"), by(1)).await.unwrap();
            node.store.issue(bearer(&kept, "u"), by(1)).await.unwrap();
            let end = TokenUpdate { expires_at: Some(at(50)), ..TokenUpdate::default() };
            node.store.update_token(id(&name), end, by(2)).await.unwrap();
            node.store.update_owner(owner_id("v"), suspended(n % 4 < 2), by(3)).await.unwrap();
            node.store.revoke(revocation(&name), by(4)).await.unwrap();
            assert!(!node.knows(&name), "{name} after its revocation");
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    looking.iter().for_each(|task| task.abort());
    let epochs: Vec<i64> = database
        .client()
        .await
        .query("SELECT seq FROM revocation_log ORDER BY seq", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let head = nodes[0].store.epoch().await.unwrap();
    assert_eq!(epochs, (1..=head.cast_signed()).collect::<Vec<_>>());
    assert!(head >= 2 * CALLERS as u64);
    let all = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
    let mut walk = Walk::default();
    for row in nodes[0].store.audit(&all).await.unwrap() {
        walk.step(&row.entry, &row.hash).unwrap();
    }
    for node in &nodes {
        assert_eq!(node.look().await, head);
        for n in 0..CALLERS {
            let fetched = fetch_one(&node.store, by_text(&format!("kept{n}"))).await.unwrap();
            assert_eq!(fetched, Fetched::Known);
        }
        assert_eq!(node.memory.held(), as_loaded_now(&database).await);
    }
}

const LISTENING: &str = "datname = current_database() AND pid <> pg_backend_pid()
    AND (query LIKE 'LISTEN%' OR query LIKE '%doorbell%')";

/// What is rung before is heard by nobody.
async fn listened_to_by(database: &Database, nodes: usize) -> tokio_postgres::Client {
    let sql = database.client().await;
    let count = format!("SELECT 1 FROM pg_stat_activity WHERE {LISTENING}");
    timeout(Duration::from_secs(20), async {
        while sql.query(&count, &[]).await.unwrap().len() < nodes {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("not all listen");
    sql
}

#[tokio::test]
async fn bell_rings_for_each_epoch_and_after_the_line_was_cut() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let mut bell = b.store.doorbell();
    let ring = async |bell: &mut rescind_store::Doorbell| {
        timeout(Duration::from_secs(10), bell.rung()).await.unwrap().unwrap()
    };
    ring(&mut bell).await;
    let sql = listened_to_by(&database, 2).await;
    a.store.issue(bearer("quiet", "u"), by(2)).await.unwrap();
    a.store.revoke(revocation("b"), by(3)).await.unwrap();
    while ring(&mut bell).await != Ring::Committed(1) {}
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {LISTENING}");
    assert_eq!(sql.query(&cut, &[]).await.unwrap().len(), 2);
    a.store.revoke(revocation("c"), by(4)).await.unwrap();
    // Nobody listened: it says to look, once somebody does again.
    assert_eq!(ring(&mut bell).await, Ring::Look);
    assert_eq!(b.look().await, 2);
    a.store.revoke(revocation("d"), by(5)).await.unwrap();
    assert_eq!(ring(&mut bell).await, Ring::Committed(3));
}

/// Tells all other nodes by itself.
struct TellsAll;

#[async_trait]
impl Settler for TellsAll {
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        Ok(Settled::alone(epoch))
    }

    fn reaches_all(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn commit_that_others_are_told_of_rings_nowhere_until_somebody_does() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let options = options(database.connection(), Arc::new(Memory::default()));
    let told = PostgresStore::open(Options { settler: Arc::new(TellsAll), ..options });
    let told = told.await.unwrap();
    told.load().await.unwrap();
    let mut bell = b.store.doorbell();
    listened_to_by(&database, 3).await;
    told.revoke(revocation("b"), by(3)).await.unwrap();
    a.store.revoke(revocation("c"), by(4)).await.unwrap();
    let ring = async |bell: &mut rescind_store::Doorbell| {
        timeout(Duration::from_secs(10), bell.rung()).await.unwrap().unwrap()
    };
    // Before somebody listens it says to look.
    let first = loop {
        match ring(&mut bell).await {
            Ring::Look => {}
            other => break other,
        }
    };
    assert_eq!(first, Ring::Committed(2));
    told.ring(7).await.unwrap();
    assert_eq!(ring(&mut bell).await, Ring::Committed(7));
}
