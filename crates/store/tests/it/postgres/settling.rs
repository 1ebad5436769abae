//! What is answered only when it is settled, and what does not wait.

use super::scene::{Memory, options};
use crate::sqlite::scene::{at, bearer, by, id, owner_id, revocation, user};
use async_trait::async_trait;
use parking_lot::Mutex;
use rescind_core::{RevocationReason, TokenKind, TokenUpdate};
use rescind_store::{
    Epoch, IssuedBefore, NewRotation, Overlap, OwnerUpdate, Revocation, RevocationOfAll, Revoked,
    SetRevocation, Settled, Settler, SharedStore, StoreError, TokenSet, WriteStore,
    conformance::postgres::Database,
    postgres::{Options, PostgresStore},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// Says what it was asked; answers once it is let, or never.
struct Asked {
    epochs: Mutex<Vec<Epoch>>,
    let_through: Semaphore,
    fails: bool,
}

impl Asked {
    fn new(let_through: usize, fails: bool) -> Arc<Self> {
        let let_through = Semaphore::new(let_through);
        Arc::new(Self { epochs: Mutex::default(), let_through, fails })
    }

    fn take(&self) -> Vec<Epoch> {
        std::mem::take(&mut *self.epochs.lock())
    }
}

#[async_trait]
impl Settler for Asked {
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        self.epochs.lock().push(epoch);
        self.let_through.acquire().await.unwrap().forget();
        match self.fails {
            true => Err(StoreError::Unavailable(None)),
            false => Ok(Settled { epoch: epoch + 1, acknowledged: 3, waited_out: 2 }),
        }
    }
}

async fn store(database: &Database, settler: &Arc<Asked>) -> Arc<PostgresStore> {
    let memory = Arc::new(Memory::default());
    let settler = Arc::clone(settler) as Arc<dyn Settler>;
    let options = Options { settler, ..options(database.connection(), memory) };
    let store = PostgresStore::open(options).await.unwrap();
    store.load().await.unwrap();
    Arc::new(store)
}

fn set() -> SetRevocation {
    SetRevocation {
        set: TokenSet::Owner(owner_id("u")),
        issued_before: IssuedBefore::Moment(at(0)),
        reason: RevocationReason::Unspecified,
    }
}

fn all() -> RevocationOfAll {
    RevocationOfAll {
        owner: owner_id("u"),
        kind: TokenKind::Bearer,
        reason: RevocationReason::Unspecified,
    }
}

#[tokio::test]
async fn what_takes_power_away_or_finds_it_taken_is_settled_and_nothing_else() {
    let database = Database::create().await;
    let asked = Asked::new(usize::MAX >> 4, false);
    let store = store(&database, &asked).await;
    let settled = |epoch: Epoch| Settled { epoch: epoch + 1, acknowledged: 3, waited_out: 2 };
    store.create_owner(user("u"), by(0)).await.unwrap();
    for name in ["a", "b", "c"] {
        store.issue(bearer(name, "u"), by(1)).await.unwrap();
    }
    store.record_use(vec![(id("a"), at(2))]).await.unwrap();
    let unknown = store.revoke(revocation("none"), by(2)).await.unwrap();
    assert_eq!((unknown, asked.take()), (Revoked::Unknown, Vec::<Epoch>::new()));

    let first = store.revoke(revocation("a"), by(2)).await.unwrap();
    assert_eq!((first, asked.take()), (Revoked::Now(settled(1)), vec![1]));
    match store.revoke(revocation("a"), by(3)).await.unwrap() {
        Revoked::Before { settled: found, .. } => assert_eq!(found, settled(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(asked.take(), [1], "found revoked, at the epoch as it is");
    let foreign = Revocation { owner: Some(owner_id("v")), ..revocation("a") };
    assert_eq!(store.revoke(foreign, by(3)).await.unwrap(), Revoked::Unknown);
    assert_eq!(asked.take(), Vec::<Epoch>::new());

    let suspend = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    store.update_owner(owner_id("u"), suspend.clone(), by(4)).await.unwrap();
    store.update_owner(owner_id("u"), suspend, by(5)).await.unwrap();
    assert_eq!(asked.take(), [2, 2], "and once more when it is found suspended");
    let resume = OwnerUpdate { suspended: Some(false), ..OwnerUpdate::default() };
    store.update_owner(owner_id("u"), resume, by(6)).await.unwrap();
    let end = TokenUpdate { expires_at: Some(at(90)), ..TokenUpdate::default() };
    store.update_token(id("b"), end, by(7)).await.unwrap();
    let what = NewRotation {
        from: id("b"),
        id: id("d"),
        material: bearer("d", "u").material,
        lifetime: None,
        overlap: Overlap::None,
        idempotency: None,
    };
    store.rotate(what, by(8)).await.unwrap();
    assert_eq!(asked.take(), [3, 4, 5]);
    let revoked = store.revoke_all(all(), by(9)).await.unwrap();
    assert_eq!((revoked.count, revoked.settled), (2, settled(6)));
    let revoked = store.revoke_all(all(), by(9)).await.unwrap();
    assert_eq!((revoked.count, revoked.settled), (0, settled(6)));
    let revoked = store.revoke_set(set(), by(9)).await.unwrap();
    assert_eq!((revoked.settled, asked.take()), (settled(7), vec![6, 6, 7]));
}

#[tokio::test]
async fn revocation_that_does_not_settle_is_no_success() {
    let database = Database::create().await;
    let asked = Asked::new(usize::MAX >> 4, true);
    let store = store(&database, &asked).await;
    store.create_owner(user("u"), by(0)).await.unwrap();
    store.issue(bearer("a", "u"), by(1)).await.unwrap();
    store.revoke(revocation("a"), by(2)).await.unwrap_err();
    store.revoke(revocation("a"), by(3)).await.unwrap_err();
    store.revoke_all(all(), by(4)).await.unwrap_err();
    store.revoke_set(set(), by(5)).await.unwrap_err();
    assert_eq!(asked.take(), [1, 1, 1, 2]);
}

#[tokio::test]
async fn settling_holds_up_nobody_else() {
    let database = Database::create().await;
    let asked = Asked::new(0, false);
    let store = store(&database, &asked).await;
    store.create_owner(user("u"), by(0)).await.unwrap();
    store.issue(bearer("a", "u"), by(1)).await.unwrap();
    let revoking = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.revoke(revocation("a"), by(2)).await }
    });
    while asked.epochs.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    let patience = Duration::from_secs(5);
    timeout(patience, store.issue(bearer("b", "u"), by(3))).await.unwrap().unwrap();
    assert!(!revoking.is_finished());
    asked.let_through.add_permits(1);
    assert!(matches!(revoking.await.unwrap(), Ok(Revoked::Now(_))));
}
