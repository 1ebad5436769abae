//! Opening: what can be chosen, and in which order the parts are put together.

use super::uses::Flusher;
use super::{Embedded, Ending, Open};
use http::HeaderName;
use rescind_access::Gatekeeper;
use rescind_core::{Actor, TokenPrefix};
use rescind_guard::clock::SystemClock;
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use rescind_guard::{Clock, Guard};
use rescind_node::Verifier;
use rescind_store::KeyRing;
use rescind_store::sqlite::{Options, SqliteStore};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What tokens start with, so that secret scanners and people see what they have found.
const TOKEN_PREFIX: &str = "rsc_";
/// `rescind-api-key`, `rescind-timestamp`, `rescind-signature`, `rescind-covers`.
const SIGNING_PREFIX: &str = "rescind";
/// Longest body that is read to check a signature over it.
const SIGNED_BODY_BYTES_MAX: u64 = 1024 * 1024;

/// Settings of an [`Embedded`], which [`Builder::open`] makes.
#[must_use]
pub struct Builder {
    path: PathBuf,
    keys: KeyRing,
    token_prefix: TokenPrefix,
    credentials: CredentialHeaders,
    signed_body_bytes_max: u64,
    clock: Arc<dyn Clock>,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It says which file, and what to do.
    #[error(transparent)]
    Store(#[from] rescind_store::sqlite::OpenError),
    /// The runtime is going down.
    #[error("opening the store ended abnormally")]
    Aborted,
}

impl Builder {
    #[expect(clippy::expect_used, reason = "the constants are well-formed, and tests use them")]
    pub(super) fn new(path: PathBuf) -> Self {
        let signing = SigningHeaders::with_prefix(SIGNING_PREFIX).expect("a header name");
        Self {
            path,
            keys: KeyRing::none(),
            token_prefix: TokenPrefix::parse(TOKEN_PREFIX).expect("a token prefix"),
            credentials: CredentialHeaders {
                api_key: HeaderName::from_static("x-api-key"),
                signing: Some(signing),
            },
            signed_body_bytes_max: SIGNED_BODY_BYTES_MAX,
            clock: Arc::new(SystemClock),
        }
    }

    /// Keys that seal the secrets of signing tokens; the first of them seals, all of them open.
    pub fn sealing_keys(self, keys: KeyRing) -> Self {
        Self { keys, ..self }
    }

    /// What the text of a bearer token starts with, instead of `rsc_`.
    pub fn token_prefix(self, token_prefix: TokenPrefix) -> Self {
        Self { token_prefix, ..self }
    }

    /// The headers that credentials are read from, instead of `X-API-Key` and `rescind-…`.
    /// (`Authorization: Bearer` always is one.)
    pub fn credentials(self, credentials: CredentialHeaders) -> Self {
        Self { credentials, ..self }
    }

    /// Longest body, in bytes, that is held until its signature is known; 1 MiB unless set.
    pub fn signed_body_bytes_max(self, signed_body_bytes_max: u64) -> Self {
        Self { signed_body_bytes_max, ..self }
    }

    /// Another clock than the machine's.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Reads all tokens into memory, and answers for them from now on. Needs a tokio runtime.
    pub async fn open(self) -> Result<Embedded, OpenError> {
        let guard = Arc::new(Guard::new(self.clock, vec![self.token_prefix.clone()]));
        let follower = Arc::clone(&guard);
        let options = Options { path: self.path, key_ring: self.keys, follower };
        let opening = tokio::task::spawn_blocking(move || SqliteStore::open(options));
        let store = opening.await.map_err(|_| OpenError::Aborted)??;
        // The store holds the lock, and everything in it is in the index now.
        guard.open_for_good();
        let verifier = Arc::new(Verifier::alone(Arc::clone(&guard)));
        let gatekeeper = Gatekeeper::new(verifier, self.credentials, self.signed_body_bytes_max);
        let open = Arc::new_cyclic(|open| Open {
            guard,
            gatekeeper: Arc::new(gatekeeper),
            store,
            token_prefix: self.token_prefix,
            ending: Mutex::new(Ending {
                flusher: Some(Flusher::spawn(open.clone())),
                closed: false,
            }),
        });
        Ok(Embedded { open, actor: Actor::system("embedded") })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("path", &self.path).finish_non_exhaustive()
    }
}
