//! Who is calling: a partner by identity token, or by a signed request. Exactly one of the two, and
//! never a guess.

use super::Error;
use crate::contracts::Contracts;
use crate::http::{ClientAddress, read_body};
use crate::service::Acting;
use crate::service::identity::IdentityError;
use axum::body::Body;
use http::{HeaderName, Request, header::AUTHORIZATION};
use rescind_core::signature::SignedRequest;
use rescind_core::{Demand, LetIn, Malformed, Owner, OwnerId, Presented, ScopeSet};
use rescind_guard::Verified;
use rescind_guard::credentials::{bearer_of, single};

const IDENTITY: HeaderName = HeaderName::from_static("identity");

/// A token that has signed a request to manage its partner's tokens.
#[derive(Debug)]
pub(super) struct Manager {
    token: Verified,
    let_in: LetIn,
}

impl Manager {
    pub(super) fn partner(&self) -> &OwnerId {
        &self.token.owner().id
    }

    pub(super) fn acting(&self) -> Acting {
        Acting::token(&self.token.token().id(), self.let_in.clone())
    }
}

impl Contracts {
    /// The partner that the `identity` header names. Another credential beside it is refused.
    pub(super) async fn identified(&self, headers: &http::HeaderMap) -> Result<Owner, Error> {
        if self.credentials.names().any(|name| headers.contains_key(name)) {
            return Err(Error::NotAuthenticated);
        }
        let value = single_identity(headers)?.ok_or(Error::NotAuthenticated)?;
        let token = bearer_of(value)?;
        let who = self.services.identity.identify(token).await.map_err(|error| {
            tracing::debug!(%error, "identity refused");
            match error {
                IdentityError::Refused(_) => Error::NotAuthenticated,
                IdentityError::Unavailable => Error::Unavailable,
            }
        })?;
        let services = &self.services;
        let owner =
            services.partner_of(&who.issuer, &who.subject, who.account, who.may_create).await?;
        owner.filter(|owner| !owner.state.is_suspended()).ok_or(Error::NotAuthenticated)
    }

    /// The partner's token that signed this request, body and all, if the partner manages its own
    /// tokens. Nothing but signing is taken here.
    pub(super) async fn manager(&self, request: Request<Body>) -> Result<Manager, Error> {
        let (parts, body) = request.into_parts();
        if parts.headers.contains_key(IDENTITY) {
            return Err(Error::NotAuthenticated);
        }
        let Some(Presented::Signed(signed)) = self.credentials.read(&parts.headers)? else {
            return Err(Error::NotAuthenticated);
        };
        self.services.verifier.signed_is_hopeless(&signed).await?;
        let body = read_body(&parts, body).await?;
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let request = SignedRequest::with_body(parts.method.as_str(), target, &body);
        let client = parts.extensions.get::<ClientAddress>().and_then(|client| client.known());
        let let_in = LetIn { client, token_management: true, ..LetIn::default() };
        let token = self.services.verifier.signed(&signed, &request, &let_in.demand()).await?;
        let manages = token.owner().capabilities.token_management;
        if manages { Ok(Manager { token, let_in }) } else { Err(Error::TokenManagementOff) }
    }

    pub(super) fn carries_identity(headers: &http::HeaderMap) -> bool {
        headers.contains_key(IDENTITY)
    }

    /// A legacy key that presents itself in `X-API-Key`.
    pub(super) async fn by_api_key(
        &self,
        headers: &http::HeaderMap,
        client: ClientAddress,
    ) -> Result<Verified, Error> {
        if headers.contains_key(AUTHORIZATION) {
            return Err(Error::NotAuthenticated);
        }
        let Some(Presented::Bearer(text)) = self.credentials.read(headers)? else {
            return Err(Error::NotAuthenticated);
        };
        let client = client.known();
        let demand = Demand { admin: false, scopes: &ScopeSet::default(), client };
        let verified = self.services.verifier.bearer(text, &demand).await?;
        let is_key = verified.token().kind() == rescind_core::TokenKind::ApiKey;
        if is_key { Ok(verified) } else { Err(Error::NotAuthenticated) }
    }
}

/// At most one; a JWT has no comma, so a joined pair is refused with the rest.
fn single_identity(headers: &http::HeaderMap) -> Result<Option<&str>, Malformed> {
    single(headers, &IDENTITY)
}
