//! What every way of enforcement asks: memory first, and the database for a token that memory has
//! never heard of.
//!
//! A token that another node has made a millisecond ago must work here. The naive way tells every
//! node of every new token before its maker is answered, and a login then waits for the slowest
//! node. Instead a miss is fetched, once: the store puts the token into the index, under the same
//! rule as every other change, and the guard is asked again. So there is still one decision, by
//! what memory holds; a fetched row by itself lets nobody in.
//!
//! A stranger can make up tokens that look right, each one a miss. So misses are bounded three
//! times: by a memory of what was not there, by how many are fetched at once, and by how many in a
//! second. Beyond that the answer is neither yes nor no (503). Whatever is in memory is not
//! concerned.
//!
//! On a single node nothing is elsewhere, and nothing here waits. On a node without leases
//! everything does: for a round that began after it was asked (`rescind_coherence::rounds`), and
//! what is fetched afterwards is newer still.

use crate::at_least::AtLeast;
use crate::cluster::Proofs;
use crate::tally::{FetchTally, Fetches, Tally, Verifications};
use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;
use rescind_core::signature::SignedRequest;
use rescind_core::{Demand, Denial, Digest, SignedHeaders};
use rescind_guard::{Guard, Permission, Refusal, Verified};
use rescind_store::{Epoch, StoreError};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Fetches at the same time. Each holds a connection to the database for well under a millisecond.
pub const FETCHES_AT_ONCE: usize = 4;
/// Fetches in a second, and at once after a pause: what a flood of made-up tokens may cost the
/// database, for each node. A fleet that logs in more often than this is told 503, and tries again.
pub const FETCHES_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000).expect("not zero");
/// How long a request waits for a fetch, its own and those before it.
pub const FETCH_PATIENCE: Duration = Duration::from_millis(500);
/// How long it is remembered that a token does not exist. It may be imported the next moment.
pub const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Tokens that are remembered not to exist, or to be revoked. 32 bytes each, and their place.
pub const ABSENT_TOKENS_MAX: u64 = 100_000;

/// What a request was shown to belong to, and memory does not hold.
#[derive(Clone, Debug)]
pub enum Sought {
    /// By a bearer token's SHA-256.
    Bearer(Digest),
    /// By a signing token's id, as it was sent.
    Signer(Box<str>),
}

impl Sought {
    /// Under which it is remembered: of one length, whatever was sent.
    fn key(&self) -> [u8; 32] {
        match self {
            Self::Bearer(digest) => *digest.as_bytes(),
            Self::Signer(id) => *Digest::of(id.as_bytes()).as_bytes(),
        }
    }
}

/// What was found where the truth is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is in the index now, unless it was revoked since.
    Fetched,
    /// It is revoked, and stays so.
    Revoked,
    Unknown,
}

/// Where tokens are that this node has not heard of.
#[async_trait]
pub trait Source: Send + Sync {
    /// Puts the token into the index as it is now.
    async fn fetch(&self, sought: &Sought) -> Result<Found, StoreError>;
}

/// See the module's head.
pub struct Verifier {
    guard: Arc<Guard>,
    elsewhere: Option<Elsewhere>,
    /// `None` where memory is answered from under a lease.
    proofs: Option<Proofs>,
    at_least: AtLeast,
    tally: Tally,
}

impl Verifier {
    /// A single node: whatever is not in memory does not exist.
    pub fn alone(guard: Arc<Guard>) -> Self {
        Self::new(guard, None)
    }

    /// One node of several: others make tokens too, and `source` has them.
    pub fn among_others(guard: Arc<Guard>, source: Arc<dyn Source>) -> Self {
        Self::new(guard, Some(Elsewhere::new(source)))
    }

    fn new(guard: Arc<Guard>, elsewhere: Option<Elsewhere>) -> Self {
        let (at_least, tally) = (AtLeast::default(), Tally::default());
        Self { guard, elsewhere, proofs: None, at_least, tally }
    }

    /// The same on a node without leases: each question waits for a proof, and without one there is
    /// no answer.
    #[must_use]
    pub fn proving(self, proofs: Option<Proofs>) -> Self {
        Self { proofs, ..self }
    }

    /// How often it was asked since the start. What was refused before anything was looked up (no
    /// credential, or one that cannot be read) never came here.
    pub fn verifications(&self) -> Verifications {
        self.tally.sum()
    }

    /// How often it had a token looked for elsewhere; `None` on the only node.
    pub fn fetches(&self) -> Option<Fetches> {
        self.elsewhere.as_ref().map(|elsewhere| elsewhere.tally.sum())
    }

    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// Waits, within bounds, until memory has applied everything up to this epoch: whatever is asked
    /// afterwards is answered from there or from later.
    ///
    /// # Errors
    /// It has not, or too many wait already: neither yes nor no.
    pub async fn reached(&self, epoch: Epoch) -> Result<(), Refusal> {
        // Memory moves on with the rounds.
        let _ = self.permission().await?;
        self.at_least.reached(&self.guard, epoch).await
    }

    /// The one place where a question waits for what it may be answered by.
    async fn permission(&self) -> Result<Permission<'_>, Refusal> {
        let proof = match &self.proofs {
            None => None,
            Some(proofs) => Some(proofs.next().await?),
        };
        Ok(self.guard.by(proof))
    }

    /// As [`Permission::bearer`].
    pub async fn bearer(&self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        let answer = self.ask_bearer(text, demand).await;
        self.tally.count(&answer);
        answer
    }

    async fn ask_bearer(&self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        let permission = self.permission().await?;
        let answer = permission.bearer(text, demand);
        let Some(elsewhere) = self.elsewhere_of(&answer) else { return answer };
        elsewhere.fetch(Sought::Bearer(Digest::of(text.as_bytes()))).await?;
        permission.bearer(text, demand)
    }

    /// As [`Permission::signed`].
    pub async fn signed(
        &self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        let answer = self.ask_signed(signed, request, demand).await;
        self.tally.count(&answer);
        answer
    }

    async fn ask_signed(
        &self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        let permission = self.permission().await?;
        let answer = permission.signed(signed, request, demand);
        let Some(elsewhere) = self.elsewhere_of(&answer) else { return answer };
        elsewhere.fetch(Sought::Signer(signed.key_id().into())).await?;
        permission.signed(signed, request, demand)
    }

    /// As [`Permission::signed_is_hopeless`]. One that is not is yet to be verified.
    pub async fn signed_is_hopeless(&self, signed: &SignedHeaders<'_>) -> Result<(), Refusal> {
        let answer = self.ask_hopeless(signed).await;
        if answer.is_err() {
            self.tally.count(&answer);
        }
        answer
    }

    async fn ask_hopeless(&self, signed: &SignedHeaders<'_>) -> Result<(), Refusal> {
        let permission = self.permission().await?;
        let answer = permission.signed_is_hopeless(signed);
        let Some(elsewhere) = self.elsewhere_of(&answer) else { return answer };
        elsewhere.fetch(Sought::Signer(signed.key_id().into())).await?;
        permission.signed_is_hopeless(signed)
    }

    /// Where to look on, if memory does not know the token and somebody else may.
    fn elsewhere_of<T>(&self, answer: &Result<T, Refusal>) -> Option<&Elsewhere> {
        let missed = matches!(answer, Err(Refusal::Denied(Denial::Unknown)));
        self.elsewhere.as_ref().filter(|_| missed)
    }
}

/// The source, and what keeps strangers from wearing it out.
struct Elsewhere {
    source: Arc<dyn Source>,
    /// For a moment.
    unknown: Cache<[u8; 32], ()>,
    /// For good.
    revoked: Cache<[u8; 32], ()>,
    at_once: Semaphore,
    per_second: DefaultDirectRateLimiter,
    tally: FetchTally,
}

/// Neither there nor not.
enum Unfetched {
    TooMany,
    NoAnswer,
}

impl Elsewhere {
    fn new(source: Arc<dyn Source>) -> Self {
        Self {
            source,
            unknown: Cache::builder()
                .max_capacity(ABSENT_TOKENS_MAX)
                .time_to_live(UNKNOWN_FOR)
                .build(),
            revoked: Cache::new(ABSENT_TOKENS_MAX),
            at_once: Semaphore::new(FETCHES_AT_ONCE),
            per_second: RateLimiter::direct(Quota::per_second(FETCHES_PER_SECOND)),
            tally: FetchTally::default(),
        }
    }

    /// `Ok` once the index has the token. An outage, and a flood, are neither yes nor no.
    async fn fetch(&self, sought: Sought) -> Result<(), Refusal> {
        let key = sought.key();
        if self.revoked.contains_key(&key) || self.unknown.contains_key(&key) {
            return Err(Denial::Unknown.into());
        }
        let found = timeout(FETCH_PATIENCE, self.fetch_in_turn(&sought)).await;
        let found = found.unwrap_or(Err(Unfetched::NoAnswer));
        self.count(&found);
        match found.map_err(|_| Refusal::Sealed)? {
            Found::Fetched => Ok(()),
            Found::Revoked => {
                self.revoked.insert(key, ());
                Err(Denial::Unknown.into())
            }
            Found::Unknown => {
                self.unknown.insert(key, ());
                Err(Denial::Unknown.into())
            }
        }
    }

    async fn fetch_in_turn(&self, sought: &Sought) -> Result<Found, Unfetched> {
        self.per_second.check().map_err(|_| Unfetched::TooMany)?;
        let _turn = self.at_once.acquire().await.map_err(|_| Unfetched::NoAnswer)?;
        self.source.fetch(sought).await.map_err(|error| {
            tracing::warn!(%error, "a token that is not in memory could not be looked for");
            Unfetched::NoAnswer
        })
    }

    fn count(&self, found: &Result<Found, Unfetched>) {
        let counter = match found {
            Ok(Found::Fetched) => &self.tally.known,
            Ok(Found::Revoked) => &self.tally.revoked,
            Ok(Found::Unknown) => &self.tally.unknown,
            Err(Unfetched::TooMany) => &self.tally.refused,
            Err(Unfetched::NoAnswer) => &self.tally.failed,
        };
        counter.fetch_add(1, Relaxed);
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("guard", &self.guard).finish_non_exhaustive()
    }
}
