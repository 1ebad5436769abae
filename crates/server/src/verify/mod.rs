//! The verify listener: for proxies and services inside. Who reaches it can ask whether a token is
//! valid, and can end a token that it holds; it must not be reachable from outside.
//!
//! One question has four spellings, and one answer: `/v1/verify` (this module), introspection and
//! revocation as OAuth's clients speak them (`oauth`), and the sub-requests of proxies. None of
//! them decides: the guard does.

mod at_most;
mod health;
mod oauth;
mod question;
mod verdict;
mod whole_request;

pub use health::{health_of, liveness, readiness_of};
pub use question::{QUESTIONS_MAX, VerifyRequest};

use crate::access::{Gatekeeper, min_epoch};
use crate::http::problem::pages;
use crate::http::{Problem, no_store, read_json_within};
use crate::service::Services;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures_util::future::try_join_all;
use http::Request;
use http_body::Body as _;
use question::Questions;
use rescind_core::TenantId;
use rescind_node::Verifier;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::Semaphore;
use verdict::Verdict;

/// Longest body of a question: a hundred tokens, or a request whose signed body has a mebibyte
/// (`gateway.signed_body_bytes_max` as it is set unless told otherwise), in base64.
pub const VERIFY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What all such bodies may take together, in KiB. Other endpoints' are too short to count.
const QUESTIONS_KIB_MAX: usize = 128 * 1024;

struct Verify {
    verifier: Arc<Verifier>,
    gatekeeper: Arc<Gatekeeper>,
    /// KiB that questions may still take.
    room: Semaphore,
}

#[derive(Serialize)]
struct Results {
    results: Vec<Verdict>,
}

pub fn router(services: Arc<Services>, gatekeeper: Arc<Gatekeeper>) -> Router {
    let room = Semaphore::new(QUESTIONS_KIB_MAX);
    let verifier = Arc::clone(&services.verifier);
    Router::new()
        .route("/v1/verify", post(verify))
        .method_not_allowed_fallback(Problem::method_not_allowed)
        .fallback(no_such_path)
        .with_state(Arc::new(Verify { verifier, gatekeeper, room }))
        .merge(oauth::routes(Arc::clone(&services)))
        .merge(health::routes(services))
        .merge(pages::routes())
}

async fn verify(
    State(verify): State<Arc<Verify>>,
    request: Request<Body>,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    min_epoch::wait(&verify.verifier, &parts.headers).await?;
    let kib = kib_at_most(&body);
    let _room = verify.room.try_acquire_many(kib).map_err(|_| Problem::unavailable())?;
    let asked = read_json_within(&parts, body, VERIFY_BYTES_MAX).await?;
    answer(&verify.verifier, &verify.gatekeeper, asked, None).await
}

/// Refusals are told apart here, for those who run the service; a client of the API behind it never
/// sees them.
///
/// `within` is the tenant that the asker belongs to, if it may see no other: of every other
/// tenant's token it learns as much as of one that there is not.
pub async fn answer(
    verifier: &Verifier,
    gatekeeper: &Gatekeeper,
    asked: VerifyRequest,
    within: Option<&TenantId>,
) -> Result<Response, Problem> {
    let verdict = async |question| verdict::on(verifier, gatekeeper, question, within).await;
    Ok(no_store(match asked.questions()? {
        Questions::One(question) => Json(verdict(&question).await?).into_response(),
        Questions::Several(questions) => {
            // Those that must be looked for are, together.
            let results = try_join_all(questions.iter().map(verdict)).await?;
            Json(Results { results }).into_response()
        }
    }))
}

/// As announced, or else as much as it may have.
fn kib_at_most(body: &Body) -> u32 {
    let most = VERIFY_BYTES_MAX.try_into().unwrap_or(u64::MAX);
    let bytes = body.size_hint().upper().map_or(most, |announced| announced.min(most));
    bytes.div_ceil(1_024).try_into().unwrap_or(u32::MAX)
}

async fn no_such_path() -> Problem {
    Problem::not_found("The verify listener has no such path.")
}
