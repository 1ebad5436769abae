//! `errors.HttpError`: `{code, message, details: [{field, reason}]}`. `code` is a string; its
//! values are documented nowhere, so these are ours.

use crate::http::problem::RETRY_AFTER_OUTAGE;
use crate::http::{BodyError, HeadFault, no_store};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use rescind_core::Malformed;
use rescind_guard::Refusal;
use rescind_store::StoreError;
use serde::Serialize;
use std::time::Duration;

#[derive(Debug, Serialize)]
struct HttpError {
    code: &'static str,
    message: String,
    details: Vec<Detail>,
}

#[derive(Debug, Serialize)]
pub struct Detail {
    pub field: &'static str,
    pub reason: String,
}

#[derive(Debug)]
pub enum Error {
    Invalid(Vec<Detail>),
    /// More than one credential: not the caller's token, but the caller's request.
    SeveralCredentials,
    Body(BodyError),
    Head(HeadFault),
    /// Whatever is wrong with the token: one answer.
    Token,
    Login,
    TooMany(Duration),
    TooManyTokens,
    Unavailable,
    Internal,
}

impl Error {
    fn parts(self) -> (StatusCode, HttpError) {
        let error =
            |code, message: &str| HttpError { code, message: message.into(), details: Vec::new() };
        match self {
            Self::Invalid(details) => {
                let message = "The request is not valid".into();
                (StatusCode::BAD_REQUEST, HttpError { code: "invalid_request", message, details })
            }
            Self::SeveralCredentials => {
                let reason = "Send exactly one credential".into();
                let details = vec![Detail { field: "X-API-Key", reason }];
                let message = "The request carries more than one credential".into();
                (StatusCode::BAD_REQUEST, HttpError { code: "invalid_request", message, details })
            }
            Self::Body(fault) => {
                let details = vec![Detail { field: "body", reason: fault.to_string() }];
                let message = "The request body is not valid".into();
                (fault.status(), HttpError { code: "invalid_request", message, details })
            }
            Self::Head(fault) => {
                let details = vec![Detail { field: "headers", reason: fault.to_string() }];
                let message = "The request head is not valid".into();
                (fault.status(), HttpError { code: "invalid_request", message, details })
            }
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                error("unauthorized", "The API token is missing or not valid"),
            ),
            Self::Login => (
                StatusCode::UNAUTHORIZED,
                error("unauthorized", "The email or the password is wrong"),
            ),
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                error("too_many_requests", "Too many logins, try again later"),
            ),
            Self::TooManyTokens => (
                StatusCode::CONFLICT,
                error("too_many_tokens", "Too many active tokens, revoke some of them first"),
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                error("unavailable", "The service cannot answer now"),
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                error("internal_error", "Something went wrong on our side"),
            ),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let retry_after = match &self {
            Self::TooMany(after) => Some(*after),
            Self::Unavailable => Some(RETRY_AFTER_OUTAGE),
            _ => None,
        };
        let challenged = matches!(self, Self::Token | Self::Login);
        let (status, error) = self.parts();
        let mut response = (status, Json(error)).into_response();
        let headers = response.headers_mut();
        if let Some(after) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if challenged {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"rescind\""),
            );
        }
        no_store(response)
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<Malformed> for Error {
    fn from(fault: Malformed) -> Self {
        if fault == Malformed::Several { Self::SeveralCredentials } else { Self::Token }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(_) => Self::Token,
            Refusal::Sealed | Refusal::TooManyNew => Self::Unavailable,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::ActorRefused) {
            return Self::Token;
        }
        crate::service::log_store_error(&error);
        Self::Unavailable
    }
}

pub(super) async fn method_not_allowed() -> Response {
    let message = "Use POST to create a token or DELETE to revoke the one sent".into();
    let error = HttpError { code: "method_not_allowed", message, details: Vec::new() };
    let mut response = (StatusCode::METHOD_NOT_ALLOWED, Json(error)).into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, DELETE"));
    no_store(response)
}
