//! The engine from inside: jobs of any content, batches composed at will, and a reader that is
//! stopped between reading and telling.

use super::{
    Durability, Options, PostgresStore,
    fault::Stop,
    fetch::{look, query},
    tx::Tx,
    writer::{BATCH_JOBS_MAX, QUEUE_JOBS_MAX},
};
use crate::{
    By, Change, Epoch, Fetched, Follower, KeyRing, Material, NewOwner, NewToken, OwnerError,
    Position, Revocation, Settled, Settler, SharedStore, Sought, StoreError, WriteStore,
    conformance::postgres::Database,
};
use async_trait::async_trait;
use futures_util::{future::BoxFuture, join};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use rescind_core::{
    Actor, Digest, OwnerId, OwnerKind, RevocationReason, ScopeSet, Timestamp, TokenId, TokenKind,
};
use std::sync::Arc;
use tokio::{sync::oneshot, task::JoinHandle};

struct Alone;

#[async_trait]
impl Settler for Alone {
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        Ok(Settled::alone(epoch))
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Follower for Heard {
    fn apply(&self, change: Change) {
        let heard = match change {
            Change::Owner(owner) => owner.id.to_string(),
            Change::Issued { record, .. } => format!("issued {}", record.id),
            Change::Revoked { id, .. } => format!("revoked {id}"),
            _ => return,
        };
        assert_ne!(heard, "poison");
        self.0.lock().push(heard);
    }

    fn reached(&self, _: Epoch) {}

    fn clear(&self) {
        self.0.lock().clear();
    }

    fn seal(&self) {
        self.0.lock().push("sealed".into());
    }
}

struct Scene {
    store: Arc<PostgresStore>,
    heard: Arc<Heard>,
    database: Arc<Database>,
}

impl Scene {
    async fn new() -> Self {
        Self::over(Arc::new(Database::create().await)).await
    }

    /// Another node.
    async fn over(database: Arc<Database>) -> Self {
        let heard = Arc::new(Heard::default());
        let text = KeyRing::generate_text(&mut StdRng::seed_from_u64(1));
        let store = PostgresStore::open(Options {
            connection: database.connection(),
            ca_file: None,
            durability: Durability::Single,
            key_ring: KeyRing::parse([text.as_str()]).unwrap(),
            follower: Arc::clone(&heard) as Arc<dyn Follower>,
            settler: Arc::new(Alone),
        });
        let store = Arc::new(store.await.unwrap());
        store.load().await.unwrap();
        Self { store, heard, database }
    }

    /// Holds the writer in a batch of its own until the sender is used or dropped.
    async fn hold(&self) -> oneshot::Sender<()> {
        let (release, held) = oneshot::channel();
        let (inside, entered) = oneshot::channel();
        let _holding = self.spawn(|_| {
            Box::pin(async move {
                inside.send(()).unwrap();
                let _ = held.await;
                Ok(())
            })
        });
        entered.await.unwrap();
        release
    }

    fn spawn<T: Send + 'static>(
        &self,
        body: impl for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<StoreError>>>
        + Send
        + 'static,
    ) -> JoinHandle<Result<T, StoreError>> {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move { store.tx("test", body).await })
    }

    fn create(&self, name: &str) -> JoinHandle<Result<(), OwnerError>> {
        let (store, new) = (Arc::clone(&self.store), operator(name));
        tokio::spawn(async move { store.create_owner(new, by()).await.map(drop) })
    }

    fn heard(&self) -> Vec<String> {
        self.heard.0.lock().clone()
    }

    async fn waiting(&self, jobs: usize) {
        while self.store.queue.capacity() > QUEUE_JOBS_MAX - jobs {
            tokio::task::yield_now().await;
        }
    }
}

fn by() -> By {
    By { actor: Actor::system("test"), let_in: None, at: Timestamp::from_millis(1_790_000_000_000) }
}

fn operator(name: &str) -> NewOwner {
    NewOwner {
        id: OwnerId::parse(name).unwrap(),
        kind: OwnerKind::Operator { name: name.into() },
        tenant: None,
        password_hash: None,
        token_management: false,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    }
}

fn admin(name: &str) -> NewToken {
    NewToken {
        id: TokenId::parse(name).unwrap(),
        owner: OwnerId::parse("o").unwrap(),
        kind: TokenKind::Admin,
        label: None,
        scopes: ScopeSet::default(),
        expires_at: None,
        allowed_networks: None,
        material: Material::Digest(Digest::of(name.as_bytes())),
        issued_at: None,
        idempotency: None,
    }
}

fn revocation(name: &str) -> Revocation {
    let id = TokenId::parse(name).unwrap();
    Revocation { id, owner: None, reason: RevocationReason::Unspecified }
}

/// Read, revoked by another node, heard of, and only then put in: the late accept.
#[tokio::test]
async fn token_revoked_between_fetch_and_publication_does_not_come_back() {
    let a = Scene::new().await;
    a.store.create_owner(operator("o"), by()).await.unwrap();
    let b = Scene::over(Arc::clone(&a.database)).await;
    for name in ["t", "other"] {
        a.store.issue(admin(name), by()).await.unwrap();
    }
    let [t, other] = ["t", "other"].map(|name| Sought::Bearer(Digest::of(name.as_bytes())));
    let read =
        async |sought: &[Sought]| look(&b.store.readers, &b.store.keys, sought).await.unwrap();
    let in_time = read(std::slice::from_ref(&other)).await;
    let late = read(std::slice::from_ref(&t)).await;
    let together = read(&[other.clone(), t.clone()]).await;
    a.store.revoke(revocation("t"), by()).await.unwrap();
    // Not heard of yet: nothing was answered that this would contradict.
    assert_eq!(in_time.put(&b.store.memory).unwrap(), Some(vec![Fetched::Known]));
    b.store.apply(b.store.read_log(Position::default()).await.unwrap()).unwrap();
    assert_eq!(late.put(&b.store.memory).unwrap(), None);
    assert_eq!(together.put(&b.store.memory).unwrap(), None);
    let issued = |name: &str| b.heard().contains(&format!("issued {name}"));
    assert!(issued("other") && !issued("t"), "{:?}", b.heard());
    let fetched = b.store.fetch(&[other, t]).await.unwrap();
    assert_eq!(fetched, [Fetched::Known, Fetched::Revoked]);
}

/// A plan is kept for as long as nobody analyses the tables, however much they grow.
#[tokio::test]
async fn fetch_that_was_planned_for_empty_tables_reads_none_of_them_whole() {
    let scene = Scene::new().await;
    let sql = scene.database.client().await;
    for plans in ["force_generic_plan", "force_custom_plan"] {
        let prepare = format!("SET plan_cache_mode = {plans}; PREPARE fetched AS {}", query());
        sql.batch_execute(&prepare).await.unwrap();
        let explain = "EXPLAIN EXECUTE fetched ('{a, NULL}', '{NULL, b}')";
        let rows = sql.query(explain, &[]).await.unwrap();
        let plan = rows.iter().map(|row| row.get(0)).collect::<Vec<&str>>().join("\n");
        for index in ["tokens_digest_key", "tokens_id_key", "owners_id_key"] {
            assert!(plan.contains(&format!("Index Scan using {index}")), "{plan}");
        }
        for slow in ["Seq Scan on tokens", "Seq Scan on owners", "JIT"] {
            assert!(!plan.contains(slow), "{plan}");
        }
        sql.batch_execute("DEALLOCATE fetched").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_jobs_share_a_commit_and_a_panic_takes_none_of_them_with_it() {
    let scene = Scene::new().await;
    let before = scene.store.counts();
    let release = scene.hold().await;
    let first = scene.create("first");
    scene.waiting(1).await;
    let panicking: JoinHandle<Result<(), StoreError>> = scene.spawn(|tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO bounds VALUES ('half', 1, 1)", &[]).await?;
            tx.raise_epoch("tenant", "half", "done", by().at);
            panic!("in the middle");
        })
    });
    scene.waiting(2).await;
    let refused: JoinHandle<Result<(), StoreError>> = scene.spawn(|tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO no_such_table VALUES (1)", &[]).await?;
            Ok(())
        })
    });
    scene.waiting(3).await;
    let last = scene.create("last");
    scene.waiting(4).await;
    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    last.await.unwrap().unwrap();
    for undone in [panicking, refused] {
        let undone = undone.await.unwrap();
        assert!(matches!(undone, Err(StoreError::Unavailable(_))), "{undone:?}");
    }
    assert_eq!(scene.heard(), ["first", "last"]);
    let sql = scene.database.client().await;
    let left = sql.query("SELECT 1 FROM bounds UNION ALL SELECT 1 FROM epoch WHERE n > 0", &[]);
    assert_eq!(left.await.unwrap().len(), 0);
    let after = scene.store.counts();
    assert_eq!((after.commits - before.commits, after.jobs - before.jobs), (2, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_queue_refuses_at_once_and_close_writes_what_is_waiting() {
    let scene = Scene::new().await;
    let release = scene.hold().await;
    let waiting: Vec<_> = (0..QUEUE_JOBS_MAX).map(|n| scene.create(&format!("o{n}"))).collect();
    scene.waiting(QUEUE_JOBS_MAX).await;
    let refused = scene.store.create_owner(operator("too-much"), by()).await;
    assert!(matches!(refused, Err(OwnerError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    release.send(()).unwrap();
    for job in waiting {
        job.await.unwrap().unwrap();
    }
    assert!(scene.store.counts().commits >= (QUEUE_JOBS_MAX / BATCH_JOBS_MAX) as u64);
    let release = scene.hold().await;
    let last = scene.create("last");
    scene.waiting(1).await;
    let (closed, ()) = join!(scene.store.close(), async { release.send(()).unwrap() });
    closed.unwrap();
    last.await.unwrap().unwrap();
    let closed = scene.store.create_owner(operator("closed"), by()).await;
    assert!(matches!(closed, Err(OwnerError::Store(StoreError::Unavailable(_)))), "{closed:?}");
}

/// Memory that is not what the log says ends the process, as in every engine.
#[tokio::test]
async fn panic_of_the_follower_seals_it_and_fails_everything_after() {
    let scene = Scene::new().await;
    let poisoned = scene.store.create_owner(operator("poison"), by()).await;
    assert!(matches!(poisoned, Err(OwnerError::Store(StoreError::Failed(_)))), "{poisoned:?}");
    assert_eq!(scene.heard(), ["sealed"]);
    assert!(scene.store.failed().await.contains("panicked"));
    let after = scene.store.create_owner(operator("after"), by()).await;
    assert!(matches!(after, Err(OwnerError::Store(StoreError::Failed(_)))), "{after:?}");
    assert!(scene.store.applied().is_err());
}
