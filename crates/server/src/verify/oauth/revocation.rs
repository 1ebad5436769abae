//! `POST /v1/revoke` (RFC 7009): whoever holds a token may end it. Nothing else is asked for: a
//! leaked token is ended by whoever finds it, and credentials that a client sends along, as OAuth's
//! libraries do, are not looked at.
//!
//! The token is looked up where it is stored and not in the index, so that an expired one, or one
//! whose owner is suspended, is ended too: it must not come back when the owner does. Of a token
//! that nobody knows the answer is the same (§2.2): it is as good as revoked.

use super::Error;
use crate::http::{no_store, read_form};
use crate::service::Services;
use crate::service::tokens::one;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use rescind_core::{Actor, Digest, Presented, RevocationReason, TokenKind};
use std::sync::Arc;

/// `token_type_hint` is not needed: the digest finds every bearer token there is.
pub(super) async fn handle(
    State(services): State<Arc<Services>>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let form = read_form(&parts, body).await?;
    let token = form.get("token").ok_or(Error::InvalidRequest("token is missing"))?;
    if Presented::bearer(token).is_err() {
        return Ok(done());
    }
    let digest = Digest::of(token.as_bytes());
    let Some(found) = services.store.token_by_digest(&digest).await? else { return Ok(done()) };
    // Who ends the last of them locks every operator out; the admin listener sees to that.
    if found.record.kind == TokenKind::Admin {
        return Err(Error::UnsupportedTokenType);
    }
    let id = found.record.id;
    let itself = Actor::token(&id).into();
    services.revoke(one(id, None, RevocationReason::Unspecified), itself).await?;
    Ok(done())
}

fn done() -> Response {
    no_store(().into_response())
}
