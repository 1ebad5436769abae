//! `DELETE /auth/api-tokens/{tokenId}`: immediate and for good. Another partner's token is answered
//! like an unknown one, and is not touched.
//!
//! The id is decoded after the signature was verified over the raw target, and after routing:
//! `tok%2Fa` is one segment.

use super::Error;
use crate::contracts::{Contracts, achieved::achieved};
use crate::service::tokens::{RevokeOutcome, one};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use rescind_core::{RevocationReason, TokenId};
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

pub(super) async fn handle(
    State(shared): State<Arc<Contracts>>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let id = token_id(request.uri().path());
    let caller = shared.manager(request).await?;
    let id = id.ok_or(Error::TokenNotFound)?;
    let what = one(id, Some(caller.partner().clone()), RevocationReason::Unspecified);
    match shared.services.revoke(what, caller.acting()).await? {
        RevokeOutcome::Revoked { achieved: done, .. } => {
            let body = Message { message: "API token revoked successfully" };
            Ok(achieved(Json(body).into_response(), done))
        }
        RevokeOutcome::AlreadyRevoked { .. } | RevokeOutcome::Unknown => Err(Error::TokenNotFound),
    }
}

/// The id in the last segment. Ids need no percent-encoding, but a client may use it.
fn token_id(path: &str) -> Option<TokenId> {
    let (_, segment) = path.rsplit_once('/')?;
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
    TokenId::parse(&decoded).ok()
}
