//! A store in a directory, and what goes into it.

use parking_lot::Mutex;
use rand::{SeedableRng, rngs::StdRng};
use rescind_core::{
    Actor, Digest, OwnerId, OwnerKind, RevocationReason, ScopeSet, TenantId, Timestamp, TokenId,
    TokenKind, signature::Secret,
};
use rescind_store::{
    By, Change, Epoch, Follower, KeyRing, Material, NewOwner, NewToken, Revocation,
    sqlite::{OpenError, Options, SqliteStore},
};
use std::{path::Path, sync::Arc};

/// What the follower heard, one line each.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

impl Follower for Heard {
    fn apply(&self, change: Change) {
        self.0.lock().push(match change {
            Change::Owner(owner) => format!("owner {}", owner.id),
            Change::Issued { record, material: Material::Digest(_) } => {
                format!("issued {}", record.id)
            }
            Change::Issued { record, material: Material::Secret(secret) } => {
                format!("issued {} {}", record.id, String::from_utf8_lossy(secret.expose_bytes()))
            }
            Change::Updated { record, .. } => format!("updated {}", record.id),
            Change::Revoked { id, .. } => format!("revoked {id}"),
            Change::NotBefore { tenant, start } => format!("not before {tenant:?} {start}"),
        });
    }

    fn reached(&self, epoch: Epoch) {
        self.0.lock().push(format!("reached {epoch}"));
    }

    fn clear(&self) {
        self.0.lock().push("cleared".into());
    }

    fn seal(&self) {
        self.0.lock().push("sealed".into());
    }
}

pub(crate) fn key(seed: u64) -> String {
    KeyRing::generate_text(&mut StdRng::seed_from_u64(seed)).to_string()
}

pub(crate) fn open(path: &Path, follower: Arc<dyn Follower>) -> Result<SqliteStore, OpenError> {
    open_with(path, follower, &[1])
}

pub(crate) fn open_with(
    path: &Path,
    follower: Arc<dyn Follower>,
    keys: &[u64],
) -> Result<SqliteStore, OpenError> {
    let keys: Vec<_> = keys.iter().map(|seed| key(*seed)).collect();
    let key_ring = KeyRing::parse(keys.iter().map(String::as_str)).unwrap();
    SqliteStore::open(Options { path: path.into(), key_ring, follower })
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

pub(crate) fn by(seconds: i64) -> By {
    By { actor: Actor::system("test"), let_in: None, at: at(seconds) }
}

pub(crate) fn id(name: &str) -> TokenId {
    TokenId::parse(name).unwrap()
}

pub(crate) fn owner_id(name: &str) -> OwnerId {
    OwnerId::parse(name).unwrap()
}

pub(crate) fn user(name: &str) -> NewOwner {
    NewOwner {
        id: owner_id(name),
        kind: OwnerKind::User {
            email: format!("{name}@example.com"),
            first_name: "F".into(),
            last_name: "L".into(),
        },
        tenant: Some(TenantId::parse("t").unwrap()),
        password_hash: Some("$argon2id$".into()),
        token_management: false,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    }
}

pub(crate) fn partner(name: &str) -> NewOwner {
    NewOwner {
        id: owner_id(name),
        kind: OwnerKind::Partner {
            profile_id: 0,
            account: name.into(),
            issuer: "issuer".into(),
            subject: name.into(),
        },
        tenant: None,
        password_hash: None,
        token_management: true,
        ..user(name)
    }
}

pub(crate) fn bearer(name: &str, owner: &str) -> NewToken {
    NewToken {
        id: id(name),
        owner: owner_id(owner),
        kind: TokenKind::Bearer,
        label: None,
        scopes: ScopeSet::default(),
        expires_at: None,
        allowed_networks: None,
        issued_at: None,
        idempotency: None,
        material: Material::Digest(Digest::of(name.as_bytes())),
    }
}

pub(crate) fn signing(name: &str, owner: &str) -> NewToken {
    NewToken {
        kind: TokenKind::Signing,
        material: Material::Secret(Secret::from_bytes(format!("secret-{name}").into_bytes())),
        ..bearer(name, owner)
    }
}

pub(crate) fn revocation(name: &str) -> Revocation {
    Revocation { id: id(name), owner: None, reason: RevocationReason::Unspecified }
}
