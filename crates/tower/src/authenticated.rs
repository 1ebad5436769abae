//! Who asks, told to the service in a type instead of headers: a header can be sent, this cannot.

use rescind_core::signature::BodyProof;
use rescind_core::{Owner, OwnerId, OwnerKind, TenantId, Timestamp, TokenId, TokenKind};
use rescind_guard::Verified;
use std::fmt;

/// A caller whose token was verified, as an extension of its request. Only a verification makes
/// one.
///
/// It tells of the moment of the decision: somebody who keeps it, in a long-lived connection for
/// example, asks again before acting on it.
#[derive(Clone)]
pub struct Authenticated(Verified);

impl Authenticated {
    pub(crate) fn new(verified: Verified) -> Self {
        Self(verified)
    }

    /// Whom the token was issued to.
    pub fn owner_id(&self) -> &OwnerId {
        &self.0.owner().id
    }

    /// What the service calls the owner: the name it gave to
    /// [`Embedded::owner_named`](crate::Embedded::owner_named).
    pub fn owner_name(&self) -> &str {
        match &self.owner().kind {
            OwnerKind::Partner { subject, .. } => subject,
            OwnerKind::User { email, .. } => email,
            OwnerKind::Operator { name } => name,
        }
    }

    /// All that is known of the owner.
    pub fn owner(&self) -> &Owner {
        self.0.owner()
    }

    /// The organisation that the owner belongs to.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.0.owner().tenant.as_ref()
    }

    /// Names the token, and is no secret.
    pub fn token_id(&self) -> TokenId {
        self.0.token().id()
    }

    /// How the token was presented.
    pub fn kind(&self) -> TokenKind {
        self.0.token().kind()
    }

    /// First moment at which the token is no longer valid.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.0.token().expires_at()
    }

    /// What the token allows now: its own scopes, as far as its owner still has them.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes()
    }

    /// Whether the token allows this.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scopes().any(|scope| scope == name)
    }

    /// What is known of the request's body: whether a signature covers it.
    pub fn body(&self) -> BodyProof {
        self.0.body()
    }
}

impl fmt::Debug for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("owner", self.owner_id())
            .field("token", &self.token_id())
            .finish_non_exhaustive()
    }
}

/// Refuses (500) where no layer is: a handler that asks who calls never runs for nobody.
#[cfg(feature = "axum")]
impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Authenticated {
    type Rejection = axum::extract::rejection::ExtensionRejection;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        state: &S,
    ) -> Result<Self, Self::Rejection> {
        let found = axum::Extension::<Self>::from_request_parts(parts, state).await;
        found.map(|axum::Extension(authenticated)| authenticated)
    }
}
