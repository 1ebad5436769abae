//! The verify listener: for proxies and services inside. Who reaches it can ask whether a token is
//! valid, nothing more; it must not be reachable from outside.

use crate::http::{Problem, no_store, read_json};
use crate::service::Services;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{Request, StatusCode};
use rescind_core::{Demand, Presented, ScopeSet};
use rescind_guard::{Guard, Refusal, Verified};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    token: String,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Serialize)]
struct Valid<'a> {
    valid: bool,
    token_id: &'a str,
    owner_id: &'a str,
    kind: &'static str,
    scopes: Vec<&'a str>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct Invalid {
    valid: bool,
    reason: &'static str,
}

pub fn router(services: Arc<Services>) -> Router {
    Router::new()
        .route("/v1/verify", post(verify))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        .with_state(Arc::clone(&services))
        .merge(health_routes(services))
}

/// `GET /health`: 200 while this node can verify, 503 while it cannot.
pub fn health_routes(services: Arc<Services>) -> Router {
    Router::new().route("/health", get(health)).with_state(services)
}

async fn health(State(services): State<Arc<Services>>) -> Response {
    let (status, word) = if services.guard.is_open() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "sealed")
    };
    no_store((status, Json(json!({ "status": word }))).into_response())
}

async fn verify(
    State(services): State<Arc<Services>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let request = read_json(&parts, body).await?;
    answer(&services.guard, &request)
}

/// Refusals are told apart here, for those who run the service; a client of the API behind it never
/// sees them.
pub fn answer(guard: &Guard, request: &VerifyRequest) -> Result<Response, Problem> {
    let scopes = ScopeSet::parse(request.scopes.iter().map(String::as_str))
        .map_err(|fault| Problem::bad_request(format!("scopes: {fault}.")))?;
    let demand = Demand { admin: false, scopes: &scopes };
    let Ok(Presented::Bearer(text)) = Presented::bearer(&request.token) else {
        return Ok(invalid("malformed"));
    };
    match guard.bearer(text, &demand) {
        Ok(verified) => Ok(valid(&verified)),
        Err(Refusal::Denied(denial)) => Ok(invalid(denial.as_str())),
        Err(Refusal::Sealed) => Err(Problem::unavailable()),
    }
}

fn valid(verified: &Verified) -> Response {
    let token = verified.token();
    let body = Valid {
        valid: true,
        token_id: token.id().as_str(),
        owner_id: verified.owner().id.as_str(),
        kind: token.kind().as_str(),
        scopes: verified.scopes().collect(),
        expires_at: token.expires_at().map(|at| at.to_rfc3339_millis()),
    };
    no_store(Json(body).into_response())
}

fn invalid(reason: &'static str) -> Response {
    no_store(Json(Invalid { valid: false, reason }).into_response())
}

async fn no_such_path() -> Problem {
    Problem::not_found("The verify listener has no such path.")
}

async fn method_not_allowed() -> Problem {
    let detail = "This path does not take that method.";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail)
}

/// The token stays unseen.
impl std::fmt::Debug for VerifyRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifyRequest")
    }
}
