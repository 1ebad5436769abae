//! The writer from inside: jobs of any content, and batches composed at will.

use super::{
    Options, SqliteStore, connection,
    fault::{Fault, Stop},
    readers::READ_CONNECTIONS,
    rows,
    tx::Tx,
    writer::{BATCH_JOBS_MAX, QUEUE_JOBS_MAX},
};
use crate::{By, Change, Epoch, Follower, KeyRing, NewOwner, OwnerError, StoreError, WriteStore};
use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use rescind_core::{Actor, OwnerId, OwnerKind, Timestamp};
use rusqlite::{Connection, StatementStatus, config::DbConfig, ffi};
use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
};
use tokio::task::JoinHandle;

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Follower for Heard {
    fn apply(&self, change: Change) {
        if let Change::Owner(owner) = change {
            assert_ne!(owner.id.as_str(), "poison");
            self.0.lock().push(owner.id.to_string());
        }
    }
    fn reached(&self, _: Epoch) {}
    fn clear(&self) {}
    fn seal(&self) {
        self.0.lock().push("sealed".into());
    }
}

struct Scene {
    store: Arc<SqliteStore>,
    heard: Arc<Heard>,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let heard = Arc::new(Heard::default());
        let directory = tempfile::tempdir().unwrap();
        let text = KeyRing::generate_text(&mut StdRng::seed_from_u64(1));
        let store = SqliteStore::open(Options {
            path: directory.path().join("data/rescind.db"),
            key_ring: KeyRing::parse([text.as_str()]).unwrap(),
            follower: Arc::clone(&heard) as Arc<dyn Follower>,
        });
        Self { store: Arc::new(store.unwrap()), heard, directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// Holds the writer in a batch of its own until the sender is used or dropped.
    async fn hold(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel();
        let (inside, entered) = tokio::sync::oneshot::channel();
        let _holding = self.spawn(move |_| {
            inside.send(()).unwrap();
            let _ = held.recv();
            Ok(())
        });
        entered.await.unwrap();
        release
    }

    fn spawn<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, Stop<StoreError>> + Send + 'static,
    ) -> JoinHandle<Result<T, StoreError>> {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move { store.tx("test", body).await })
    }

    fn create(&self, name: &str) -> JoinHandle<Result<(), OwnerError>> {
        let (store, name) = (Arc::clone(&self.store), name.to_owned());
        tokio::spawn(async move { store.create_owner(owner(&name), by()).await.map(drop) })
    }

    /// Until as many jobs wait as were spawned.
    async fn queued(&self, jobs: usize) {
        while QUEUE_JOBS_MAX - self.store.queue.capacity() < jobs {
            tokio::task::yield_now().await;
        }
    }

    async fn exists(&self, name: &str) -> bool {
        use crate::ReadStore;
        self.store.owner(&OwnerId::parse(name).unwrap()).await.unwrap().is_some()
    }
}

fn owner(name: &str) -> NewOwner {
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

fn by() -> By {
    By { actor: Actor::system("test"), let_in: None, at: Timestamp::from_millis(1) }
}

fn sqlite_error(code: std::ffi::c_int) -> Stop<StoreError> {
    Stop::Fault(Fault::Sql(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)))
}

#[tokio::test]
async fn write_connection_is_durable_and_leaves_checkpoints_to_us() {
    let scene = Scene::new();
    let read = scene.spawn(|tx| {
        let number = |pragma: &str| tx.sql.pragma_query_value(None, pragma, |row| row.get(0));
        let mode = tx.sql.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let closing = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        assert!(tx.sql.db_config(closing)?);
        let numbers: Vec<i64> = ["synchronous", "foreign_keys", "trusted_schema"]
            .into_iter()
            .map(number)
            .collect::<Result<_, _>>()?;
        Ok::<(String, Vec<i64>), _>((mode, numbers))
    });
    assert_eq!(read.await.unwrap().unwrap(), ("wal".into(), vec![2, 1, 0]));
}

#[test]
fn statement_is_parsed_once_however_often_it_is_bound() {
    let scene = Scene::new();
    let sql = connection::reader(&scene.file("rescind.db")).unwrap();
    let found = rows::tokens_where("tokens.digest = ?1");
    let mut statement = sql.prepare(&found).unwrap();
    for digest in [[1u8; 32], [2; 32]] {
        assert!(!statement.exists([digest]).unwrap());
        statement.clear_bindings();
    }
    assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
}

#[tokio::test]
async fn waiting_jobs_share_one_commit_up_to_the_limit() {
    let scene = Scene::new();
    for (waiting, commits) in [(1, 1), (BATCH_JOBS_MAX, 1), (BATCH_JOBS_MAX + 1, 2)] {
        let release = scene.hold().await;
        let before = scene.store.counts();
        let jobs: Vec<_> = (0..waiting).map(|n| scene.create(&format!("o{waiting}-{n}"))).collect();
        scene.queued(waiting).await;
        drop(release);
        for job in jobs {
            job.await.unwrap().unwrap();
        }
        let after = scene.store.counts();
        // The holding job's own commit is among them.
        assert_eq!(after.commits - before.commits, commits + 1, "{waiting} waiting");
        assert_eq!(after.jobs - before.jobs, waiting as u64 + 1);
    }
}

#[tokio::test]
async fn refused_broken_and_panicking_jobs_are_undone_and_their_neighbours_kept() {
    let scene = Scene::new();
    scene.create("taken").await.unwrap().unwrap();
    let release = scene.hold().await;
    let insert = "INSERT INTO owners (id, kind, name, token_management, created_at)
                  VALUES ('half', 'operator', 'half', 0, 0)";
    let first = scene.create("first");
    scene.queued(1).await;
    let refused = scene.create("taken");
    scene.queued(2).await;
    let broken = scene.spawn(move |tx| {
        tx.sql.execute(insert, [])?;
        Err::<(), _>(sqlite_error(ffi::SQLITE_TOOBIG))
    });
    scene.queued(3).await;
    let panicking = scene.spawn::<()>(move |tx| {
        tx.sql.execute(insert, [])?;
        tx.tell(Change::Owner(super::owners::get(tx, &OwnerId::parse("half").unwrap())?.unwrap()));
        panic!("a bug")
    });
    scene.queued(4).await;
    let last = scene.create("last");
    scene.queued(5).await;
    let before = scene.store.counts();
    drop(release);

    first.await.unwrap().unwrap();
    assert!(matches!(refused.await.unwrap(), Err(OwnerError::Exists)));
    assert!(matches!(broken.await.unwrap(), Err(StoreError::Unavailable(Some(_)))));
    assert!(matches!(panicking.await.unwrap(), Err(StoreError::Unavailable(Some(_)))));
    last.await.unwrap().unwrap();
    assert_eq!(scene.store.counts().commits - before.commits, 2, "all shared one commit");
    assert!(!scene.exists("half").await);
    assert_eq!(*scene.heard.0.lock(), ["taken", "first", "last"]);
}

#[tokio::test]
async fn full_disk_changes_nothing_and_the_store_recovers() {
    let scene = Scene::new();
    let limit = |pages: i64| {
        scene.spawn(move |tx| {
            tx.sql.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })
    };
    let first = "full-disk-0";
    // SQLite will not go below the present size: no page more than there are.
    limit(1).await.unwrap().unwrap();
    let mut created = 0;
    let refused = loop {
        match scene.create(&format!("full-disk-{created}")).await.unwrap() {
            Ok(()) => created += 1,
            Err(refused) => break refused,
        }
    };
    let OwnerError::Store(StoreError::Unavailable(Some(cause))) = refused else {
        panic!("{refused:?}")
    };
    assert!(format!("{cause:?}").contains("DiskFull"), "{cause:?}");
    assert!(!scene.exists(&format!("full-disk-{created}")).await);
    assert_eq!(scene.heard.0.lock().len(), created);
    limit(1 << 20).await.unwrap().unwrap();
    let file = std::fs::read(scene.file("rescind.db")).unwrap();
    let copied = file.windows(first.len()).any(|part| part == first.as_bytes());
    assert!(copied, "the log was not copied to make room");
    scene.create(&format!("full-disk-{created}")).await.unwrap().unwrap();
    assert_eq!(scene.heard.0.lock().len(), created + 1);
}

#[tokio::test]
async fn io_error_seals_and_refuses_everything_after() {
    let scene = Scene::new();
    let release = scene.hold().await;
    let neighbour = scene.create("neighbour");
    scene.queued(1).await;
    let broken = scene.spawn(|_| Err::<(), _>(sqlite_error(ffi::SQLITE_IOERR_WRITE)));
    scene.queued(2).await;
    drop(release);
    let failed = |answer: &StoreError| matches!(answer, StoreError::Failed(Some(_)));
    assert!(failed(&broken.await.unwrap().unwrap_err()));
    let refused = neighbour.await.unwrap().unwrap_err();
    assert!(matches!(&refused, OwnerError::Store(error) if failed(error)), "{refused:?}");
    scene.store.failed().await;
    assert_eq!(*scene.heard.0.lock(), ["sealed"]);
    assert!(scene.create("later").await.unwrap().is_err());
    use crate::ReadStore;
    assert!(failed(&scene.store.epoch().await.unwrap_err()));
    assert!(failed(&scene.store.close().await.unwrap_err()));
    assert_eq!(*scene.heard.0.lock(), ["sealed"]);
}

#[tokio::test]
async fn panicking_follower_seals_though_the_commit_is_durable() {
    let scene = Scene::new();
    let refused = scene.create("poison").await.unwrap().unwrap_err();
    assert!(matches!(refused, OwnerError::Store(StoreError::Failed(Some(_)))), "{refused:?}");
    assert!(scene.store.failed().await.contains("panicked"));
    assert_eq!(*scene.heard.0.lock(), ["sealed"]);
    assert!(scene.create("later").await.unwrap().is_err());
}

#[tokio::test]
async fn full_queue_refuses_at_once_and_loses_nothing_it_took() {
    let scene = Scene::new();
    let release = scene.hold().await;
    let taken: Vec<_> = (0..QUEUE_JOBS_MAX).map(|n| scene.create(&format!("o{n}"))).collect();
    scene.queued(QUEUE_JOBS_MAX).await;
    let refused = scene.create("one-more").await.unwrap();
    assert!(matches!(refused, Err(OwnerError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    drop(release);
    for job in taken {
        job.await.unwrap().unwrap();
    }
    assert!(!scene.exists("one-more").await);
}

#[tokio::test]
async fn query_that_panics_holds_up_none_behind_it() {
    let scene = Scene::new();
    let ask = |n: usize| {
        let readers = Arc::clone(&scene.store.readers);
        let query = move |_: &Connection| {
            assert!(!n.is_multiple_of(3), "one that panics");
            Ok(n)
        };
        tokio::spawn(async move { readers.read(query).await })
    };
    let asked: Vec<_> = (0..100).map(ask).collect();
    for (n, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap().ok(), (!n.is_multiple_of(3)).then_some(n));
    }
    scene.store.close().await.unwrap();
}

#[tokio::test]
async fn close_waits_for_queries_under_way_and_refuses_those_that_wait() {
    let scene = Scene::new();
    let (inside, mut entered) = tokio::sync::mpsc::unbounded_channel();
    let (release, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let ask = |()| {
        let (readers, inside) = (Arc::clone(&scene.store.readers), inside.clone());
        let held = Arc::clone(&held);
        let query = move |_: &Connection| {
            inside.send(()).unwrap();
            let _ = held.lock().recv();
            Ok(())
        };
        tokio::spawn(async move { readers.read(query).await })
    };
    let under_way = [(); READ_CONNECTIONS as usize].map(ask);
    for _ in &under_way {
        entered.recv().await.unwrap();
    }
    let waiting = ask(());
    tokio::task::yield_now().await;
    let store = Arc::clone(&scene.store);
    let closing = tokio::spawn(async move { store.close().await });
    waiting.await.unwrap().unwrap_err();
    assert!(!closing.is_finished());
    drop(release);
    for answer in under_way {
        answer.await.unwrap().unwrap();
    }
    closing.await.unwrap().unwrap();
    scene.store.readers.read(|_| Ok(())).await.unwrap_err();
}

#[tokio::test]
async fn close_writes_what_waits_and_empties_the_log() {
    let scene = Scene::new();
    let release = scene.hold().await;
    let waiting = scene.create("waiting");
    scene.queued(1).await;
    let store = Arc::clone(&scene.store);
    let closing = tokio::spawn(async move { store.close().await });
    scene.queued(2).await;
    drop(release);
    waiting.await.unwrap().unwrap();
    closing.await.unwrap().unwrap();
    assert_eq!(scene.file("rescind.db-wal").metadata().unwrap().len(), 0);
    let refused = scene.create("later").await.unwrap();
    assert!(matches!(refused, Err(OwnerError::Store(StoreError::Unavailable(_)))), "{refused:?}");
}

#[tokio::test]
async fn log_is_checkpointed_before_it_grows_without_bound() {
    let scene = Scene::new();
    let database = scene.file("rescind.db");
    let before = database.metadata().unwrap().len();
    for round in 0..100 {
        let jobs: Vec<_> = (0..64).map(|n| scene.create(&format!("o{round}-{n}"))).collect();
        for job in jobs {
            job.await.unwrap().unwrap();
        }
    }
    let log = scene.file("rescind.db-wal").metadata().unwrap().len();
    assert!(database.metadata().unwrap().len() > before, "no checkpoint has run");
    assert!(log < 16 << 20, "the log has {log} bytes");
}
