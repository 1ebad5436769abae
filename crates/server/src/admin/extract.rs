//! Bodies, queries and path segments of the admin API, with problems that name what is wrong.

use super::Admin;
use super::caller::{still_stands, unauthorized};
use crate::http::body::{Bounds, parse_json, read_json_text};
use crate::http::{BodyError, Problem, ProblemType};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use rescind_core::{NetworkSet, OwnerId, ScopeSet, TenantId, TokenId};
use rescind_store::StoreError;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use std::sync::Arc;

/// A JSON body, of a caller who still stands once it is there.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequest<Arc<Admin>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, Problem> {
        let JsonText(text) = JsonText::from_request(request, admin).await?;
        Ok(Self(parse_json(&text)?))
    }
}

/// The same unparsed, to be borrowed from.
pub(super) struct JsonText(pub(super) Bytes);

impl FromRequest<Arc<Admin>> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let read = read_json_text(&parts.headers, body, Bounds::on(&parts.extensions)).await;
        still_stands(&parts, admin).await?;
        Ok(Self(read?))
    }
}

/// The query, every field of it known.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(params)| Self(params)).map_err(|_: QueryRejection| {
            Problem::bad_request("The query has an unknown, repeated or unreadable parameter.")
        })
    }
}

/// The `{id}` of the path.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text))
            .map_err(|_: PathRejection| Problem::bad_request("The path is not readable."))
    }
}

impl Segment {
    pub(super) fn token_id(&self) -> Result<TokenId, Problem> {
        TokenId::parse(&self.0).map_err(|_| Problem::not_found("There is no such token."))
    }

    /// `None` is nobody's.
    pub(super) fn owner_id(&self) -> Option<OwnerId> {
        OwnerId::parse(&self.0).ok()
    }
}

pub(super) fn networks(blocks: &[String]) -> Result<NetworkSet, Problem> {
    NetworkSet::parse(blocks.iter().map(String::as_str))
        .map_err(|fault| Problem::bad_request(format!("allowed_networks: {fault}.")))
}

pub(super) fn tenant(text: &str) -> Result<TenantId, Problem> {
    TenantId::parse(text).map_err(|fault| Problem::bad_request(format!("tenant_id: {fault}.")))
}

/// For a field that may be left out, be null, or have a value: `#[serde(default, deserialize_with =
/// "given")]` tells the first two apart.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) fn scopes(names: &[String]) -> Result<ScopeSet, Problem> {
    ScopeSet::parse(names.iter().map(String::as_str))
        .map_err(|fault| Problem::bad_request(format!("scopes: {fault}.")))
}

/// A text field that is shown to people: bounded, and without control characters.
pub(super) fn text(field: &str, value: String, chars_max: usize) -> Result<String, Problem> {
    if value.chars().count() > chars_max {
        let detail = format!("{field} must have at most {chars_max} characters.");
        return Err(Problem::bad_request(detail));
    }
    if value.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("{field} must not contain control characters.")));
    }
    Ok(value)
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let detail = format!("{error}.");
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::of(ProblemType::BodyTooLarge, detail),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::of(ProblemType::UnsupportedMediaType, detail)
            }
            StatusCode::REQUEST_TIMEOUT => Self::of(ProblemType::BodyTimeout, detail),
            _ => Self::bad_request(detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::ActorRefused => unauthorized(),
            StoreError::LastAdmin => {
                let detail = "Nobody could administer this server afterwards.";
                Self::of(ProblemType::LastAdmin, detail)
            }
            StoreError::KeyReused => {
                let detail = "This Idempotency-Key was sent with another request before.";
                Self::of(ProblemType::IdempotencyKeyReused, detail)
            }
            StoreError::Unavailable(_)
            | StoreError::Uncertain(_)
            | StoreError::Failed(_)
            | StoreError::Corrupt(_) => {
                crate::service::log_store_error(&error);
                Self::unavailable()
            }
        }
    }
}
