//! `GET /auth/api-tokens`: the partner's active tokens, a bare array, oldest first, without
//! secrets.

use super::Error;
use crate::contracts::Contracts;
use crate::http::no_store;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use rescind_core::TokenKind;
use rescind_store::StoredToken;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ApiToken<'a> {
    token_id: &'a str,
    label: Option<&'a str>,
    scopes: Vec<&'a str>,
    created_at: String,
    last_used_at: Option<String>,
}

pub(super) async fn handle(
    State(shared): State<Arc<Contracts>>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let caller = shared.manager(request).await?;
    let tokens = shared.services.active_tokens(caller.partner(), TokenKind::Signing).await?;
    let body: Vec<_> = tokens.iter().map(ApiToken::from).collect();
    Ok(no_store(Json(body).into_response()))
}

impl<'a> From<&'a StoredToken> for ApiToken<'a> {
    fn from(token: &'a StoredToken) -> Self {
        Self {
            token_id: token.record.id.as_str(),
            label: token.record.label.as_deref(),
            scopes: token.record.scopes.iter().collect(),
            created_at: token.record.issued_at.to_rfc3339_millis(),
            last_used_at: token.last_used_at.map(|at| at.to_rfc3339_millis()),
        }
    }
}
