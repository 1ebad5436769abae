//! The verify listener: for proxies and services inside. Who reaches it can ask whether a token is
//! valid, and can end a token that it holds; it must not be reachable from outside.
//!
//! One question has four spellings, and one answer: `/v1/verify` (this module), introspection and
//! revocation as OAuth's clients speak them (`oauth`), and the sub-requests of proxies. None of
//! them decides: the guard does. [`crate::inside`] puts them together.

mod at_most;
mod health;
mod oauth;
mod question;
mod verdict;
mod whole_request;

pub use health::{health_of, liveness, readiness_of};
pub use question::{QUESTIONS_MAX, VerifyRequest};

use crate::access::{Gatekeeper, min_epoch};
use crate::http::body::{Bounds, parse_json, read_json_text};
use crate::http::problem::pages;
use crate::http::{Connection, Problem, no_store};
use crate::service::Services;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderValue, Request, header};
use http_body::Body as _;
use question::{Question, Questions};
use rescind_core::TenantId;
use rescind_node::Verifier;
use std::sync::Arc;
use tokio::sync::Semaphore;
use verdict::Verdict;

pub(crate) const PATH: &str = "/v1/verify";

/// Longest body of a question: a hundred tokens, or a request whose signed body has a mebibyte
/// (`gateway.signed_body_bytes_max` as it is set unless told otherwise), in base64.
pub const VERIFY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What all such bodies may take together, in KiB. Other endpoints' are too short to count.
const QUESTIONS_KIB_MAX: usize = 128 * 1024;
/// What most verdicts take: written into less, an answer would be moved about.
const VERDICT_BYTES: usize = 256;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers `POST /v1/verify`.
pub(crate) struct Verify {
    verifier: Arc<Verifier>,
    gatekeeper: Arc<Gatekeeper>,
    /// KiB that questions may still take.
    room: Semaphore,
}

/// Everything here but forward-auth.
pub(crate) fn router(services: Arc<Services>, verify: Arc<Verify>) -> Router {
    Router::new()
        .route(PATH, post(handle))
        .method_not_allowed_fallback(Problem::method_not_allowed)
        .fallback(no_such_path)
        .with_state(verify)
        .merge(oauth::routes(Arc::clone(&services)))
        .merge(health::routes(services))
        .merge(pages::routes())
}

async fn handle(
    State(verify): State<Arc<Verify>>,
    Extension(on): Extension<Connection>,
    request: Request<Body>,
) -> Response {
    verify.answer(on, request).await
}

impl Verify {
    pub(crate) fn new(verifier: Arc<Verifier>, gatekeeper: Arc<Gatekeeper>) -> Self {
        Self { verifier, gatekeeper, room: Semaphore::new(QUESTIONS_KIB_MAX) }
    }

    pub(crate) async fn answer(&self, on: Connection, request: Request<Body>) -> Response {
        self.verdict(on, request).await.unwrap_or_else(IntoResponse::into_response)
    }

    async fn verdict(&self, on: Connection, request: Request<Body>) -> Result<Response, Problem> {
        let (parts, body) = request.into_parts();
        min_epoch::wait(&self.verifier, &parts.headers).await?;
        let kib = kib_at_most(&body);
        let _room = self.room.try_acquire_many(kib).map_err(|_| Problem::unavailable())?;
        let bounds = Bounds { bytes_max: VERIFY_BYTES_MAX, patience: on.body_timeout };
        let text = read_json_text(&parts.headers, body, bounds).await?;
        answer(&self.verifier, &self.gatekeeper, parse_json(&text)?, None).await
    }
}

/// Refusals are told apart here, for those who run the service; a client of the API behind it never
/// sees them.
///
/// `within` is the tenant that the asker belongs to, if it may see no other: of every other
/// tenant's token it learns as much as of one that there is not.
pub async fn answer(
    verifier: &Verifier,
    gatekeeper: &Gatekeeper,
    asked: VerifyRequest<'_>,
    within: Option<&TenantId>,
) -> Result<Response, Problem> {
    let verdict = |question| verdict::on(verifier, gatekeeper, question, within);
    Ok(no_store(match asked.questions()? {
        Questions::One(question) => {
            let mut text = String::with_capacity(VERDICT_BYTES);
            verdict(question).await?.write(&mut text);
            json(text)
        }
        Questions::Several(questions) => {
            let at_once = |question: &_| verdict::at_once(verifier, question, within);
            json(results(&together(questions, at_once, verdict).await?))
        }
    }))
}

/// Waits for all. Memory answers when it is asked, so that most leave nothing behind; those that
/// must be looked for are, together.
async fn together<'b, F>(
    questions: Vec<Question<'b>>,
    at_once: impl Fn(&Question<'b>) -> Option<Result<Verdict, Problem>>,
    verdict: impl Fn(Question<'b>) -> F,
) -> Result<Vec<Option<Verdict>>, Problem>
where
    F: Future<Output = Result<Verdict, Problem>>,
{
    let mut verdicts = Vec::with_capacity(questions.len());
    let mut waiting = FuturesUnordered::new();
    for (index, question) in questions.into_iter().enumerate() {
        let known = at_once(&question).transpose()?;
        if known.is_none() {
            waiting.push(verdict(question).map(move |verdict| (index, verdict)));
        }
        verdicts.push(known);
    }
    while let Some((index, verdict)) = waiting.next().await {
        if let Some(place) = verdicts.get_mut(index) {
            *place = Some(verdict?);
        }
    }
    Ok(verdicts)
}

fn results(verdicts: &[Option<Verdict>]) -> String {
    let mut text = String::with_capacity(VERDICT_BYTES * verdicts.len());
    text.push_str(r#"{"results":["#);
    for (index, verdict) in verdicts.iter().flatten().enumerate() {
        if index > 0 {
            text.push(',');
        }
        verdict.write(&mut text);
    }
    text.push_str("]}");
    text
}

fn json(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
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
