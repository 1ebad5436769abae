//! `DELETE /auth/token`: revokes exactly the token that was sent. There is no way to name another
//! one: a body or a query is not read.

use super::Error;
use crate::contracts::{Contracts, achieved::achieved};
use crate::http::ClientAddress;
use crate::service::tokens::{RevokeOutcome, one};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderMap;
use rescind_core::{Actor, Demand, Presented, RevocationReason, ScopeSet};
use serde::Serialize;
use std::sync::Arc;

/// `auth.RevokeTokenResponse`
#[derive(Serialize)]
struct RevokeTokenResponse {
    message: &'static str,
}

pub(super) async fn handle(
    State(shared): State<Arc<Contracts>>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let Some(Presented::Bearer(text)) = shared.credentials.read(&headers)? else {
        return Err(Error::Token);
    };
    let scopes = ScopeSet::default();
    let demand = Demand { admin: false, scopes: &scopes, client: client.known() };
    let id = shared.services.verifier.bearer(text, &demand).await?.token().id();
    let itself = Actor::token(&id).into();
    match shared.services.revoke(one(id, None, RevocationReason::Unspecified), itself).await? {
        RevokeOutcome::Revoked { achieved: done, .. } => {
            let body = RevokeTokenResponse { message: "Token revoked successfully" };
            Ok(achieved(Json(body).into_response(), done))
        }
        // Somebody else was faster: by now it is a token like any other revoked one.
        RevokeOutcome::AlreadyRevoked { .. } | RevokeOutcome::Unknown => Err(Error::Token),
    }
}
