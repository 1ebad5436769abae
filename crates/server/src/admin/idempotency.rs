//! `Idempotency-Key` of a request, and how the answer says that it is a repetition.

use super::caller::{Caller, Needs};
use super::openapi::vocabulary;
use crate::http::{Problem, no_store};
use crate::service;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use rescind_store::Idempotency;
use serde::{Serialize, Serializer};
use utoipa::IntoParams;

/// Longest key, in bytes; a UUID in quotes has 38.
pub(super) const KEY_BYTES_MAX: usize = 255;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a caller sends to be able to ask again.
#[derive(Debug)]
pub(super) struct Repeatable {
    method: Method,
    path: String,
    key: Option<String>,
}

/// The header, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read as a header, by `Repeatable`")]
pub(super) struct RepeatableHeader {
    /// Send the same key with the same request again, if no answer came: nothing is made twice. A
    /// key is kept for 24 hours, for the token that sent it.
    #[param(rename = "Idempotency-Key", value_type = vocabulary::IdempotencyKey, required = false)]
    key: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Repeatable {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(read(value).ok_or_else(unreadable)?),
            (Some(_), Some(_)) => return Err(unreadable()),
        };
        Ok(Self { method: parts.method.clone(), path: parts.uri.path().into(), key })
    }
}

impl Repeatable {
    /// `asked` is the request's body as it was understood, without passwords.
    pub(super) fn of<S: Needs>(
        &self,
        caller: &Caller<S>,
        asked: &impl Serialize,
    ) -> Result<Option<Idempotency>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        let (token, method) = (caller.token_id(), self.method.as_str());
        let idempotency = service::idempotency(&token, method, &self.path, key, asked);
        idempotency.map(Some).map_err(|_| Problem::unavailable())
    }
}

/// 201, also for a repetition: the first time, it was made.
pub(super) fn created(view: impl Serialize, is_replay: bool) -> Response {
    let mut response = no_store((StatusCode::CREATED, axum::Json(view)).into_response());
    if is_replay {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// For a field that is a secret, where a request is serialized to be recognised again.
pub(super) fn unsaid<T, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_unit()
}

fn read(value: &HeaderValue) -> Option<String> {
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    let fits = (1..=KEY_BYTES_MAX).contains(&value.len());
    (visible && fits).then(|| value.to_str().ok().map(Into::into)).flatten()
}

fn unreadable() -> Problem {
    let detail = format!("Idempotency-Key: one, of 1 to {KEY_BYTES_MAX} visible ASCII characters.");
    Problem::bad_request(detail)
}
