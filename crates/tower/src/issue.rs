//! What is asked for when a token is issued, and what comes back.

use rescind_core::signature::Secret;
use rescind_core::{
    NetworkSet, OwnerId, Plain, ScopeSet, Timestamp, TokenId, TokenKind, TokenPrefix, TokenRecord,
};
use rescind_store::Material;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A token to be issued. It starts with no scopes, no end and no bound on networks.
#[derive(Clone, Debug)]
#[must_use]
pub struct NewToken {
    owner: OwnerId,
    kind: TokenKind,
    label: Option<String>,
    scopes: ScopeSet,
    lifetime: Option<Duration>,
    allowed_networks: Option<NetworkSet>,
}

/// A new token with its secret, which nobody can show again.
#[derive(Debug)]
pub struct Issued {
    /// What is kept of it.
    pub record: TokenRecord,
    /// What its holder needs.
    pub secret: IssuedSecret,
}

/// A token that has taken another's place.
#[derive(Debug)]
pub struct Rotated {
    /// The new one.
    pub new: Issued,
    /// The old one, with its end.
    pub old: TokenRecord,
}

/// What the holder of a token needs: the text of a bearer token, or a signing secret in base64. It
/// prints its own name, and is wiped when dropped.
pub struct IssuedSecret(Zeroizing<String>);

impl IssuedSecret {
    /// For the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IssuedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuedSecret")
    }
}

impl NewToken {
    /// Presented as it is, in `Authorization: Bearer` or `X-API-Key`.
    pub fn bearer(owner: &OwnerId) -> Self {
        Self::of(owner, TokenKind::ApiKey)
    }

    /// Signs each request, and never travels. Its secret is kept sealed: the store needs a key.
    pub fn signing(owner: &OwnerId) -> Self {
        Self::of(owner, TokenKind::Signing)
    }

    fn of(owner: &OwnerId, kind: TokenKind) -> Self {
        Self {
            owner: owner.clone(),
            kind,
            label: None,
            scopes: ScopeSet::default(),
            lifetime: None,
            allowed_networks: None,
        }
    }

    /// For people who look at a list.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    /// What it may do.
    pub fn scopes(self, scopes: ScopeSet) -> Self {
        Self { scopes, ..self }
    }

    /// When it ends by itself.
    pub fn expires_in(self, lifetime: Duration) -> Self {
        Self { lifetime: Some(lifetime), ..self }
    }

    /// Where it may be used from.
    pub fn allowed_networks(self, networks: NetworkSet) -> Self {
        Self { allowed_networks: Some(networks), ..self }
    }

    /// As the store takes it, with its secret.
    pub(crate) fn draw(
        self,
        prefix: &TokenPrefix,
        now: Timestamp,
    ) -> (rescind_store::NewToken, IssuedSecret) {
        let (id, secret, material) = draw(self.kind, prefix);
        let token = rescind_store::NewToken {
            id,
            owner: self.owner,
            kind: self.kind,
            label: self.label,
            scopes: self.scopes,
            expires_at: self.lifetime.map(|lifetime| now.plus_millis(millis(lifetime))),
            allowed_networks: self.allowed_networks,
            material,
            issued_at: None,
            idempotency: None,
        };
        (token, secret)
    }
}

/// A fresh id, the secret, and what is kept of it.
pub(crate) fn draw(kind: TokenKind, prefix: &TokenPrefix) -> (TokenId, IssuedSecret, Material) {
    let rng = &mut rand::rng();
    if kind == TokenKind::Signing {
        let secret = Secret::random(rng);
        let shown = IssuedSecret(secret.expose_base64());
        return (TokenId::random("signing_", rng), shown, Material::Secret(secret));
    }
    let plain = Plain::random(prefix, rng);
    let shown = IssuedSecret(Zeroizing::new(plain.expose().into()));
    (TokenId::random("key_", rng), shown, Material::Digest(plain.digest()))
}

fn millis(lifetime: Duration) -> i64 {
    lifetime.as_millis().try_into().unwrap_or(i64::MAX)
}
