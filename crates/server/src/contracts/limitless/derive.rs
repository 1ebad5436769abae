//! `POST /auth/api-tokens/derive`: a new signing token. Its secret is shown here and never again.

use super::Error;
use crate::contracts::Contracts;
use crate::http::body::{is_json, parse_json};
use crate::http::{BodyError, no_store, read_body};
use crate::service::tokens::{IssueRequest, Issued, IssuedSecret};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Request, StatusCode};
use rescind_core::{Actor, IssueDenial, Owner, OwnerKind, ScopeSet, TokenKind};
use rescind_store::IssueError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest label, in characters.
pub(super) const LABEL_CHARS_MAX: usize = 128;

/// Every field may be missing or null; the Rust client sends `{"label":null,"scopes":[]}` for
/// nothing.
#[derive(Default, Deserialize)]
struct DeriveRequest {
    label: Option<String>,
    scopes: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DerivedToken<'a> {
    api_key: &'a str,
    secret: &'a str,
    token_id: &'a str,
    created_at: String,
    scopes: Vec<&'a str>,
    profile: Profile<'a>,
}

#[derive(Serialize)]
struct Profile<'a> {
    id: i32,
    account: &'a str,
}

pub(super) async fn handle(
    State(shared): State<Arc<Contracts>>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let owner = shared.identified(&parts.headers).await?;
    let asked = read_request(&parts, body).await?;
    let request = IssueRequest {
        owner: owner.id.clone(),
        kind: TokenKind::Signing,
        label: checked_label(asked.label)?,
        scopes: checked_scopes(asked.scopes.unwrap_or_default(), &shared)?,
        expires_at: None,
        allowed_networks: None,
    };
    let issued = shared.services.issue(request, Actor::owner(&owner.id).into()).await?;
    answer(&owner, &issued).ok_or(Error::Internal)
}

/// No body at all asks for nothing, like `{}`.
async fn read_request(parts: &Parts, body: Body) -> Result<DeriveRequest, Error> {
    let bytes = read_body(parts, body).await?;
    if bytes.is_empty() {
        return Ok(DeriveRequest::default());
    }
    if !is_json(&parts.headers) {
        return Err(BodyError::ContentType.into());
    }
    Ok(parse_json(&bytes)?)
}

fn checked_label(label: Option<String>) -> Result<Option<String>, Error> {
    let Some(label) = label else { return Ok(None) };
    if label.chars().count() > LABEL_CHARS_MAX {
        let message =
            format!("label must be shorter than or equal to {LABEL_CHARS_MAX} characters");
        return Err(Error::Invalid(message));
    }
    if label.chars().any(char::is_control) {
        return Err(Error::Invalid("label must not contain control characters".into()));
    }
    Ok(Some(label))
}

fn checked_scopes(asked: Vec<String>, shared: &Contracts) -> Result<ScopeSet, Error> {
    let settings = &shared.services.settings;
    if asked.is_empty() {
        return Ok(settings.default_scopes.clone());
    }
    let scopes = ScopeSet::parse(asked.iter().map(String::as_str))
        .map_err(|fault| Error::Invalid(format!("scopes: {fault}")))?;
    if !settings.known_scopes.contains_all(&scopes) {
        let known = settings.known_scopes.join(", ");
        return Err(Error::Invalid(format!("each value in scopes must be one of: {known}")));
    }
    if scopes.contains("delegated_signing") && !scopes.contains("trading") {
        return Err(Error::Invalid("the scope delegated_signing requires trading".into()));
    }
    Ok(scopes)
}

fn answer(owner: &Owner, issued: &Issued) -> Option<Response> {
    let OwnerKind::Partner { profile_id, account, .. } = &owner.kind else { return None };
    let IssuedSecret::Signing(secret) = &issued.secret else { return None };
    let record = &issued.record;
    let body = DerivedToken {
        api_key: record.id.as_str(),
        secret: &secret.expose_base64(),
        token_id: record.id.as_str(),
        created_at: record.issued_at.to_rfc3339_millis(),
        scopes: record.scopes.iter().collect(),
        profile: Profile { id: *profile_id, account },
    };
    Some(no_store((StatusCode::CREATED, Json(body)).into_response()))
}

impl From<IssueError> for Error {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Denied(IssueDenial::TokenManagementOff) => Self::TokenManagementOff,
            IssueError::Denied(IssueDenial::ScopeNotAllowed) => Self::ScopeNotAllowed,
            IssueError::Denied(IssueDenial::TooManyTokens) => Self::TooManyTokens,
            IssueError::Denied(IssueDenial::OwnerSuspended) | IssueError::UnknownOwner => {
                Self::NotAuthenticated
            }
            IssueError::Denied(IssueDenial::WrongOwner) | IssueError::Exists => Self::Internal,
            IssueError::Store(error) => error.into(),
        }
    }
}
