//! `POST /v1/introspect` (RFC 7662): what a token that somebody sent is good for. Services behind
//! Kong, Spring Security and the like ask in this form.
//!
//! Whatever is wrong with the token is `{"active":false}` with status 200 and nothing more: clients
//! take any other status for an outage (Spring answers its own caller 500), and the asker has no
//! business with the reason.

use super::{Error, caller};
use crate::access::{MinEpochFault, min_epoch};
use crate::http::{Form, no_store, read_form};
use crate::service::Services;
use crate::verify::verdict::is_within;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::Request;
use rescind_core::{Demand, OwnerKind, Presented, ScopeSet, Timestamp};
use rescind_guard::{Refusal, Verified};
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;

/// Without `iss`, which would be our address, and we do not know by which of them we are known;
/// older Spring Security fails on one that is not a URL.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    /// Left out if there are none: an empty one reads as one scope without a name (Spring Security).
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    iat: i64,
    sub: &'a str,
    jti: String,
}

#[derive(Serialize)]
struct Inactive {
    active: bool,
}

pub(super) async fn handle(
    State(services): State<Arc<Services>>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let form = read_form(&parts, body).await?;
    let asker = caller::authenticate(&services.verifier, &parts, &form).await?;
    min_epoch::wait(&services.verifier, &parts.headers).await?;
    let token = form.get("token").ok_or(Error::InvalidRequest("token is missing"))?;
    let demand =
        Demand { admin: false, scopes: &ScopeSet::default(), client: client_address(&form)? };
    let Ok(Presented::Bearer(text)) = Presented::bearer(token) else { return Ok(inactive()) };
    match services.verifier.bearer(text, &demand).await {
        Ok(verified) if is_within(&verified, asker.owner().tenant.as_ref()) => {
            Ok(no_store(Json(Active::from(&verified)).into_response()))
        }
        Ok(_) | Err(Refusal::Denied(_)) => Ok(inactive()),
        Err(Refusal::Sealed | Refusal::TooManyNew) => Err(Error::Unavailable),
    }
}

/// Where the token was used from, if the asker says so: RFC 7662 §2.1 leaves room for that. A token
/// that is bound to networks is not active for an asker that does not.
fn client_address(form: &Form) -> Result<Option<IpAddr>, Error> {
    let address = form.get("client_address").map(str::parse).transpose();
    address.map_err(|_| Error::InvalidRequest("client_address is not an IP address"))
}

impl From<MinEpochFault> for Error {
    fn from(fault: MinEpochFault) -> Self {
        match fault {
            MinEpochFault::Malformed => {
                Self::InvalidRequest("X-Rescind-Min-Epoch is not one whole number")
            }
            MinEpochFault::Behind => Self::Unavailable,
        }
    }
}

fn inactive() -> Response {
    no_store(Json(Inactive { active: false }).into_response())
}

impl<'a> From<&'a Verified> for Active<'a> {
    fn from(verified: &'a Verified) -> Self {
        let (token, owner) = (verified.token(), verified.owner());
        let username = match &owner.kind {
            OwnerKind::User { email, .. } => Some(email.as_str()),
            OwnerKind::Partner { .. } | OwnerKind::Operator { .. } => None,
        };
        Self {
            active: true,
            scope: verified.scopes().collect::<Vec<_>>().join(" "),
            client_id: owner.id.as_str(),
            username,
            token_type: "Bearer",
            exp: token.expires_at().map(seconds),
            iat: seconds(token.issued_at()),
            sub: owner.id.as_str(),
            jti: token.id().to_string(),
        }
    }
}

/// Whole ones, rounded down: who caches until `exp` must not do so past the end.
fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1_000)
}
