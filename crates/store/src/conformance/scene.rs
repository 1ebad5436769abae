//! Short ways to say what the claims need.

use super::Backend;
use crate::{
    AuditFilter, AuditRow, By, Change, Created, Epoch, Follower, Idempotency, IssuedBefore,
    Material, NewOwner, NewRotation, NewToken, Overlap, OwnerUpdate, Revocation, Revoked,
    RotateError, Rotated, SetRevocation, SetRevoked, Store, StoredToken, TokenSet,
};
use parking_lot::Mutex;
use rescind_core::{
    Actor, Digest, NetworkSet, Owner, OwnerId, OwnerKind, RevocationReason, ScopeSet, TenantId,
    Timestamp, TokenId, TokenKind, TokenRecord, audit::Walk, signature::Secret,
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// An open store, and what its follower has heard.
pub(super) struct Scene {
    pub(super) store: Arc<dyn Store>,
    heard: Arc<Heard>,
    place: String,
}

/// One thing that a follower was told, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Owner(Owner),
    Issued(TokenRecord, Told),
    Updated(TokenRecord, Option<Digest>),
    Revoked(TokenId, Option<Digest>),
    NotBefore(Option<TenantId>, Timestamp),
    Reached(Epoch),
    Cleared,
    Sealed,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Digest(Digest),
    Secret(Vec<u8>),
}

/// Everything that a refused mutation must leave as it was.
#[derive(Debug, PartialEq)]
pub(super) struct Trace {
    entries: usize,
    epoch: Epoch,
    events: usize,
}

impl Scene {
    /// An empty one.
    pub(super) async fn of(backend: &dyn Backend) -> Self {
        static PLACES: AtomicU64 = AtomicU64::new(0);
        Self::at(backend, format!("place{}", PLACES.fetch_add(1, Ordering::Relaxed))).await
    }

    /// The same store after a restart, with a follower that has heard nothing before.
    pub(super) async fn reopened(self, backend: &dyn Backend) -> Self {
        Self::at(backend, self.place).await
    }

    async fn at(backend: &dyn Backend, place: String) -> Self {
        let heard = Arc::new(Heard::default());
        let store = backend.open(&place, Arc::clone(&heard) as Arc<dyn Follower>).await;
        Self { store, heard, place }
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.heard.0.lock().clone()
    }

    pub(super) fn heard(&self, event: &Event) -> bool {
        self.heard.0.lock().contains(event)
    }

    pub(super) async fn create(&self, new: NewOwner) -> Owner {
        self.store.create_owner(new, by(0)).await.unwrap().into_inner()
    }

    pub(super) async fn issue(&self, new: NewToken) -> TokenRecord {
        self.issue_at(new, 1).await
    }

    pub(super) async fn issue_at(&self, new: NewToken, seconds: i64) -> TokenRecord {
        self.store.issue(new, by(seconds)).await.unwrap().into_inner()
    }

    pub(super) async fn update(&self, owner: &str, update: OwnerUpdate, seconds: i64) -> Owner {
        self.store.update_owner(owner_id(owner), update, by(seconds)).await.unwrap()
    }

    pub(super) async fn rotate(
        &self,
        from: &str,
        to: &str,
        overlap: Overlap,
        seconds: i64,
    ) -> Result<Rotated, RotateError> {
        let rotated = self.store.rotate(rotation(from, to, overlap), by(seconds)).await;
        rotated.map(Created::into_inner)
    }

    pub(super) async fn revoke_set(
        &self,
        set: TokenSet,
        before: IssuedBefore,
        seconds: i64,
    ) -> SetRevoked {
        let reason = RevocationReason::KeyCompromise;
        let what = SetRevocation { set, issued_before: before, reason };
        self.store.revoke_set(what, by(seconds)).await.unwrap()
    }

    pub(super) async fn token(&self, name: &str) -> StoredToken {
        self.store.token(&token_id(name)).await.unwrap().unwrap()
    }

    pub(super) async fn revoke(&self, id: &TokenId) -> Revoked {
        self.store.revoke(revocation(id), by(2)).await.unwrap()
    }

    /// The whole audit trail, walked from its first entry.
    pub(super) async fn audit(&self) -> Vec<AuditRow> {
        let all = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
        let rows = self.store.audit(&all).await.unwrap();
        let mut walk = Walk::default();
        rows.iter().for_each(|row| walk.step(&row.entry, &row.hash).unwrap());
        rows
    }

    pub(super) async fn trace(&self) -> Trace {
        Trace {
            entries: self.audit().await.len(),
            epoch: self.store.epoch().await.unwrap(),
            events: self.events().len(),
        }
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Follower for Heard {
    fn apply(&self, change: Change) {
        self.0.lock().push(match change {
            Change::Owner(owner) => Event::Owner(owner),
            Change::Issued { record, material } => Event::Issued(record, told(&material)),
            Change::Updated { record, digest } => Event::Updated(record, digest),
            Change::Revoked { id, digest } => Event::Revoked(id, digest),
            Change::NotBefore { tenant, start } => Event::NotBefore(tenant, start),
        });
    }

    fn reached(&self, epoch: Epoch) {
        self.0.lock().push(Event::Reached(epoch));
    }

    fn clear(&self) {
        self.0.lock().push(Event::Cleared);
    }

    fn seal(&self) {
        self.0.lock().push(Event::Sealed);
    }
}

pub(super) fn told(material: &Material) -> Told {
    match material {
        Material::Digest(digest) => Told::Digest(*digest),
        Material::Secret(secret) => Told::Secret(secret.expose_bytes().to_vec()),
    }
}

/// Seconds after an arbitrary moment.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_123).plus_millis(seconds * 1000)
}

pub(super) fn by(seconds: i64) -> By {
    By { actor: Actor::system("conformance"), let_in: None, at: at(seconds) }
}

/// A token that acts, and must be no more than in force.
pub(super) fn by_token(name: &str, seconds: i64) -> By {
    By { actor: Actor::token(&token_id(name)), ..by(seconds) }
}

pub(super) fn owner_id(name: &str) -> OwnerId {
    OwnerId::parse(name).unwrap()
}

pub(super) fn token_id(name: &str) -> TokenId {
    TokenId::parse(name).unwrap()
}

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub(super) fn networks(blocks: &[&str]) -> NetworkSet {
    NetworkSet::parse(blocks.iter().copied()).unwrap()
}

pub(super) fn scopes(names: &[&str]) -> ScopeSet {
    ScopeSet::parse(names.iter().copied()).unwrap()
}

pub(super) fn user(name: &str) -> NewOwner {
    NewOwner {
        id: owner_id(name),
        kind: OwnerKind::User {
            email: format!("{name}@example.com"),
            first_name: name.to_uppercase(),
            last_name: "d'Été \u{1F511}".into(),
        },
        tenant: Some(tenant("tenant-1")),
        password_hash: Some(format!("$argon2id$of-{name}")),
        ..operator(name)
    }
}

pub(super) fn partner(name: &str) -> NewOwner {
    NewOwner {
        id: owner_id(name),
        kind: OwnerKind::Partner {
            profile_id: 0,
            account: format!("0x{name}"),
            issuer: "https://issuer.example".into(),
            subject: format!("did:{name}"),
        },
        token_management: true,
        allowed_scopes: Some(scopes(&["trading", "account_creation"])),
        ..operator(name)
    }
}

pub(super) fn operator(name: &str) -> NewOwner {
    NewOwner {
        id: owner_id(name),
        kind: OwnerKind::Operator { name: name.into() },
        tenant: None,
        password_hash: None,
        token_management: false,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    }
}

/// A token with a digest of its own, for an owner of the right kind.
pub(super) fn token(name: &str, owner: &str, kind: TokenKind) -> NewToken {
    NewToken {
        id: token_id(name),
        owner: owner_id(owner),
        kind,
        label: None,
        scopes: ScopeSet::default(),
        expires_at: None,
        allowed_networks: None,
        issued_at: None,
        idempotency: None,
        material: match kind {
            TokenKind::Signing => {
                Material::Secret(Secret::from_bytes(format!("secret of {name}").into_bytes()))
            }
            _ => Material::Digest(digest(name)),
        },
    }
}

pub(super) fn bearer(name: &str, owner: &str) -> NewToken {
    token(name, owner, TokenKind::Bearer)
}

/// An operator's token that can administer everything.
pub(super) fn admin(name: &str, owner: &str) -> NewToken {
    NewToken { scopes: scopes(&["admin", "read"]), ..token(name, owner, TokenKind::Admin) }
}

/// By a bearer token; a signing token needs another material.
pub(super) fn rotation(from: &str, to: &str, overlap: Overlap) -> NewRotation {
    NewRotation {
        from: token_id(from),
        id: token_id(to),
        material: Material::Digest(digest(to)),
        lifetime: None,
        overlap,
        idempotency: None,
    }
}

/// The `key`th key, of the `request`th request.
pub(super) fn idempotency(key: u8, request: u8) -> Option<Idempotency> {
    let digest = |number| Digest::from_bytes([number; 32]);
    Some(Idempotency { key: digest(key), request: digest(request) })
}

pub(super) fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub(super) fn revocation(id: &TokenId) -> Revocation {
    Revocation { id: id.clone(), owner: None, reason: RevocationReason::KeyCompromise }
}
