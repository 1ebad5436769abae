//! `/v1/tokens`: what users, partners and operators are given. One file for each endpoint.
//!
//! An operator's token is power over all others. So whoever makes, changes or ends one that is not
//! its own needs the scope `admin`, whatever the endpoint asks for besides; and what an operator of
//! one tenant hands on is never more than it has.

mod create;
mod import;
mod list;
mod revoke;
mod rotate;
mod show;
mod update;
mod view;
pub(super) mod vocabulary;

pub(super) use revoke::reason;
pub(super) use view::Done;

use super::Admin;
use super::caller::{ADMIN_SCOPES, Caller, Needs};
use super::extract::Segment;
use crate::config::TOKEN_LIFETIME_MAX;
use crate::http::{Problem, ProblemType};
use rescind_core::{OwnerId, ScopeSet, TenantId, Timestamp, TokenKind};
use rescind_store::{IssueError, StoredToken};
use serde::de::{Deserialize, Deserializer, Error};
use std::sync::Arc;
use std::time::Duration;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The scope that everything about operators' tokens needs.
const ADMIN: &str = "admin";
/// What no operator of one tenant may have: the audit trail is the whole server's.
const AUDIT: &str = "audit";

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(import::import))
        .routes(routes!(revoke::revoke_presented))
        .routes(routes!(show::show, update::update))
        .routes(routes!(rotate::rotate))
        .routes(routes!(revoke::revoke))
}

impl Admin {
    /// The token that the path names, if the caller may see it.
    async fn named_token<S: Needs>(
        &self,
        caller: &Caller<S>,
        id: &Segment,
    ) -> Result<StoredToken, Problem> {
        self.token(caller, &id.token_id()?).await?.ok_or_else(no_such_token)
    }
}

/// Whether the caller may change this token or end it.
fn may_touch<S: Needs>(caller: &Caller<S>, token: &StoredToken) -> Result<(), Problem> {
    let own = token.record.id == caller.token_id();
    if own || token.record.kind != TokenKind::Admin { Ok(()) } else { administers(caller) }
}

/// Whether the caller may do what reaches operators' tokens.
pub(super) fn administers<S: Needs>(caller: &Caller<S>) -> Result<(), Problem> {
    if caller.has(ADMIN) {
        return Ok(());
    }
    let detail = "This is about an operator's token, and your token lacks the scope admin.";
    Err(Problem::of(ProblemType::InsufficientScope, detail))
}

/// Whether the caller may give an operator's token of these scopes to an operator of this tenant.
fn may_grant<S: Needs>(
    caller: &Caller<S>,
    to: Option<&TenantId>,
    scopes: &ScopeSet,
) -> Result<(), Problem> {
    administers(caller)?;
    if scopes.iter().any(|name| !ADMIN_SCOPES.contains(&name)) {
        let detail = format!("An operator's scopes are among {}.", ADMIN_SCOPES.join(", "));
        return Err(Problem::of(ProblemType::NotAllowed, detail));
    }
    if to.is_some() && scopes.contains(AUDIT) {
        let detail = "The audit trail is the whole server's, and this operator has a tenant.";
        return Err(Problem::of(ProblemType::NotAllowed, detail));
    }
    let bound = caller.operator().tenant.is_some();
    if bound && scopes.iter().any(|name| !caller.has(name)) {
        let detail = "An operator of one tenant gives no scope that its own token lacks.";
        return Err(Problem::of(ProblemType::NotAllowed, detail));
    }
    Ok(())
}

fn kind(text: &str) -> Result<TokenKind, Problem> {
    TokenKind::parse(text).ok_or_else(|| {
        let known = TokenKind::ALL.map(TokenKind::as_str).join(", ");
        Problem::bad_request(format!("kind must be one of: {known}."))
    })
}

fn owner_id(text: &str) -> Result<OwnerId, Problem> {
    OwnerId::parse(text).map_err(|fault| Problem::bad_request(format!("owner_id: {fault}.")))
}

pub(super) fn time(field: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::parse(text).map_err(|_| {
        let detail = format!("{field} must be a time with an offset, as 2026-03-23T12:00:00.000Z.");
        Problem::bad_request(detail)
    })
}

/// In JSON `60.0` is the same whole number as `60`.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<f64>::deserialize(deserializer)?;
    match number {
        Some(number) if number < 0.0 || number.fract() != 0.0 => {
            Err(D::Error::custom("a fraction, expected a whole number"))
        }
        // Beyond what it can say, it is beyond every limit.
        number => Ok(number.map(|number| number as u64)),
    }
}

fn lifetime(seconds: Option<u64>) -> Result<Option<Duration>, Problem> {
    let most = TOKEN_LIFETIME_MAX.as_secs();
    match seconds {
        Some(seconds) if !(1..=most).contains(&seconds) => {
            let detail = format!("expires_in_seconds must be from 1 to {most} (ten years).");
            Err(Problem::bad_request(detail))
        }
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

fn no_such_token() -> Problem {
    Problem::not_found("There is no such token.")
}

fn no_such_owner() -> Problem {
    Problem::not_found("There is no such owner.")
}

impl From<IssueError> for Problem {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::UnknownOwner => no_such_owner(),
            IssueError::Denied(denial) => Self::of(ProblemType::NotAllowed, format!("{denial}.")),
            IssueError::Exists => Self::conflict("This token exists already."),
            IssueError::Store(error) => error.into(),
        }
    }
}
