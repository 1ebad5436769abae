//! `/v1/tokens`

use super::Admin;
use super::caller::{Caller, Issue, Read, Revoke};
use super::extract::{Json, Params, Segment, scopes, text};
use super::page;
use crate::config::TOKEN_LIFETIME_MAX;
use crate::http::{Problem, no_store, problem::reasons};
use crate::service::tokens::{Achieved, IssueRequest, IssuedSecret, RevokeOutcome, one};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use rescind_core::{OwnerId, RevocationReason, TokenId, TokenKind, TokenState};
use rescind_store::{IssueError, StoredToken, TokenFilter};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Longest label, in bytes.
const LABEL_BYTES_MAX: usize = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    owner_id: String,
    kind: String,
    label: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    expires_in_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    owner_id: Option<String>,
    kind: Option<String>,
    state: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct TokenView {
    id: String,
    owner_id: String,
    kind: &'static str,
    label: Option<String>,
    scopes: Vec<String>,
    issued_at: String,
    expires_at: Option<String>,
    state: &'static str,
    revoked_at: Option<String>,
    revoked_by: Option<String>,
    revocation_reason: Option<&'static str>,
    last_used_at: Option<String>,
}

#[derive(Serialize)]
struct NewTokenView<'a> {
    #[serde(flatten)]
    view: TokenView,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

#[derive(Serialize)]
struct Revocation {
    token: TokenView,
    already_revoked: bool,
    epoch: u64,
    nodes_acknowledged: u32,
    leases_waited_for: u32,
    milliseconds: u128,
}

pub(super) async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Issue>,
    Json(new): Json<NewToken>,
) -> Result<Response, Problem> {
    let request = new.checked(admin.services.now())?;
    let issued = admin.services.issue(request, caller.actor()).await?;
    let stored = StoredToken { record: issued.record, last_used_at: None };
    let base64;
    let (token, secret) = match &issued.secret {
        IssuedSecret::Bearer(plain) => (Some(plain.expose()), None),
        IssuedSecret::Signing(secret) => {
            base64 = secret.expose_base64();
            (None, Some(base64.as_str()))
        }
    };
    let body = axum::Json(NewTokenView { view: TokenView::from(stored), token, secret });
    Ok(no_store((StatusCode::CREATED, body).into_response()))
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    _: Caller<Read>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let mut filter = query.filter()?;
    filter.limit = limit + 1;
    let rows = admin.services.store.tokens(&filter).await?;
    Ok(page::answer(rows, limit, |token| token.record.id.to_string(), TokenView::from))
}

pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    _: Caller<Read>,
    id: Segment,
) -> Result<Response, Problem> {
    let token = admin.stored_token(&id.token_id()?).await?;
    Ok(no_store(axum::Json(TokenView::from(token)).into_response()))
}

pub(super) async fn revoke(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Revoke>,
    id: Segment,
    Json(request): Json<RevokeRequest>,
) -> Result<Response, Problem> {
    let id = id.token_id()?;
    let reason = match request.reason.as_deref() {
        None => RevocationReason::Unspecified,
        Some(text) => RevocationReason::parse(text).ok_or_else(|| {
            Problem::bad_request(format!("reason must be one of: {}.", reasons()))
        })?,
    };
    let outcome = admin.services.revoke(one(id.clone(), None, reason), caller.actor()).await?;
    let (achieved, already_revoked) = match outcome {
        RevokeOutcome::Revoked(achieved) => (achieved, false),
        RevokeOutcome::AlreadyRevoked { achieved, .. } => (achieved, true),
        RevokeOutcome::Unknown => return Err(Problem::not_found("There is no such token.")),
    };
    let token = TokenView::from(admin.stored_token(&id).await?);
    let Achieved { epoch, nodes_acknowledged, leases_waited_for, took } = achieved;
    let milliseconds = took.as_millis();
    let body = Revocation {
        token,
        already_revoked,
        epoch,
        nodes_acknowledged,
        leases_waited_for,
        milliseconds,
    };
    Ok(no_store(axum::Json(body).into_response()))
}

impl Admin {
    async fn stored_token(&self, id: &TokenId) -> Result<StoredToken, Problem> {
        let found = self.services.store.token(id).await?;
        found.ok_or_else(|| Problem::not_found("There is no such token."))
    }
}

impl NewToken {
    fn checked(self, now: rescind_core::Timestamp) -> Result<IssueRequest, Problem> {
        let owner = owner_id(&self.owner_id)?;
        let expires_at = match self.expires_in_seconds {
            None => None,
            Some(seconds @ 1..) if seconds <= TOKEN_LIFETIME_MAX.as_secs() => {
                Some(now.plus_millis(i64::try_from(seconds * 1_000).unwrap_or(i64::MAX)))
            }
            Some(_) => {
                let most = TOKEN_LIFETIME_MAX.as_secs();
                let detail = format!("expires_in_seconds must be from 1 to {most} (ten years).");
                return Err(Problem::bad_request(detail));
            }
        };
        Ok(IssueRequest {
            owner,
            kind: issuable(&self.kind)?,
            label: self.label.map(|label| text("label", label, LABEL_BYTES_MAX)).transpose()?,
            scopes: scopes(&self.scopes)?,
            expires_at,
        })
    }
}

impl ListQuery {
    fn filter(self) -> Result<TokenFilter, Problem> {
        let active_only = match self.state.as_deref() {
            None | Some("active") => true,
            Some("all") => false,
            Some(_) => return Err(Problem::bad_request("state must be active or all.")),
        };
        Ok(TokenFilter {
            owner: self.owner_id.as_deref().map(owner_id).transpose()?,
            kind: self.kind.as_deref().map(kind).transpose()?,
            active_only,
            after: page::after(self.after.as_deref(), TokenId::parse)?,
            limit: 0,
        })
    }
}

fn kind(text: &str) -> Result<TokenKind, Problem> {
    TokenKind::parse(text).ok_or_else(|| {
        let known = TokenKind::ALL.map(TokenKind::as_str).join(", ");
        Problem::bad_request(format!("kind must be one of: {known}."))
    })
}

/// Not an operator's: whoever may issue tokens could give itself every other power with one.
fn issuable(text: &str) -> Result<TokenKind, Problem> {
    match kind(text)? {
        TokenKind::Admin => {
            let detail = "Tokens for operators are not issued here.";
            Err(Problem::new(StatusCode::FORBIDDEN, "not-allowed", "Not allowed", detail))
        }
        other => Ok(other),
    }
}

fn owner_id(text: &str) -> Result<OwnerId, Problem> {
    OwnerId::parse(text).map_err(|fault| Problem::bad_request(format!("owner_id: {fault}.")))
}

impl From<StoredToken> for TokenView {
    fn from(token: StoredToken) -> Self {
        let record = token.record;
        let (state, revoked_at, revoked_by, revocation_reason) = match &record.state {
            TokenState::Active => ("active", None, None, None),
            TokenState::Revoked { at, by, reason } => {
                let by = Some(by.as_str().to_owned());
                ("revoked", Some(at.to_rfc3339_millis()), by, Some(reason.as_str()))
            }
        };
        Self {
            id: record.id.to_string(),
            owner_id: record.owner.to_string(),
            kind: record.kind.as_str(),
            label: record.label,
            scopes: record.scopes.iter().map(Into::into).collect(),
            issued_at: record.issued_at.to_rfc3339_millis(),
            expires_at: record.expires_at.map(|at| at.to_rfc3339_millis()),
            state,
            revoked_at,
            revoked_by,
            revocation_reason,
            last_used_at: token.last_used_at.map(|at| at.to_rfc3339_millis()),
        }
    }
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::UnknownOwner => Self::not_found("There is no such owner."),
            IssueError::Denied(denial) => {
                Self::new(StatusCode::FORBIDDEN, "not-allowed", "Not allowed", format!("{denial}."))
            }
            IssueError::Exists => Self::conflict("This token exists already."),
            IssueError::Store(error) => error.into(),
        }
    }
}
