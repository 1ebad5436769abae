//! What one node has made, and another has not heard of.

use super::nodes::{as_loaded_now, two_nodes};
use super::scene::{Memory, Node, by_id, by_text, fetch_one, open, options};
use crate::sqlite::scene::{bearer, by, id, key, partner, revocation, signing, user};
use rescind_core::RevocationReason;
use rescind_store::{
    Applied, Fetched, IssuedBefore, KeyRing, Position, SetRevocation, SharedStore, TokenSet,
    WriteStore,
    conformance::postgres::Database,
    postgres::{Options, PostgresStore},
};
use std::sync::Arc;

#[tokio::test]
async fn token_of_another_node_is_fetched_with_all_that_bounds_it() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let tenant = TokenSet::Tenant(user("u").tenant.unwrap());
    let set = SetRevocation {
        set: tenant,
        issued_before: IssuedBefore::ThisWrite,
        reason: RevocationReason::Unspecified,
    };
    a.store.revoke_set(set, by(2)).await.unwrap();
    a.store.create_owner(user("w"), by(3)).await.unwrap();
    a.store.create_owner(partner("q"), by(3)).await.unwrap();
    a.store.issue(bearer("x", "w"), by(4)).await.unwrap();
    a.store.issue(signing("y", "q"), by(4)).await.unwrap();
    assert_eq!(fetch_one(&b.store, by_text("x")).await.unwrap(), Fetched::Known);
    assert_eq!(fetch_one(&b.store, by_id("y")).await.unwrap(), Fetched::Known);
    b.look().await;
    let (mine, theirs) = (b.memory.held(), a.memory.held());
    assert_eq!(mine, theirs);

    assert_eq!(fetch_one(&b.store, by_text("none")).await.unwrap(), Fetched::Unknown);
    // An id is no proof where a secret text is.
    assert_eq!(fetch_one(&b.store, by_id("x")).await.unwrap(), Fetched::Unknown);
    a.store.revoke(revocation("x"), by(5)).await.unwrap();
    a.store.revoke(revocation("y"), by(5)).await.unwrap();
    let c = Node::of(&database).await;
    assert_eq!(fetch_one(&c.store, by_text("x")).await.unwrap(), Fetched::Revoked);
    assert_eq!(fetch_one(&c.store, by_id("y")).await.unwrap(), Fetched::Revoked);
    assert!(!c.knows("x") && !c.knows("y"));
}

/// Before anything is loaded, a revocation that comes next would not be heard of.
#[tokio::test]
async fn nothing_is_fetched_into_a_memory_that_was_not_loaded() {
    let database = Database::create().await;
    let (a, _) = two_nodes(&database).await;
    let memory = Arc::new(Memory::default());
    let store = open(&database, memory.clone()).await.unwrap();
    assert_eq!(store.applied().unwrap(), None);
    fetch_one(&store, by_text("b")).await.unwrap_err();
    let page = a.store.read_log(Position::default()).await.unwrap();
    assert_eq!(store.apply(page).unwrap(), Applied::NothingLoaded);
    store.revoke(revocation("b"), by(2)).await.unwrap();
    assert_eq!(memory.held(), super::scene::Held::default());
    assert_eq!(store.load().await.unwrap().at.epoch, 1);
    assert!(!memory.held().tokens.contains_key(&id("b")));
    assert_eq!(memory.held().tokens.len(), 3);
}

/// Whatever else is asked for in the same breath.
#[tokio::test]
async fn each_of_many_that_are_fetched_together_has_its_own_answer() {
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    a.store.create_owner(partner("q"), by(2)).await.unwrap();
    for new in [bearer("x", "u"), bearer("gone", "v"), signing("y", "q"), signing("left", "q")] {
        a.store.issue(new, by(3)).await.unwrap();
    }
    for name in ["gone", "left"] {
        a.store.revoke(revocation(name), by(4)).await.unwrap();
    }
    let sought = [
        by_text("none"),
        by_text("x"),
        by_id("y"),
        by_text("gone"),
        by_id("left"),
        by_id("x"),
        by_text("x"),
        by_id("none"),
    ];
    use Fetched::{Known, Revoked, Unknown};
    let fetched = [Unknown, Known, Known, Revoked, Revoked, Unknown, Known, Unknown];
    assert_eq!(b.store.fetch(&sought).await.unwrap(), fetched);
    assert_eq!(b.store.fetch(&[]).await.unwrap(), []);
    b.look().await;
    assert_eq!(b.memory.held(), a.memory.held());
}

#[tokio::test]
async fn token_whose_secret_does_not_open_keeps_no_other_one_out() {
    let database = Database::create().await;
    let a = Node::of(&database).await;
    a.store.create_owner(user("u"), by(0)).await.unwrap();
    a.store.create_owner(partner("p"), by(0)).await.unwrap();
    let memory = Arc::new(Memory::default());
    let key_ring = KeyRing::parse([key(2).as_str()]).unwrap();
    let other_keys = Options { key_ring, ..options(database.connection(), memory.clone()) };
    let store = PostgresStore::open(other_keys).await.unwrap();
    store.load().await.unwrap();
    a.store.issue(signing("s", "p"), by(1)).await.unwrap();
    a.store.issue(bearer("b", "u"), by(1)).await.unwrap();
    let fetched = store.fetch(&[by_id("s"), by_text("b")]).await.unwrap();
    assert_eq!(fetched, [Fetched::Unreadable, Fetched::Known]);
    let held = memory.held().tokens;
    assert!(held.contains_key(&id("b")) && !held.contains_key(&id("s")));
}

/// Random tokens are fetched by one node while the other revokes them: none is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetched_tokens_do_not_outlive_their_revocation() {
    const TOKENS: usize = 60;
    let database = Database::create().await;
    let (a, b) = two_nodes(&database).await;
    let (a, b) = (Arc::new(a), Arc::new(b));
    for n in 0..TOKENS {
        a.store.issue(bearer(&format!("t{n}"), "u"), by(1)).await.unwrap();
    }
    let fetching = tokio::spawn({
        let b = Arc::clone(&b);
        async move {
            for n in (0..TOKENS).cycle().take(10 * TOKENS) {
                fetch_one(&b.store, by_text(&format!("t{n}"))).await.unwrap();
                b.look().await;
            }
        }
    });
    for n in 0..TOKENS {
        a.store.revoke(revocation(&format!("t{n}")), by(2)).await.unwrap();
    }
    fetching.await.unwrap();
    b.look().await;
    assert_eq!(b.memory.held(), as_loaded_now(&database).await);
}
