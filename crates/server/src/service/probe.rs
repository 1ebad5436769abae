//! The probe of `cluster.probe`: what all of this is for, tried every so often and measured. A token
//! is issued and must be accepted, is revoked and must be refused.
//!
//! It asks this node, as clients do. That every other node has let go of the token too is the word of
//! the revocation's answer, whose acknowledgements are shown; a node that says so and accepts the
//! token all the same is not found out from here.
//!
//! Nothing is ever deleted, so that each run leaves a revoked token and its entries in the audit
//! trail behind. That is why there is none unless somebody asks for it.

use super::Services;
use super::tokens::{RevokeOutcome, one};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use rescind_core::{
    Actor, Demand, OwnerId, OwnerKind, Plain, RevocationReason, ScopeSet, TenantId, TokenKind,
};
use rescind_guard::Refusal;
use rescind_store::{IssueError, Material, NewOwner, NewToken, OwnerError};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;

/// One user for all nodes, whose password nobody knows. The domain is nobody's, for good (RFC 2606
/// §2).
const OWNER: &str = "user_rescind_probe";
const EMAIL: &str = "probe@rescind.invalid";
const TENANT: &str = "tenant_rescind_probe";
/// A token whose revocation failed ends by itself.
const LIFETIME_MILLIS: i64 = 10 * 60 * 1_000;

/// How one run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    Passed,
    /// It could not be tried to the end: the database is away, or this node has no lease.
    Failed,
    /// A new token was refused.
    RefusedEarly,
    /// A revoked token was accepted. This must never be.
    AcceptedLate,
}

impl Probed {
    const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::RefusedEarly, Self::AcceptedLate];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::RefusedEarly => "refused_early",
            Self::AcceptedLate => "accepted_late",
        }
    }
}

type Runs = Family<[(&'static str, &'static str); 1], Counter>;
type Seconds = Gauge<f64, AtomicU64>;

/// What the probe has found since the start.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// Zero: it is off.
    every: Duration,
    pub runs: Runs,
    /// From asking for the last revocation to its answer.
    pub last: Seconds,
    pub worst: Seconds,
    /// Nodes that have acknowledged the last one.
    pub acknowledged: Gauge,
}

impl Probe {
    /// Every so often, or never.
    pub fn every(every: Duration) -> Self {
        let probe = Self { every, ..Self::default() };
        for probed in Probed::ALL {
            drop(probe.runs.get_or_create(&[("result", probed.as_str())]));
        }
        probe
    }

    pub fn is_on(&self) -> bool {
        !self.every.is_zero()
    }

    fn ended(&self, probed: Probed) {
        self.runs.get_or_create(&[("result", probed.as_str())]).inc();
    }

    fn revoked(&self, took: Duration, acknowledged: u32) {
        let seconds = took.as_secs_f64();
        self.last.set(seconds);
        self.worst.set(self.worst.get().max(seconds));
        self.acknowledged.set(acknowledged.into());
    }
}

impl Services {
    /// Until `stop` turns true. A run that is under way then is given up.
    pub async fn keep_probing(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if !self.probe.is_on() {
            return;
        }
        let probing = async {
            loop {
                tokio::time::sleep(self.probe.every).await;
                self.probe_once().await;
            }
        };
        tokio::select! {
            () = probing => {}
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }

    /// One run, counted.
    pub async fn probe_once(&self) -> Probed {
        let probed = match self.probe_through().await {
            Ok(probed) => probed,
            Err(why) => {
                tracing::warn!(error = %*why, "the probe could not be tried to the end");
                Probed::Failed
            }
        };
        match probed {
            Probed::AcceptedLate => tracing::error!("the probe: a revoked token was accepted"),
            Probed::RefusedEarly => tracing::error!("the probe: a new token was refused"),
            Probed::Passed | Probed::Failed => {}
        }
        self.probe.ended(probed);
        probed
    }

    async fn probe_through(&self) -> Result<Probed, Why> {
        let plain = Plain::random(self.prefix(TokenKind::Bearer), &mut rand::rng());
        let id = self.issue_to_probe(&plain).await?;
        if !self.is_accepted(&plain).await? {
            return Ok(Probed::RefusedEarly);
        }
        let what = one(id, None, RevocationReason::Unspecified);
        let achieved = match self.revoke(what, Actor::system("probe").into()).await? {
            RevokeOutcome::Revoked { achieved, .. }
            | RevokeOutcome::AlreadyRevoked { achieved, .. } => achieved,
            RevokeOutcome::Unknown => return Err("its token is not there".into()),
        };
        self.probe.revoked(achieved.took, achieved.acknowledged);
        Ok(match self.is_accepted(&plain).await? {
            true => Probed::AcceptedLate,
            false => Probed::Passed,
        })
    }

    async fn issue_to_probe(&self, plain: &Plain) -> Result<rescind_core::TokenId, Why> {
        let new = || -> Result<NewToken, Why> {
            Ok(NewToken {
                id: super::tokens::new_id(TokenKind::Bearer),
                owner: OwnerId::parse(OWNER)?,
                kind: TokenKind::Bearer,
                label: Some("probe".into()),
                scopes: ScopeSet::default(),
                expires_at: Some(self.now().plus_millis(LIFETIME_MILLIS)),
                allowed_networks: None,
                material: Material::Digest(plain.digest()),
                issued_at: None,
                idempotency: None,
            })
        };
        let by = || self.by(Actor::system("probe"));
        let issued = match self.store.issue(new()?, by()).await {
            Err(IssueError::UnknownOwner) => {
                self.make_probes_owner().await?;
                self.store.issue(new()?, by()).await
            }
            issued => issued,
        };
        Ok(issued?.into_inner().id)
    }

    async fn make_probes_owner(&self) -> Result<(), Why> {
        let (first_name, last_name) = ("Rescind".into(), "Probe".into());
        let kind = OwnerKind::User { email: EMAIL.into(), first_name, last_name };
        let tenant = Some(TenantId::parse(TENANT)?);
        let forgotten = Plain::random(self.prefix(TokenKind::Bearer), &mut rand::rng());
        let password_hash = Some(self.passwords.hash(forgotten.expose().to_owned()).await?);
        let owner = NewOwner {
            tenant,
            password_hash,
            ..super::owners::plain(OwnerId::parse(OWNER)?, kind)
        };
        match self.store.create_owner(owner, self.by(Actor::system("probe"))).await {
            // Another node was first.
            Ok(_) | Err(OwnerError::Exists) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn is_accepted(&self, plain: &Plain) -> Result<bool, Why> {
        let demand = Demand { admin: false, scopes: &ScopeSet::default(), client: None };
        match self.verifier.bearer(plain.expose(), &demand).await {
            Ok(_) => Ok(true),
            Err(Refusal::Denied(_)) => Ok(false),
            Err(neither @ (Refusal::Sealed | Refusal::TooManyNew)) => Err(neither.into()),
        }
    }
}

/// For the log.
type Why = Box<dyn std::error::Error + Send + Sync>;
