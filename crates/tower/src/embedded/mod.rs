//! A store of the service's own: issuing, rotating and revoking in process.
//!
//! The naive way keeps the tokens in a table of the service's database and a cache before it, and
//! a revoked token lives on in the cache. Here the index in memory is told of each commit before
//! whoever asked for it is answered, and it is the only place that verification looks.
//!
//! That holds for as long as nobody else writes to the file. So an [`Embedded`] holds a lock on it;
//! and when it is closed, or the last of its clones and layers is dropped, the index is sealed
//! *before* the lock is given back.

mod builder;
mod uses;

pub use builder::{Builder, OpenError};

use crate::issue::draw;
use crate::{Authenticated, Issued, NewToken, Rotated, VerifyLayer};
use rescind_access::Gatekeeper;
use rescind_core::{
    Actor, Demand, Digest, Owner, OwnerId, OwnerKind, Presented, RevocationReason, TenantId,
    TokenId, TokenPrefix, TokenRecord, TokenUpdate,
};
use rescind_guard::{Guard, Refusal};
use rescind_store::sqlite::SqliteStore;
use rescind_store::{
    By, Follower, IssueError, IssuedBefore, KeyRing, NewOwner, NewRotation, Overlap, OwnerError,
    OwnerUpdate, ReadStore, Revocation, Revoked, RotateError, SetRevocation, SetRevoked, Store,
    StoreError, StoredToken, TokenFilter, TokenSet, UpdateError, WriteStore,
};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;
use uses::Flusher;

/// Whose names our owners have: the service's that we are part of.
const ISSUER: &str = "embedded";
/// The contracts' field for a partner's account, of which a service has no use.
const NO_ACCOUNT: &str = "";

/// Tokens of a service's own. Cheap to clone; see the crate's head.
#[derive(Clone, Debug)]
pub struct Embedded {
    open: Arc<Open>,
    actor: Actor,
}

#[derive(Debug)]
struct Open {
    guard: Arc<Guard>,
    gatekeeper: Arc<Gatekeeper>,
    store: SqliteStore,
    token_prefix: TokenPrefix,
    ending: Mutex<Ending>,
}

/// What is still to be ended.
#[derive(Debug)]
struct Ending {
    flusher: Option<Flusher>,
    closed: bool,
}

impl Embedded {
    /// Opens or makes the file `path`, for this user only. `keys` seal the secrets of signing
    /// tokens; bearer tokens are kept as digests, and need none.
    pub async fn open(path: impl Into<PathBuf>, keys: KeyRing) -> Result<Self, OpenError> {
        Self::builder(path).sealing_keys(keys).open().await
    }

    /// To open it with other settings.
    pub fn builder(path: impl Into<PathBuf>) -> Builder {
        Builder::new(path.into())
    }

    /// Lets requests with any valid token through; [`VerifyLayer::require`] asks for more.
    pub fn layer(&self) -> VerifyLayer {
        VerifyLayer::new(Arc::clone(&self.open.gatekeeper)).keeping(self.clone())
    }

    /// Whether a bearer token may do what `demand` says, where there is no HTTP request.
    pub fn verify(&self, text: &str, demand: &Demand<'_>) -> Result<Authenticated, Refusal> {
        self.open.guard.bearer(text, demand).map(Authenticated::new)
    }

    /// The same tokens, for somebody else: the audit log names them. An actor that is a token can
    /// do nothing once that token is not in force; whether its scopes are enough for what it asks
    /// is for the service to see to.
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { open: Arc::clone(&self.open), actor }
    }

    /// The owner that the service calls so; made now if it is new.
    pub async fn owner_named(&self, name: &str) -> Result<Owner, OwnerError> {
        self.known_or_made(name, None).await
    }

    /// The same, as one of a tenant. An owner of another tenant, or of none, is
    /// [`OwnerError::Exists`].
    pub async fn owner_of_tenant(
        &self,
        name: &str,
        tenant: &TenantId,
    ) -> Result<Owner, OwnerError> {
        let owner = self.known_or_made(name, Some(tenant)).await?;
        if owner.tenant.as_ref() == Some(tenant) { Ok(owner) } else { Err(OwnerError::Exists) }
    }

    /// Suspends or resumes an owner, or bounds what all of its tokens may do.
    pub async fn update_owner(
        &self,
        id: &OwnerId,
        update: OwnerUpdate,
    ) -> Result<Owner, OwnerError> {
        self.open.store.update_owner(id.clone(), update, self.by()).await
    }

    /// Issues a token. It is durable, and valid, when this returns.
    pub async fn issue(&self, new: NewToken) -> Result<Issued, IssueError> {
        let by = self.by();
        let (token, secret) = new.draw(&self.open.token_prefix, by.at);
        let record = self.open.store.issue(token, by).await?.into_inner();
        Ok(Issued { record, secret })
    }

    /// Issues a token in another's place, which lives on for the overlap. The new one has the
    /// lifetime that the old one was given; if that one is the actor, it ends when that one would.
    pub async fn rotate(&self, id: &TokenId, overlap: Overlap) -> Result<Rotated, RotateError> {
        let known = self.open.store.token(id).await?.ok_or(RotateError::Unknown)?;
        let (id, secret, material) = draw(known.record.kind, &self.open.token_prefix);
        let from = known.record.id;
        let what = NewRotation { from, id, material, lifetime: None, overlap, idempotency: None };
        let rotated = self.open.store.rotate(what, self.by()).await?.into_inner();
        Ok(Rotated { new: Issued { record: rotated.new, secret }, old: rotated.old })
    }

    /// Changes a label, or leaves a token less than it had.
    pub async fn update(
        &self,
        id: &TokenId,
        update: TokenUpdate,
    ) -> Result<TokenRecord, UpdateError> {
        self.open.store.update_token(id.clone(), update, self.by()).await
    }

    /// Ends a token for good. When this returns, no request passes with it any more.
    pub async fn revoke(&self, id: &TokenId) -> Result<Revoked, StoreError> {
        self.revoke_because(id, RevocationReason::Unspecified).await
    }

    /// The same, with the reason that the audit log keeps.
    pub async fn revoke_because(
        &self,
        id: &TokenId,
        reason: RevocationReason,
    ) -> Result<Revoked, StoreError> {
        let what = Revocation { id: id.clone(), owner: None, reason };
        self.open.store.revoke(what, self.by()).await
    }

    /// Ends every token of an owner, of a tenant, or all there are, in one write.
    pub async fn revoke_all(
        &self,
        set: TokenSet,
        reason: RevocationReason,
    ) -> Result<SetRevoked, OwnerError> {
        let issued_before = IssuedBefore::ThisWrite;
        let what = SetRevocation { set, issued_before, reason };
        self.open.store.revoke_set(what, self.by()).await
    }

    /// A token in whatever state it is.
    pub async fn token(&self, id: &TokenId) -> Result<Option<StoredToken>, StoreError> {
        self.open.store.token(id).await
    }

    /// The bearer token that somebody shows, in whatever state it is.
    pub async fn token_presented(&self, text: &str) -> Result<Option<StoredToken>, StoreError> {
        match Presented::bearer(text) {
            Ok(_) => self.open.store.token_by_digest(&Digest::of(text.as_bytes())).await,
            Err(_) => Ok(None),
        }
    }

    /// A page of tokens, oldest first.
    pub async fn tokens(&self, filter: &TokenFilter) -> Result<Vec<StoredToken>, StoreError> {
        self.open.store.tokens(filter).await
    }

    /// Everything else that a store can do: owners' lists, the audit log.
    pub fn store(&self) -> &dyn Store {
        &self.open.store
    }

    /// Whether it can be said which tokens are valid. It cannot after [`Embedded::close`], or when
    /// the store has failed.
    pub fn is_open(&self) -> bool {
        self.open.guard.is_open()
    }

    /// Returns why, once the store has failed; waits for ever otherwise. All requests are refused
    /// (503) from then on, and the process should end: the next start reads what is on the disk.
    pub async fn failed(&self) -> String {
        self.open.store.failed().await
    }

    /// Writes what is waiting, and gives the file back. Every layer answers 503 afterwards: stop
    /// the server first.
    pub async fn close(&self) -> Result<(), StoreError> {
        let mut ending = self.open.ending.lock().await;
        if ending.closed {
            return Ok(());
        }
        self.open.guard.seal();
        if let Some(flusher) = ending.flusher.take() {
            flusher.stop().await;
        }
        self.open.flush_uses().await;
        self.open.store.close().await?;
        ending.closed = true;
        Ok(())
    }

    async fn known_or_made(
        &self,
        name: &str,
        tenant: Option<&TenantId>,
    ) -> Result<Owner, OwnerError> {
        let store = &self.open.store;
        if let Some(owner) = store.partner_by_subject(ISSUER, name).await? {
            return Ok(owner);
        }
        match store.create_owner(new_owner(name, tenant), self.by()).await {
            Ok(created) => Ok(created.into_inner()),
            // Two first calls at once: the other one made it.
            Err(OwnerError::Exists) => {
                let made = store.partner_by_subject(ISSUER, name).await?;
                made.ok_or(OwnerError::Unknown)
            }
            Err(error) => Err(error),
        }
    }

    fn by(&self) -> By {
        By { actor: self.actor.clone(), let_in: None, at: self.open.guard.clock().now() }
    }
}

impl Drop for Open {
    /// The store's own drop gives the lock back, after this.
    fn drop(&mut self) {
        self.guard.seal();
    }
}

fn new_owner(name: &str, tenant: Option<&TenantId>) -> NewOwner {
    NewOwner {
        id: OwnerId::random("owner_", &mut rand::rng()),
        kind: OwnerKind::Partner {
            // The store gives it one.
            profile_id: 0,
            account: NO_ACCOUNT.into(),
            issuer: ISSUER.into(),
            subject: name.into(),
        },
        tenant: tenant.cloned(),
        password_hash: None,
        token_management: true,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    }
}
