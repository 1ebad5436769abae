//! `/auth/api-keys`: the older bearer keys, sent as `X-API-Key`.
//!
//! The documentation speaks of "the" active key, and of making the new one before revoking the old
//! one, which do not fit. Here several may be active. `DELETE` with a key in `X-API-Key` revokes
//! that very key; with an identity token it revokes all of the partner's keys: whoever asks for
//! that wants no key to work any more.

use super::Error;
use crate::contracts::{Contracts, achieved::achieved};
use crate::http::{ClientAddress, no_store};
use crate::service::tokens::{IssueRequest, IssuedSecret, RevokeOutcome, one};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use rescind_core::{Actor, OwnerId, RevocationReason, TokenKind};
use rescind_store::StoredToken;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewKey<'a> {
    key_id: &'a str,
    api_key: &'a str,
    created_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    key_id: String,
    created_at: String,
    last_used_at: Option<String>,
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

pub(super) async fn create(
    State(shared): State<Arc<Contracts>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let owner = shared.identified(&headers).await?;
    if !shared.legacy_api_keys {
        return Err(Error::LegacyKeysOff);
    }
    let most = owner.capabilities.allowed_scopes.clone();
    let request = IssueRequest {
        owner: owner.id.clone(),
        kind: TokenKind::ApiKey,
        label: None,
        scopes: most.unwrap_or_else(|| shared.services.settings.default_scopes.clone()),
        expires_at: None,
        allowed_networks: None,
    };
    let issued = shared.services.issue(request, Actor::owner(&owner.id).into()).await?;
    let IssuedSecret::Bearer(plain) = &issued.secret else { return Err(Error::Internal) };
    let body = NewKey {
        key_id: issued.record.id.as_str(),
        api_key: plain.expose(),
        created_at: issued.record.issued_at.to_rfc3339_millis(),
    };
    Ok(no_store((StatusCode::CREATED, Json(body)).into_response()))
}

/// The newest active key, or `null`.
pub(super) async fn show(
    State(shared): State<Arc<Contracts>>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let owner = if Contracts::carries_identity(&headers) {
        shared.identified(&headers).await?.id
    } else {
        shared.by_api_key(&headers, client).await?.owner().id.clone()
    };
    let newest = shared.active_keys(&owner).await?.pop().map(Key::from);
    Ok(no_store(Json(newest).into_response()))
}

pub(super) async fn revoke(
    State(shared): State<Arc<Contracts>>,
    Extension(client): Extension<ClientAddress>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let done = if Contracts::carries_identity(&headers) {
        let owner = shared.identified(&headers).await?.id;
        shared.services.revoke_all_keys(owner).await?
    } else {
        let caller = shared.by_api_key(&headers, client).await?;
        let what = one(caller.token().id(), None, RevocationReason::Unspecified);
        let itself = Actor::token(&caller.token().id()).into();
        match shared.services.revoke(what, itself).await? {
            RevokeOutcome::Revoked { achieved, .. } => Some(achieved),
            RevokeOutcome::AlreadyRevoked { .. } | RevokeOutcome::Unknown => None,
        }
    };
    let done = done.ok_or(Error::KeyNotFound)?;
    let body = Message { message: "API key revoked successfully" };
    Ok(achieved(Json(body).into_response(), done))
}

impl Contracts {
    async fn active_keys(&self, owner: &OwnerId) -> Result<Vec<StoredToken>, Error> {
        Ok(self.services.active_tokens(owner, TokenKind::ApiKey).await?)
    }
}

impl From<StoredToken> for Key {
    fn from(token: StoredToken) -> Self {
        Self {
            key_id: token.record.id.to_string(),
            created_at: token.record.issued_at.to_rfc3339_millis(),
            last_used_at: token.last_used_at.map(|at| at.to_rfc3339_millis()),
        }
    }
}
