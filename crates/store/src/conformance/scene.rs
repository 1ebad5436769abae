//! Short ways to say what the claims need.

use super::Backend;
use crate::{
    AuditRow, By, Change, Epoch, Follower, Material, NewOwner, NewToken, Revocation, Revoked, Store,
};
use parking_lot::Mutex;
use rescind_core::{
    Actor, Digest, Owner, OwnerId, OwnerKind, RevocationReason, ScopeSet, TenantId, Timestamp,
    TokenId, TokenKind, TokenRecord, audit::Walk, signature::Secret,
};
use std::sync::Arc;

/// An open store, and what its follower has heard.
pub(super) struct Scene {
    pub(super) store: Arc<dyn Store>,
    heard: Arc<Heard>,
}

/// One thing that a follower was told, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Owner(Owner),
    Issued(TokenRecord, Told),
    Revoked(TokenId, Option<Digest>),
    Reached(Epoch),
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
    pub(super) async fn of(backend: &dyn Backend) -> Self {
        let heard = Arc::new(Heard::default());
        let store = backend.open(Arc::clone(&heard) as Arc<dyn Follower>).await;
        Self { store, heard }
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.heard.0.lock().clone()
    }

    pub(super) fn heard(&self, event: &Event) -> bool {
        self.heard.0.lock().contains(event)
    }

    pub(super) async fn create(&self, new: NewOwner) -> Owner {
        self.store.create_owner(new, by(0)).await.unwrap()
    }

    pub(super) async fn issue(&self, new: NewToken) -> TokenRecord {
        self.store.issue(new, by(1)).await.unwrap()
    }

    pub(super) async fn revoke(&self, id: &TokenId) -> Revoked {
        self.store.revoke(revocation(id), by(2)).await.unwrap()
    }

    /// The whole audit trail, walked from its first entry.
    pub(super) async fn audit(&self) -> Vec<AuditRow> {
        let rows = self.store.audit(0, u32::MAX).await.unwrap();
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
            Change::Revoked { id, digest } => Event::Revoked(id, digest),
        });
    }

    fn reached(&self, epoch: Epoch) {
        self.0.lock().push(Event::Reached(epoch));
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
    By { actor: Actor::system("conformance"), at: at(seconds) }
}

pub(super) fn owner_id(name: &str) -> OwnerId {
    OwnerId::parse(name).unwrap()
}

pub(super) fn token_id(name: &str) -> TokenId {
    TokenId::parse(name).unwrap()
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
            tenant: TenantId::parse("tenant-1").unwrap(),
        },
        password_hash: Some(format!("$argon2id$of-{name}")),
        token_management: false,
        allowed_scopes: None,
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
        password_hash: None,
        token_management: true,
        allowed_scopes: Some(scopes(&["trading", "account_creation"])),
    }
}

pub(super) fn operator(name: &str) -> NewOwner {
    NewOwner {
        id: owner_id(name),
        kind: OwnerKind::Operator { name: name.into() },
        password_hash: None,
        token_management: false,
        allowed_scopes: None,
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

pub(super) fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub(super) fn revocation(id: &TokenId) -> Revocation {
    Revocation { id: id.clone(), owner: None, reason: RevocationReason::KeyCompromise }
}
