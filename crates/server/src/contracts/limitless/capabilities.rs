//! `GET /auth/api-tokens/capabilities`: what the partner may do. Somebody new is let in with the
//! self-service default.

use super::Error;
use crate::contracts::Contracts;
use crate::http::no_store;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use rescind_core::OwnerKind;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities<'a> {
    partner_profile_id: i32,
    token_management_enabled: bool,
    allowed_scopes: Vec<&'a str>,
}

pub(super) async fn handle(
    State(shared): State<Arc<Contracts>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let owner = shared.identified(&headers).await?;
    let OwnerKind::Partner { profile_id, .. } = owner.kind else { return Err(Error::Internal) };
    let body = Capabilities {
        partner_profile_id: profile_id,
        token_management_enabled: owner.capabilities.token_management,
        allowed_scopes: owner
            .capabilities
            .allowed_scopes
            .iter()
            .flat_map(|set| set.iter())
            .collect(),
    };
    Ok(no_store(Json(body).into_response()))
}
