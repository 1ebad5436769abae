//! The use cases: what is done, in which order, whoever asks over whichever contract.
//!
//! The only randomness of the server is drawn here, and the only clock is the guard's.

mod idempotency;
pub mod identity;
pub mod import;
pub mod login;
mod measured;
pub mod owners;
mod passwords;
mod probe;
pub mod rotation;
mod settling;
pub mod tokens;
mod usage;

pub use idempotency::idempotency;
pub use login::{LoggedIn, LoginError, LoginLimits};
pub use measured::{ByOutcome, RevocationTimes};
pub use owners::{CreateOperator, CreatePartner, CreateUser, UserError, normal_email};
pub use passwords::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, Passwords, PasswordsBusy,
};
pub use probe::{Probe, Probed};
pub use settling::{
    PATIENCE, PATIENCE_MAX, Progress, REMEMBERED_FOR, REMEMBERED_MAX, STATUS_PATIENCE,
    UNATTENDED_MAX, Unattended,
};
pub use tokens::{Achieved, IssueRequest, Issued, RevokeOutcome};

use crate::service::identity::Identity;
use rescind_core::{Actor, LetIn, Timestamp, TokenId, TokenPrefix};
use rescind_guard::Guard;
use rescind_node::Verifier;
use rescind_node::cluster::Cluster;
use rescind_store::{By, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Everything that use cases need, put together once by the binary.
pub struct Services {
    pub store: Arc<dyn Store>,
    pub guard: Arc<Guard>,
    /// Asks the guard.
    pub verifier: Arc<Verifier>,
    /// `None` on the only node.
    pub cluster: Option<Arc<Cluster>>,
    pub identity: Identity,
    pub passwords: Passwords,
    pub login_limits: LoginLimits,
    pub settings: Settings,
    /// Of this process.
    pub revocation_times: RevocationTimes,
    /// Revocations whose callers went on before they were settled.
    pub unattended: Unattended,
    pub probe: Probe,
    /// True from when the server was told to stop: it still serves, and wants no new clients.
    pub stopping: watch::Receiver<bool>,
}

/// Who acts. One that is a token brings what it was let in for: that is asked about again where its
/// request is written, which may be long after.
#[derive(Clone, Debug)]
pub struct Acting {
    actor: Actor,
    let_in: Option<LetIn>,
}

impl Acting {
    pub fn token(id: &TokenId, let_in: LetIn) -> Self {
        Self { actor: Actor::token(id), let_in: Some(let_in) }
    }
}

/// For whoever is no token, and for a token that ends itself: that is never refused.
impl From<Actor> for Acting {
    fn from(actor: Actor) -> Self {
        Self { actor, let_in: None }
    }
}

/// What the configuration says about tokens.
#[derive(Clone, Debug)]
pub struct Settings {
    pub bearer_prefix: TokenPrefix,
    pub api_key_prefix: TokenPrefix,
    pub admin_prefix: TokenPrefix,
    /// Lifetime of a token that a user logs in for.
    pub user_token_lifetime: Duration,
    pub user_token_scopes: rescind_core::ScopeSet,
    /// What a partner may have, made on first sight.
    pub partner_scopes: rescind_core::ScopeSet,
    /// What a derived token gets if it asks for nothing.
    pub default_scopes: rescind_core::ScopeSet,
    /// Every scope name that the Limitless contract knows.
    pub known_scopes: rescind_core::ScopeSet,
}

impl Services {
    pub fn now(&self) -> Timestamp {
        self.guard.clock().now()
    }

    /// Also when nobody is left who could say so.
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow() || self.stopping.has_changed().is_err()
    }

    /// Now: what is written next is written at this moment.
    pub fn by(&self, acting: impl Into<Acting>) -> By {
        let Acting { actor, let_in } = acting.into();
        By { actor, let_in, at: self.now() }
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}

/// The one place where a store's error is told, with everything behind it.
pub fn log_store_error(error: &rescind_store::StoreError) {
    tracing::error!(%error, causes = causes(error), "the store did not answer as it should");
}

/// Everything behind an error, for the log.
fn causes(error: &dyn std::error::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        causes.push(next.to_string());
        cause = next.source();
    }
    causes.join(": ")
}
