//! `POST /auth/token`: an e-mail and a password in, a token out. Several tokens of one user live at
//! once, so that a client can rotate: make the new one, use it, revoke the old one.

use super::Error;
use super::error::Detail;
use crate::contracts::Contracts;
use crate::http::{ClientAddress, no_store, read_json};
use crate::service::tokens::IssuedSecret;
use crate::service::{LoggedIn, LoginError, PASSWORD_BYTES_MAX, owners::EMAIL_BYTES_MAX};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::Request;
use rescind_core::OwnerKind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `auth.LoginRequest`
#[derive(Deserialize)]
struct LoginRequest {
    email: Option<String>,
    password: Option<String>,
}

#[derive(Serialize)]
struct TokenResponse<'a> {
    token_id: &'a str,
    token_type: &'static str,
    expires_at: String,
    user: User<'a>,
    access_token: &'a str,
}

#[derive(Serialize)]
struct User<'a> {
    id: &'a str,
    email: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    tenant_id: &'a str,
}

pub(super) async fn handle(
    State(shared): State<Arc<Contracts>>,
    Extension(client): Extension<ClientAddress>,
    request: Request<Body>,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let (email, password) = read_json::<LoginRequest>(&parts, body).await?.checked()?;
    let logged_in = shared.services.log_in(&email, password, client.nearest()).await?;
    answer(&logged_in).ok_or(Error::Internal)
}

impl LoginRequest {
    fn checked(self) -> Result<(String, String), Error> {
        let mut details = Vec::new();
        let email = bounded("email", self.email, EMAIL_BYTES_MAX, &mut details);
        let password = bounded("password", self.password, PASSWORD_BYTES_MAX, &mut details);
        if details.is_empty() { Ok((email, password)) } else { Err(Error::Invalid(details)) }
    }
}

fn bounded(
    field: &'static str,
    value: Option<String>,
    max: usize,
    details: &mut Vec<Detail>,
) -> String {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        details.push(Detail { field, reason: "is required".into() });
    } else if value.len() > max {
        details.push(Detail { field, reason: format!("must have at most {max} bytes") });
    }
    value
}

fn answer(logged_in: &LoggedIn) -> Option<Response> {
    let (OwnerKind::User { email, first_name, last_name }, Some(tenant)) =
        (&logged_in.owner.kind, &logged_in.owner.tenant)
    else {
        return None;
    };
    let IssuedSecret::Bearer(plain) = &logged_in.issued.secret else { return None };
    let record = &logged_in.issued.record;
    let body = TokenResponse {
        token_id: record.id.as_str(),
        token_type: "Bearer",
        expires_at: record.expires_at?.to_rfc3339_seconds(),
        user: User {
            id: logged_in.owner.id.as_str(),
            email,
            first_name,
            last_name,
            tenant_id: tenant.as_str(),
        },
        access_token: plain.expose(),
    };
    Some(no_store(Json(body).into_response()))
}

impl From<LoginError> for Error {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Refused => Self::Login,
            LoginError::TooMany { retry_after } => Self::TooMany(retry_after),
            LoginError::TooManyTokens => Self::TooManyTokens,
            LoginError::Store(error) => error.into(),
            LoginError::Failed => Self::Internal,
        }
    }
}
