//! Where an issuer's keys come from: a file, or a URL that is asked rarely and believed little.
//!
//! At most one request is under way, never two within [`UNKNOWN_KEY_PAUSE_MILLIS`] because of
//! unknown key ids (anybody can send those), redirects are not followed, and the answer is bounded.
//! After a failure the last good set stays.

use super::IdentityError;
use super::keys::{KEY_SET_BYTES_MAX, Key, KeySet, KeySetError};
use crate::config;
use crate::service::causes;
use arc_swap::ArcSwap;
use rescind_guard::Clock;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// An unknown key id may mean that the issuer has a new key; it asks for the set again, but not
/// more often than this.
pub(super) const UNKNOWN_KEY_PAUSE_MILLIS: u64 = 30_000;
/// One request for a key set, from the first byte to the last.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Keys that could not be read again for this long are not trusted any more: whoever stole one and
/// can keep its issuer from being asked would be believed for ever.
pub(super) const TRUSTED_MILLIS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Between tries after a failure: doubled each time, up to the refresh interval.
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("cannot read {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("cannot fetch the key set")]
    Http(#[source] reqwest::Error),
    #[error("the issuer answered {0} instead of a key set")]
    Status(u16),
    #[error("the key set cannot be used")]
    KeySet(#[from] KeySetError),
    #[error("no key in the set can be used: ES256 (P-256) or EdDSA (Ed25519) is needed")]
    NoUsableKey,
    #[error("the key set could not be had a moment ago")]
    JustFailed,
    #[error("an issuer needs jwks_file or jwks_url")]
    NoSource,
}

impl From<reqwest::Error> for FetchError {
    /// Without the URL: its query may hold a key.
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error.without_url())
    }
}

pub(super) struct Source {
    place: Place,
    keys: ArcSwap<KeySet>,
    refresh_every: Duration,
    /// When the set was last asked for, and when last had, on the lease clock; 0 is never.
    asked_at: AtomicU64,
    had_at: AtomicU64,
    asking: Mutex<()>,
    clock: Arc<dyn Clock>,
}

enum Place {
    File(PathBuf),
    Url { url: String, client: reqwest::Client },
}

impl Source {
    /// A key file that cannot be read is an error at once; a URL may come up later.
    pub(super) fn new(config: &config::Issuer, clock: Arc<dyn Clock>) -> Result<Self, FetchError> {
        let (place, keys) = match (&config.jwks_file, &config.jwks_url) {
            (Some(path), _) => {
                let keys = read_file(path)?;
                if keys.is_empty() {
                    return Err(FetchError::NoUsableKey);
                }
                (Place::File(path.clone()), keys)
            }
            (None, Some(url)) => {
                let client = reqwest::Client::builder()
                    .redirect(reqwest::redirect::Policy::none())
                    .timeout(FETCH_TIMEOUT)
                    .build()?;
                (Place::Url { url: url.clone(), client }, KeySet::default())
            }
            (None, None) => return Err(FetchError::NoSource),
        };
        let had_at = if keys.is_empty() { 0 } else { clock.boottime().as_millis() };
        Ok(Self {
            place,
            keys: ArcSwap::from_pointee(keys),
            refresh_every: config.refresh,
            asked_at: AtomicU64::new(0),
            had_at: AtomicU64::new(had_at),
            asking: Mutex::new(()),
            clock,
        })
    }

    pub(super) async fn key(&self, kid: Option<&str>) -> Result<Option<Key>, IdentityError> {
        if let Some(key) = self.trusted().and_then(|keys| keys.find(kid)) {
            return Ok(Some(key));
        }
        if self.may_ask_again()
            && let Err(error) = self.refresh().await
        {
            tracing::warn!(%error, causes = causes(&error), "cannot read an issuer's keys");
        }
        let keys = self.trusted().filter(|keys| !keys.is_empty());
        keys.map(|keys| keys.find(kid)).ok_or(IdentityError::Unavailable)
    }

    /// The keys, unless they are too old to be believed.
    fn trusted(&self) -> Option<Arc<KeySet>> {
        let age =
            self.clock.boottime().as_millis().saturating_sub(self.had_at.load(Ordering::Acquire));
        (age <= TRUSTED_MILLIS_MAX).then(|| self.keys.load_full())
    }

    pub(super) async fn refresh(&self) -> Result<(), FetchError> {
        let before = self.asked_at.load(Ordering::Acquire);
        let _one_at_a_time = self.asking.lock().await;
        let asked_at = self.asked_at.load(Ordering::Acquire);
        if asked_at != before {
            // Somebody else asked while this one waited; what came of it is the answer here too.
            let had = self.had_at.load(Ordering::Acquire) >= asked_at;
            return if had { Ok(()) } else { Err(FetchError::JustFailed) };
        }
        self.asked_at.store(self.clock.boottime().as_millis().max(1), Ordering::Release);
        let keys = match &self.place {
            Place::File(path) => read_file(path)?,
            Place::Url { url, client } => fetch(client, url).await?,
        };
        self.keys.store(Arc::new(keys));
        self.had_at.store(self.clock.boottime().as_millis(), Ordering::Release);
        Ok(())
    }

    pub(super) async fn keep_fresh(&self, issuer: &str) {
        let mut back_off = BACK_OFF_FIRST;
        loop {
            match self.refresh().await {
                Ok(()) => {
                    back_off = BACK_OFF_FIRST;
                    tokio::time::sleep(self.refresh_every).await;
                }
                Err(error) => {
                    let causes = causes(&error);
                    tracing::warn!(issuer, %error, causes, "cannot read the issuer's keys; trying again");
                    tokio::time::sleep(back_off).await;
                    back_off = (back_off * 2).min(self.refresh_every);
                }
            }
        }
    }

    fn may_ask_again(&self) -> bool {
        let asked_at = self.asked_at.load(Ordering::Acquire);
        let since = self.clock.boottime().as_millis().saturating_sub(asked_at);
        asked_at == 0 || since >= UNKNOWN_KEY_PAUSE_MILLIS
    }
}

fn read_file(path: &PathBuf) -> Result<KeySet, FetchError> {
    let json =
        std::fs::read(path).map_err(|source| FetchError::File { path: path.clone(), source })?;
    Ok(KeySet::parse(&json)?)
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<KeySet, FetchError> {
    let mut answer = client.get(url).send().await?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    let mut json = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        json.extend_from_slice(&chunk);
        if json.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLarge.into());
        }
    }
    Ok(KeySet::parse(&json)?)
}
