//! What is not in memory, on one node of several.

use crate::house::{House, demand};
use async_trait::async_trait;
use parking_lot::Mutex;
use rescind_core::signature::{Secret, SignedRequest};
use rescind_core::{Denial, Digest, Plain, ScopeSet, SignedHeaders, TokenKind};
use rescind_guard::clock::{Clock, SystemClock};
use rescind_guard::{Guard, Refusal};
use rescind_node::{
    FETCH_EVERY, FETCH_PATIENCE, FETCHED_PER_SECOND, FETCHED_TOGETHER_MAX, FETCHES_AT_ONCE,
    Fetches, Source, UNKNOWN_FOR, Verifications, Verifier,
};
use rescind_store::{Change, Fetched, Follower, Material, Sought, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const UNKNOWN: Refusal = Refusal::Denied(Denial::Unknown);

/// What other nodes have made, as the database would give it to this one.
struct Others {
    guard: Arc<Guard>,
    made: Mutex<HashMap<[u8; 32], Change>>,
    says: Mutex<Says>,
    /// Of each query, how many tokens it was about.
    queries: Mutex<Vec<usize>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Says {
    TheTruth,
    Nothing,
    Lies,
    Outage,
    Revoked,
    Unreadable,
    Slowly,
}

#[async_trait]
impl Source for Others {
    async fn fetch(&self, sought: &[Sought]) -> Result<Vec<Fetched>, StoreError> {
        self.queries.lock().push(sought.len());
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        let inside = Inside(&self.at_once);
        tokio::task::yield_now().await;
        drop(inside);
        let says = *self.says.lock();
        let all = |fetched| Ok(vec![fetched; sought.len()]);
        match says {
            Says::TheTruth => {}
            Says::Nothing => return all(Fetched::Unknown),
            Says::Lies => return all(Fetched::Known),
            Says::Outage => return Err(StoreError::Unavailable(None)),
            Says::Revoked => return all(Fetched::Revoked),
            Says::Unreadable => return all(Fetched::Unreadable),
            Says::Slowly => tokio::time::sleep(FETCH_PATIENCE * 2).await,
        }
        Ok(sought.iter().map(|one| self.find(one)).collect())
    }
}

/// A fetch that is given up half-way is over as well.
struct Inside<'a>(&'a AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Others {
    fn find(&self, sought: &Sought) -> Fetched {
        let digest = match sought {
            Sought::Bearer(digest) => *digest,
            Sought::Signer(id) => Digest::of(id.as_str().as_bytes()),
        };
        let Some(change) = self.made.lock().get(digest.as_bytes()).cloned() else {
            return Fetched::Unknown;
        };
        self.guard.apply(change);
        Fetched::Known
    }
}

struct Scene {
    house: House,
    others: Arc<Others>,
    verifier: Verifier,
}

impl Scene {
    fn new() -> Self {
        let house = House::open();
        let others = Arc::new(Others {
            guard: Arc::clone(&house.guard),
            made: Mutex::default(),
            says: Mutex::new(Says::TheTruth),
            queries: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        });
        let verifier = Verifier::among_others(
            Arc::clone(&house.guard),
            Arc::clone(&others) as Arc<dyn Source>,
        );
        Self { house, others, verifier }
    }

    fn saying(says: Says) -> Self {
        let scene = Self::new();
        *scene.others.says.lock() = says;
        scene
    }

    /// A token that another node has made.
    fn made_elsewhere(&self) -> Plain {
        let (record, plain) = House::bearer_record();
        let change = Change::Issued { record, material: Material::Digest(plain.digest()) };
        self.others.made.lock().insert(*plain.digest().as_bytes(), change);
        plain
    }

    async fn ask(&self, plain: &Plain) -> Result<(), Refusal> {
        let verified = self.verifier.bearer(plain.expose(), &demand(&ScopeSet::default())).await;
        verified.map(drop)
    }

    /// About how many tokens the source was asked.
    fn asked(&self) -> usize {
        self.others.queries.lock().iter().sum()
    }
}

fn made_up() -> Plain {
    House::bearer_record().1
}

#[tokio::test]
async fn token_of_another_node_is_fetched_once() {
    let scene = Scene::new();
    let plain = scene.made_elsewhere();
    assert_eq!(scene.ask(&plain).await, Ok(()));
    assert_eq!(scene.ask(&plain).await, Ok(()));
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn signer_of_another_node_is_fetched() {
    let scene = Scene::new();
    let secret = Secret::random(&mut rand::rng());
    let record = crate::house::record(TokenKind::Signing, &[], None);
    let id = record.id.clone();
    let change = Change::Issued { record, material: Material::Secret(secret.clone()) };
    scene.others.made.lock().insert(*Digest::of(id.as_str().as_bytes()).as_bytes(), change);
    let request = SignedRequest::with_body("GET", "/", b"");
    let timestamp = scene.house.clock.text();
    let signature = secret.key().sign(&timestamp, &request);
    let signed = SignedHeaders::parse(id.as_str(), &timestamp, &signature).unwrap();
    assert_eq!(scene.verifier.signed_is_hopeless(&signed).await, Ok(()));
    let scopes = ScopeSet::default();
    assert!(scene.verifier.signed(&signed, &request, &demand(&scopes)).await.is_ok());
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn token_in_memory_is_never_asked_for() {
    let scene = Scene::saying(Says::Outage);
    let (_, plain) = scene.house.issue(&[], None);
    assert_eq!(scene.ask(&plain).await, Ok(()));
    assert_eq!(scene.asked(), 0);
}

#[tokio::test]
async fn mistyped_token_is_never_asked_for() {
    let scene = Scene::new();
    let mut text = made_up().expose().to_owned();
    let last = text.pop().unwrap();
    text.push(if last == 'a' { 'b' } else { 'a' });
    let asked = scene.verifier.bearer(&text, &demand(&ScopeSet::default())).await;
    assert_eq!(asked.map(drop), Err(Refusal::Denied(Denial::Mistyped)));
    assert_eq!(scene.asked(), 0);
}

/// What is fetched is put into the index; whether it holds is decided there.
#[tokio::test]
async fn answer_of_the_source_alone_lets_nobody_in() {
    let scene = Scene::saying(Says::Lies);
    assert_eq!(scene.ask(&made_up()).await, Err(UNKNOWN));
}

#[tokio::test]
async fn token_that_is_nowhere_is_looked_for_once_in_a_while() {
    let scene = Scene::saying(Says::Nothing);
    let plain = made_up();
    for _ in 0..3 {
        assert_eq!(scene.ask(&plain).await, Err(UNKNOWN));
    }
    assert_eq!(scene.asked(), 1);
    std::thread::sleep(UNKNOWN_FOR + Duration::from_millis(50));
    assert_eq!(scene.ask(&plain).await, Err(UNKNOWN));
    assert_eq!(scene.asked(), 2);
}

#[tokio::test]
async fn revoked_token_is_looked_for_once() {
    let scene = Scene::saying(Says::Revoked);
    let plain = made_up();
    assert_eq!(scene.ask(&plain).await, Err(UNKNOWN));
    std::thread::sleep(UNKNOWN_FOR + Duration::from_millis(50));
    assert_eq!(scene.ask(&plain).await, Err(UNKNOWN));
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn outage_is_neither_yes_nor_no_and_is_not_remembered() {
    let scene = Scene::saying(Says::Outage);
    let plain = scene.made_elsewhere();
    assert_eq!(scene.ask(&plain).await, Err(Refusal::Sealed));
    *scene.others.says.lock() = Says::TheTruth;
    assert_eq!(scene.ask(&plain).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn slow_database_is_not_waited_for_longer_than_said() {
    let scene = Scene::saying(Says::Slowly);
    let plain = scene.made_elsewhere();
    let begun = tokio::time::Instant::now();
    assert_eq!(scene.ask(&plain).await, Err(Refusal::Sealed));
    assert!(begun.elapsed() < FETCH_PATIENCE + Duration::from_millis(10));
}

/// A fleet that logs in.
#[tokio::test]
async fn those_who_wait_share_a_query() {
    const TOKENS: usize = 4 * FETCHED_TOGETHER_MAX;
    let scene = Arc::new(Scene::new());
    let asking: JoinSet<_> = (0..TOKENS)
        .map(|_| {
            let (scene, plain) = (Arc::clone(&scene), scene.made_elsewhere());
            async move { scene.ask(&plain).await }
        })
        .collect();
    assert_eq!(asking.join_all().await, [Ok(()); TOKENS]);
    let queries = scene.others.queries.lock().clone();
    assert!(queries.len() <= TOKENS / FETCHED_TOGETHER_MAX + 1, "{queries:?}");
}

#[tokio::test]
async fn token_that_many_show_at_once_is_fetched_once() {
    const CLIENTS: usize = 50;
    let scene = Arc::new(Scene::new());
    let plain = Arc::new(scene.made_elsewhere());
    let asking: JoinSet<_> = (0..CLIENTS)
        .map(|_| {
            let (scene, plain) = (Arc::clone(&scene), Arc::clone(&plain));
            async move { scene.ask(&plain).await }
        })
        .collect();
    assert_eq!(asking.join_all().await, [Ok(()); CLIENTS]);
    assert_eq!(scene.asked(), 1);
}

/// Somebody else asks for the same token, and has gone away before there is an answer.
#[tokio::test]
async fn client_that_goes_away_takes_nobody_along() {
    let scene = Arc::new(Scene::new());
    let plain = Arc::new(scene.made_elsewhere());
    let ask = || {
        let (scene, plain) = (Arc::clone(&scene), Arc::clone(&plain));
        tokio::spawn(async move { scene.ask(&plain).await })
    };
    let (impatient, patient) = (ask(), ask());
    tokio::task::yield_now().await;
    impatient.abort();
    assert_eq!(patient.await.unwrap(), Ok(()));
    assert!(impatient.await.unwrap_err().is_cancelled());
}

/// Its secret does not open here: neither yes nor no, and it may open the next moment.
#[tokio::test]
async fn token_that_cannot_be_read_is_not_refused_as_unknown() {
    let scene = Scene::saying(Says::Unreadable);
    let plain = scene.made_elsewhere();
    assert_eq!(scene.ask(&plain).await, Err(Refusal::Sealed));
    *scene.others.says.lock() = Says::TheTruth;
    assert_eq!(scene.ask(&plain).await, Ok(()));
    assert_eq!(scene.verifier.fetches().unwrap().failed, 1);
}

/// What was fetched once is not remembered to be there.
#[tokio::test]
async fn token_that_memory_has_lost_is_fetched_again() {
    let scene = Scene::new();
    let plain = scene.made_elsewhere();
    assert_eq!(scene.ask(&plain).await, Ok(()));
    let (id, digest) = {
        let made = scene.others.made.lock();
        let Some(Change::Issued { record, .. }) = made.get(plain.digest().as_bytes()) else {
            panic!("it was made");
        };
        (record.id.clone(), plain.digest())
    };
    scene.house.guard.apply(Change::Revoked { id, digest: Some(digest) });
    assert_eq!(scene.ask(&plain).await, Ok(()));
    assert_eq!(scene.asked(), 2);
}

#[tokio::test]
async fn flood_of_made_up_tokens_is_bounded_and_leaves_known_ones_alone() {
    let scene = Arc::new(Scene::saying(Says::Nothing));
    let (_, known) = scene.house.issue(&[], None);
    let budget = usize::try_from(FETCHED_PER_SECOND.get()).unwrap();
    let begun = SystemClock.boottime().as_millis();
    let flood: Vec<_> = (0..2 * budget)
        .map(|_| {
            let scene = Arc::clone(&scene);
            tokio::spawn(async move { scene.ask(&made_up()).await })
        })
        .collect();
    let (mut too_many, mut unanswered) = (0_u64, 0_u64);
    for asked in flood {
        match asked.await.unwrap() {
            Err(Refusal::TooManyNew) => too_many += 1,
            Err(Refusal::Sealed) => unanswered += 1,
            other => assert_eq!(other, Err(UNKNOWN)),
        }
        assert_eq!(scene.ask(&known).await, Ok(()));
    }
    let took = usize::try_from(SystemClock.boottime().as_millis() - begun).unwrap();
    let allowed = budget + budget * took / 1_000 + 1;
    assert!(scene.asked() <= allowed, "{} of {allowed}", scene.asked());
    let Fetches { unknown, refused, failed, .. } = scene.verifier.fetches().unwrap();
    assert_eq!((refused, failed), (too_many, unanswered));
    assert_eq!(unknown + refused + failed, u64::try_from(2 * budget).unwrap());
    assert!(scene.others.most_at_once.load(Ordering::SeqCst) <= FETCHES_AT_ONCE);
    let queries = scene.others.queries.lock().clone();
    assert!(queries.iter().all(|tokens| *tokens <= FETCHED_TOGETHER_MAX), "{queries:?}");
    let every = usize::try_from(FETCH_EVERY.as_millis()).unwrap();
    assert!(queries.len() <= took / every + 1, "{} queries in {took} ms", queries.len());
}

#[tokio::test]
async fn node_without_a_lease_says_neither_whatever_is_stored() {
    let scene = Scene::new();
    scene.house.guard.seal();
    assert_eq!(scene.ask(&scene.made_elsewhere()).await, Err(Refusal::Sealed));
    assert_eq!(scene.asked(), 0);
}

#[tokio::test]
async fn every_answer_and_every_fetch_is_counted_once() {
    let scene = Scene::new();
    let (_, known) = scene.house.issue(&[], None);
    for _ in 0..3 {
        scene.ask(&known).await.unwrap();
    }
    scene.ask(&scene.made_elsewhere()).await.unwrap();
    let plain = made_up();
    for _ in 0..2 {
        assert_eq!(scene.ask(&plain).await, Err(UNKNOWN));
    }
    *scene.others.says.lock() = Says::Revoked;
    assert_eq!(scene.ask(&made_up()).await, Err(UNKNOWN));
    *scene.others.says.lock() = Says::Outage;
    assert_eq!(scene.ask(&made_up()).await, Err(Refusal::Sealed));
    let asked = Verifications { accepted: 4, refused: 3, unanswered: 1 };
    assert_eq!(scene.verifier.verifications(), asked);
    let fetched = Fetches { known: 1, revoked: 1, unknown: 1, refused: 0, failed: 1 };
    assert_eq!(scene.verifier.fetches(), Some(fetched));
    assert_eq!(Verifier::alone(Arc::clone(&scene.house.guard)).fetches(), None);
}

/// What has to be waited for is left to be asked again, and only then counted.
#[tokio::test]
async fn only_what_memory_knows_is_answered_at_once() {
    let scene = Scene::new();
    let (scopes, (_, known)) = (ScopeSet::default(), scene.house.issue(&[], None));
    let at_once = |verifier: &Verifier, plain: &Plain| {
        let answer = verifier.bearer_at_once(plain.expose(), &demand(&scopes));
        answer.map(|answer| answer.map(drop))
    };
    let elsewhere = scene.made_elsewhere();
    assert_eq!(at_once(&scene.verifier, &known), Some(Ok(())));
    assert_eq!(at_once(&scene.verifier, &elsewhere), None);
    let asked = Verifications { accepted: 1, refused: 0, unanswered: 0 };
    assert_eq!((scene.verifier.verifications(), scene.asked()), (asked, 0));
    assert_eq!(scene.ask(&elsewhere).await, Ok(()));
    assert_eq!(at_once(&scene.verifier, &elsewhere), Some(Ok(())));
    let alone = Verifier::alone(Arc::clone(&scene.house.guard));
    assert_eq!(at_once(&alone, &made_up()), Some(Err(UNKNOWN)));
    assert_eq!(alone.verifications(), Verifications { accepted: 0, refused: 1, unanswered: 0 });
    scene.house.guard.close();
    assert_eq!(at_once(&scene.verifier, &known), Some(Err(Refusal::Sealed)));
}

/// Whoever comes in passing is not taken for two, on whichever thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_of_all_threads_add_up() {
    let scene = Arc::new(Scene::new());
    let known = Arc::new(scene.house.issue(&[], None).1);
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (scene, known) = (Arc::clone(&scene), Arc::clone(&known));
            tokio::spawn(async move {
                for _ in 0..1_000 {
                    scene.ask(&known).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for one in asking {
        one.await.unwrap();
    }
    assert_eq!(scene.verifier.verifications().accepted, 8_000);
}
