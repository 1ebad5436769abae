//! What memory has never heard of, from where all nodes keep what they make.
//!
//! One query for each such token would be the naive way, and either a fleet that logs in or a
//! stranger who makes tokens up then decides how many there are. So those who wait are asked about
//! together: a query takes along whoever has come since the last one, and a node begins no more than
//! one in [`FETCH_EVERY`]. What is alone does not wait for others; the more there are, the more of
//! them share a query, and what the database has to do for this node has an end.
//!
//! What was not there is remembered, and whoever asks for a token that is being looked for already
//! waits for the same answer. Beyond [`FETCHED_PER_SECOND`] the answer is neither yes nor no.

use crate::tally::{FetchTally, Fetches};
use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::{Expiry, future::Cache};
use rescind_core::{Denial, Digest};
use rescind_guard::Refusal;
use rescind_store::{Fetched, Sought, StoreError};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};

/// Between the beginnings of two queries of a node, at least: no more than a thousand in a second.
pub const FETCH_EVERY: Duration = Duration::from_millis(1);
/// Queries at the same time. Where the database is near, one is over before the next begins; four
/// are for one that is 30 ms away.
pub const FETCHES_AT_ONCE: usize = 4;
/// Tokens of one query.
pub const FETCHED_TOGETHER_MAX: usize = 64;
/// Tokens in a second, and at once after a pause: of a fleet that logs in, and of a stranger who
/// makes them up. As many of them cost PostgreSQL a tenth of a core if they are made up, and four
/// tenths if they are new: see docs/benchmarks.md.
pub const FETCHED_PER_SECOND: NonZeroU32 = NonZeroU32::new(10_000).expect("not zero");
/// How long a request waits for a fetch, its own and those before it.
pub const FETCH_PATIENCE: Duration = Duration::from_millis(500);
/// How long it is remembered that a token does not exist. It may be imported the next moment.
pub const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Tokens that are remembered not to exist, or to be revoked. 32 bytes each, and their place.
pub const ABSENT_TOKENS_MAX: u64 = 100_000;
/// How often the log says that there are too many, in a minute.
const TOO_MANY_SAID_MAX: NonZeroU32 = NonZeroU32::new(6).expect("not zero");

/// Where tokens are that this node has not heard of.
#[async_trait]
pub trait Source: Send + Sync {
    /// Puts the tokens into the index as they are now; an answer for each, in their order.
    async fn fetch(&self, sought: &[Sought]) -> Result<Vec<Fetched>, StoreError>;
}

/// See the module's head.
pub(crate) struct Elsewhere {
    /// Whoever asks for what is being looked for waits here.
    absent: Cache<Key, Fetched>,
    per_second: DefaultDirectRateLimiter,
    /// To [`collect`], which ends with this.
    questions: mpsc::Sender<Question>,
    too_many_said: DefaultDirectRateLimiter,
    tally: FetchTally,
}

/// Of one length, whatever was sent.
type Key = [u8; 32];

fn key(sought: &Sought) -> Key {
    match sought {
        Sought::Bearer(digest) => *digest.as_bytes(),
        Sought::Signer(id) => *Digest::of(id.as_str().as_bytes()).as_bytes(),
    }
}

struct Question {
    sought: Sought,
    /// Dropped if there is none.
    answer: oneshot::Sender<Fetched>,
}

/// Neither there nor not.
#[derive(Clone, Copy)]
pub(crate) enum Unfetched {
    TooMany,
    NoAnswer,
}

impl Elsewhere {
    /// To be called within a runtime.
    pub(crate) fn new(source: Arc<dyn Source>) -> Self {
        let waiting_max = usize::try_from(FETCHED_PER_SECOND.get()).unwrap_or(usize::MAX);
        let (questions, asked) = mpsc::channel(waiting_max);
        tokio::spawn(collect(source, asked));
        let too_many_said = Quota::per_minute(TOO_MANY_SAID_MAX).allow_burst(NonZeroU32::MIN);
        Self {
            absent: Cache::builder()
                .max_capacity(ABSENT_TOKENS_MAX)
                .expire_after(Remembered)
                .build(),
            per_second: RateLimiter::direct(Quota::per_second(FETCHED_PER_SECOND)),
            questions,
            too_many_said: RateLimiter::direct(too_many_said),
            tally: FetchTally::default(),
        }
    }

    /// `Ok` once the index has the token. An outage, and a flood, are neither yes nor no.
    pub(crate) async fn fetch(&self, sought: Sought) -> Result<(), Refusal> {
        let key = key(&sought);
        if let Some(Fetched::Unknown | Fetched::Revoked) = self.absent.get(&key).await {
            return Err(Denial::Unknown.into());
        }
        let fetching = self.absent.try_get_with(key, self.ask(sought));
        let fetched = match timeout(FETCH_PATIENCE, fetching).await {
            Ok(fetched) => fetched.map_err(|why| *why),
            Err(_) => Err(Unfetched::NoAnswer),
        };
        self.tally.count(&fetched);
        match fetched {
            Ok(Fetched::Known) => Ok(()),
            Ok(Fetched::Unknown | Fetched::Revoked) => Err(Denial::Unknown.into()),
            Ok(Fetched::Unreadable) | Err(Unfetched::NoAnswer) => Err(Refusal::Sealed),
            Err(Unfetched::TooMany) => Err(self.too_many()),
        }
    }

    pub(crate) fn fetches(&self) -> Fetches {
        self.tally.sum()
    }

    async fn ask(&self, sought: Sought) -> Result<Fetched, Unfetched> {
        self.per_second.check().map_err(|_| Unfetched::TooMany)?;
        let (answer, answered) = oneshot::channel();
        let question = Question { sought, answer };
        self.questions.try_send(question).map_err(|_| Unfetched::TooMany)?;
        answered.await.map_err(|_| Unfetched::NoAnswer)
    }

    fn too_many(&self) -> Refusal {
        if self.too_many_said.check().is_ok() {
            tracing::warn!(
                per_second = FETCHED_PER_SECOND,
                "more tokens that are new to this node are shown than it looks for; some are \
                 answered 503"
            );
        }
        Refusal::TooManyNew
    }
}

/// For how long it is remembered what was found.
struct Remembered;

impl Expiry<Key, Fetched> for Remembered {
    fn expire_after_create(&self, _: &Key, fetched: &Fetched, _: Instant) -> Option<Duration> {
        match fetched {
            // Memory has it, until it has lost it again.
            Fetched::Known | Fetched::Unreadable => Some(Duration::ZERO),
            Fetched::Unknown => Some(UNKNOWN_FOR),
            Fetched::Revoked => None,
        }
    }
}

/// Asks about all who wait, together, until nobody can ask any more.
async fn collect(source: Arc<dyn Source>, mut questions: mpsc::Receiver<Question>) {
    let turns = Arc::new(Semaphore::new(FETCHES_AT_ONCE));
    while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
        let mut together = Vec::new();
        if questions.recv_many(&mut together, FETCHED_TOGETHER_MAX).await == 0 {
            return;
        }
        tokio::spawn(answer(Arc::clone(&source), together, turn));
        // Whoever comes meanwhile comes along with the next.
        sleep(FETCH_EVERY).await;
    }
}

async fn answer(source: Arc<dyn Source>, mut together: Vec<Question>, _turn: OwnedSemaphorePermit) {
    together.retain(|question| !question.answer.is_closed());
    let (sought, answers): (Vec<_>, Vec<_>) =
        together.into_iter().map(|question| (question.sought, question.answer)).unzip();
    let tokens = sought.len();
    if tokens == 0 {
        return;
    }
    // After it nobody waits any longer.
    match timeout(FETCH_PATIENCE, source.fetch(&sought)).await {
        Ok(Ok(fetched)) => {
            for (answer, fetched) in answers.into_iter().zip(fetched) {
                let _ = answer.send(fetched);
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, tokens, "new tokens could not be looked for"),
        Err(_) => tracing::warn!(tokens, "new tokens were looked for too long"),
    }
}
