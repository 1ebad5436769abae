//! `GET /v1/revocations/{epoch}`, and how a revocation is answered whose caller did not wait until
//! it held everywhere.

use super::Admin;
use super::caller::{Caller, Needs, RevokeAny};
use super::extract::Segment;
use super::patience::{Prefer, PreferHeader};
use super::tokens::Done;
use crate::http::{Problem, no_store};
use crate::service::{Achieved, Progress};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use rescind_store::Epoch;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default().routes(routes!(show))
}

/// Committed for good, and not known to hold on every node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pending)]
pub(super) struct PendingView {
    /// False: another node may accept it for as long as its lease lasts.
    settled: bool,
    /// Number of the last change to owners and tokens.
    #[schema(minimum = 0)]
    epoch: u64,
    /// Where to ask how far it is.
    status_url: String,
}

/// How far all revocations are up to one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevocationProgress)]
struct ProgressView {
    /// As it was asked for.
    #[schema(minimum = 0)]
    epoch: u64,
    /// Whether it holds on every node.
    settled: bool,
    /// How many nodes have let go of what was revoked; null until it is settled.
    #[schema(required)]
    acknowledged: Option<u32>,
    /// How many nodes did not answer, and were waited out; null until it is settled.
    #[schema(required)]
    waited_out: Option<u32>,
    /// How long that took: from the revocation, or from when this node was first asked here, if it
    /// does not remember the revocation. Null until it is settled.
    #[schema(minimum = 0, required)]
    took_ms: Option<u64>,
}

/// Show whether a revocation holds on every node.
///
/// Any node can be asked. One that does not know of it makes sure anew, in the background; with
/// `Prefer: wait=SECONDS` the answer waits until it is settled. It is remembered for a while.
#[utoipa::path(
    get,
    path = "/v1/revocations/{epoch}",
    operation_id = "revocation_progress",
    tag = "Tokens",
    params(("epoch" = u64, Path, description = "As a revocation has answered it."), PreferHeader),
    responses(
        (status = 200, description = "How far it is.", body = ProgressView),
        (status = 404, description = "There is no such change yet."),
    ),
    security(("admin_token" = ["revoke"])),
)]
async fn show(
    State(admin): State<Arc<Admin>>,
    _: Caller<RevokeAny>,
    prefer: Prefer,
    epoch: Segment,
) -> Result<Response, Problem> {
    let digits = epoch.0.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = epoch.0.parse::<Epoch>().ok().filter(|_| digits);
    let epoch = parsed.ok_or_else(|| Problem::bad_request("epoch must be a whole number."))?;
    let progress = admin.services.progress(epoch, prefer.or_at_once()).await?;
    let progress = progress.ok_or_else(|| Problem::not_found("There is no such change yet."))?;
    let view = ProgressView::of(epoch, progress);
    Ok(prefer.applied(no_store(axum::Json(view).into_response())))
}

impl ProgressView {
    fn of(epoch: Epoch, progress: Progress) -> Self {
        let achieved = match progress {
            Progress::Settled(achieved) => Some(achieved),
            Progress::Pending(_) => None,
        };
        let millis = |Achieved { took, .. }| took.as_millis().try_into().unwrap_or(u64::MAX);
        Self {
            epoch,
            settled: achieved.is_some(),
            acknowledged: achieved.map(|achieved| achieved.acknowledged),
            waited_out: achieved.map(|achieved| achieved.waited_out),
            took_ms: achieved.map(millis),
        }
    }
}

/// What is told beside what was revoked.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Done(Done),
    Pending(PendingView),
}

impl Told {
    pub(super) fn of<S: Needs>(progress: Progress, caller: &Caller<S>) -> Self {
        match progress {
            Progress::Settled(achieved) => Self::Done(Done::told(achieved, caller)),
            Progress::Pending(epoch) => {
                let status_url = format!("/v1/revocations/{epoch}");
                Self::Pending(PendingView { settled: false, epoch, status_url })
            }
        }
    }
}

/// 200 with what was achieved; 202 and where to ask on, if it is not settled.
pub(super) fn answer(progress: &Progress, prefer: Prefer, view: impl Serialize) -> Response {
    let mut response = no_store(axum::Json(view).into_response());
    if let Progress::Pending(epoch) = progress {
        *response.status_mut() = StatusCode::ACCEPTED;
        if let Ok(place) = HeaderValue::from_str(&format!("/v1/revocations/{epoch}")) {
            response.headers_mut().insert(header::LOCATION, place);
        }
    }
    prefer.applied(response)
}
