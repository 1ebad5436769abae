//! Bodies, queries and path segments of the admin API, with problems that name what is wrong.

use super::caller::unauthorized;
use crate::http::{BodyError, Problem, read_json};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use rescind_core::{OwnerId, ScopeSet, TokenId};
use rescind_store::{OwnerError, StoreError};
use serde::de::DeserializeOwned;

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        Ok(Self(read_json(&parts, body).await?))
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

    pub(super) fn owner_id(&self) -> Result<OwnerId, Problem> {
        OwnerId::parse(&self.0).map_err(|_| Problem::not_found("There is no such owner."))
    }
}

pub(super) fn scopes(names: &[String]) -> Result<ScopeSet, Problem> {
    ScopeSet::parse(names.iter().map(String::as_str))
        .map_err(|fault| Problem::bad_request(format!("scopes: {fault}.")))
}

/// A text field that is shown to people: bounded, and without control characters.
pub(super) fn text(field: &str, value: String, bytes_max: usize) -> Result<String, Problem> {
    if value.len() > bytes_max {
        return Err(Problem::bad_request(format!("{field} must have at most {bytes_max} bytes.")));
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
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(error.status(), "too-large", "Content too large", detail)
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::new(
                error.status(),
                "unsupported-media-type",
                "Unsupported media type",
                detail,
            ),
            StatusCode::REQUEST_TIMEOUT => {
                Self::new(error.status(), "timeout", "Request timeout", detail)
            }
            _ => Self::bad_request(detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::ActorRefused) {
            return unauthorized();
        }
        crate::service::log_store_error(&error);
        Self::unavailable()
    }
}

impl From<OwnerError> for Problem {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::Unknown => Self::not_found("There is no such owner."),
            OwnerError::Exists => Self::conflict("This owner exists already."),
            OwnerError::Store(error) => error.into(),
        }
    }
}
