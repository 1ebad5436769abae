//! How long a start takes: from opening the file to the last token told to the follower; and what
//! durable revocations cost, one by one and many at once, beside a bare commit of the same file
//! system.
//!
//! `cargo bench -p rescind-store --bench start_up [-- TOKENS]`. Plain timings of whole operations,
//! so no criterion.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![expect(clippy::print_stdout, reason = "its figures are its answer")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use rescind_core::{
    Actor, Digest, OwnerId, OwnerKind, RevocationReason, ScopeSet, Timestamp, TokenId, TokenKind,
};
use rescind_store::sqlite::{Options, SqliteStore};
use rescind_store::{
    By, Change, Epoch, Follower, KeyRing, Material, NewOwner, NewToken, Revocation, WriteStore,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Callers at once while the database is filled.
const CALLERS: usize = 64;
/// Tokens of one owner; there is a most (`rescind_core::ACTIVE_TOKENS_MAX`).
const TOKENS_OF_ONE: usize = 5_000;
/// Revocations timed one by one.
const ONE_BY_ONE: usize = 500;

#[derive(Default)]
struct Counting(AtomicUsize);

impl Follower for Counting {
    fn apply(&self, change: Change) {
        if matches!(change, Change::Issued { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn reached(&self, _: Epoch) {}

    fn clear(&self) {}

    fn seal(&self) {}
}

#[tokio::main]
async fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let tokens: usize = asked.unwrap_or(1_000_000);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rescind.db");
    let keys = KeyRing::parse([KeyRing::generate_text(&mut rand::rng()).as_str()]).unwrap();
    println!("bare fsync of 4 KiB: p50 {:?}", bare_commit(directory.path()));

    let store = Arc::new(open(&path, &keys).0);
    let ids = Arc::new(fill(&store, tokens).await);
    let (one_by_one, rest) = ids.split_at(ONE_BY_ONE.min(ids.len()));
    println!("one revocation at a time: p50 {:?}", revoke_in_turn(&store, one_by_one).await);
    let many: Vec<TokenId> = rest.iter().take(20_000).cloned().collect();
    let (count, began) = (many.len(), Instant::now());
    revoke_at_once(&store, many).await;
    println!("{CALLERS} revokers at once: {:.0}/s", per_second(count, began.elapsed()));
    store.close().await.unwrap();
    drop(store);

    for _ in 0..3 {
        let (store, loaded, took) = open(&path, &keys);
        println!("start with {loaded} active tokens: {took:?}");
        store.close().await.unwrap();
    }
}

fn open(path: &Path, keys: &KeyRing) -> (SqliteStore, usize, Duration) {
    let follower = Arc::new(Counting::default());
    let began = Instant::now();
    let store = SqliteStore::open(Options {
        path: path.to_path_buf(),
        key_ring: keys.clone(),
        follower: Arc::clone(&follower) as Arc<dyn Follower>,
    });
    let took = began.elapsed();
    (store.unwrap(), follower.0.load(Ordering::Relaxed), took)
}

async fn fill(store: &Arc<SqliteStore>, tokens: usize) -> Vec<TokenId> {
    for number in 0..=tokens / TOKENS_OF_ONE {
        let new = NewOwner {
            id: owner(number),
            kind: OwnerKind::Operator { name: "bench".into() },
            tenant: None,
            password_hash: None,
            token_management: false,
            allowed_scopes: None,
            allowed_networks: None,
            idempotency: None,
        };
        store.create_owner(new, by()).await.unwrap();
    }
    let began = Instant::now();
    let callers = (0..CALLERS).map(|caller| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut ids = Vec::new();
            for number in (caller..tokens).step_by(CALLERS) {
                let token = NewToken {
                    id: TokenId::random("admin_", &mut rand::rng()),
                    owner: owner(number / TOKENS_OF_ONE),
                    kind: TokenKind::Admin,
                    label: None,
                    scopes: ScopeSet::parse(["read"]).unwrap(),
                    expires_at: None,
                    allowed_networks: None,
                    issued_at: None,
                    idempotency: None,
                    material: Material::Digest(Digest::of(&number.to_le_bytes())),
                };
                ids.push(token.id.clone());
                store.issue(token, by()).await.unwrap();
            }
            ids
        })
    });
    let mut ids = Vec::with_capacity(tokens);
    for caller in callers.collect::<Vec<_>>() {
        ids.extend(caller.await.unwrap());
    }
    println!("{CALLERS} issuers at once: {:.0}/s", per_second(tokens, began.elapsed()));
    ids
}

fn owner(number: usize) -> OwnerId {
    OwnerId::parse(&format!("operator_{number}")).unwrap()
}

async fn revoke_in_turn(store: &SqliteStore, ids: &[TokenId]) -> Duration {
    let mut times = Vec::new();
    for id in ids {
        let began = Instant::now();
        store.revoke(revocation(id), by()).await.unwrap();
        times.push(began.elapsed());
    }
    median(times)
}

async fn revoke_at_once(store: &Arc<SqliteStore>, ids: Vec<TokenId>) {
    let ids = Arc::new(ids);
    let revokers = (0..CALLERS).map(|caller| {
        let (store, ids) = (Arc::clone(store), Arc::clone(&ids));
        tokio::spawn(async move {
            for id in ids.iter().skip(caller).step_by(CALLERS) {
                store.revoke(revocation(id), by()).await.unwrap();
            }
        })
    });
    for revoker in revokers.collect::<Vec<_>>() {
        revoker.await.unwrap();
    }
}

/// What the disk itself takes: append and fsync, the least that any durable commit does.
fn bare_commit(directory: &Path) -> Duration {
    use std::io::Write;
    let mut file = std::fs::File::create(directory.join("bare")).unwrap();
    let times = (0..ONE_BY_ONE).map(|_| {
        let began = Instant::now();
        file.write_all(&[0; 4_096]).unwrap();
        file.sync_data().unwrap();
        began.elapsed()
    });
    median(times.collect())
}

fn revocation(id: &TokenId) -> Revocation {
    Revocation { id: id.clone(), owner: None, reason: RevocationReason::Unspecified }
}

fn by() -> By {
    By {
        actor: Actor::system("bench"),
        let_in: None,
        at: Timestamp::from_millis(1_774_267_200_000),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn per_second(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
