//! Who calls the admin API: an operator's token, with the scope that the handler names.

use super::Admin;
use crate::http::Problem;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use rescind_core::{Actor, Demand, Presented, ScopeSet, TokenId};
use rescind_guard::Refusal;
use rescind_guard::credentials::CredentialHeaders;
use std::marker::PhantomData;
use std::sync::Arc;

/// Every scope that an operator's token can have.
pub const ADMIN_SCOPES: [&str; 5] = ["admin", "audit", "issue", "read", "revoke"];

/// A scope as a type.
pub trait Needs {
    const SCOPE: &'static str;
}

macro_rules! needs {
    ($($name:ident => $scope:literal),+ $(,)?) => {
        $(#[derive(Clone, Copy, Debug)] pub struct $name;
          impl Needs for $name { const SCOPE: &'static str = $scope; })+
    };
}

needs! { Read => "read", Issue => "issue", Revoke => "revoke", Audit => "audit", Manage => "admin" }

/// An operator whose token has the scope `S`.
#[derive(Debug)]
pub struct Caller<S: Needs> {
    token: TokenId,
    scope: PhantomData<S>,
}

impl<S: Needs> Caller<S> {
    pub fn actor(&self) -> Actor {
        Actor::token(&self.token)
    }
}

impl<S: Needs> FromRequestParts<Arc<Admin>> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Problem> {
        let api_key = HeaderName::from_static("x-api-key");
        let credentials = CredentialHeaders { api_key, signing: None };
        let presented = credentials.read(&parts.headers).map_err(|_| unauthorized())?;
        let Some(Presented::Bearer(text)) = presented else { return Err(unauthorized()) };
        let scopes = ScopeSet::parse([S::SCOPE]).map_err(|_| Problem::unavailable())?;
        let demand = Demand { admin: true, scopes: &scopes };
        match admin.services.guard.bearer(text, &demand) {
            Ok(verified) => Ok(Self { token: verified.token().id().clone(), scope: PhantomData }),
            Err(Refusal::Denied(denial)) if denial.is_forbidden() => Err(forbidden(S::SCOPE)),
            Err(Refusal::Denied(_)) => Err(unauthorized()),
            Err(Refusal::Sealed) => Err(Problem::unavailable()),
        }
    }
}

pub(super) fn unauthorized() -> Problem {
    let detail = "Send an admin token as Authorization: Bearer.";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized", detail).header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"rescind-admin\""),
    )
}

fn forbidden(scope: &'static str) -> Problem {
    let detail = format!("This token lacks the scope {scope}.");
    Problem::new(StatusCode::FORBIDDEN, "insufficient-scope", "Insufficient scope", detail)
}
