//! Who calls the admin API: an operator's token, with the scope that the handler names in its type.

use super::Admin;
use crate::http::{Connection, Problem, ProblemType};
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use rescind_core::{
    Actor, Demand, Denial, NetworkSet, Owner, OwnerKind, Presented, ScopeSet, TokenId,
};
use rescind_guard::credentials::CredentialHeaders;
use rescind_guard::{Refusal, Verified};
use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;

/// Every scope that an operator's token can have.
pub const ADMIN_SCOPES: [&str; 5] = ["admin", "audit", "issue", "read", "revoke"];

/// A scope as a type.
pub trait Needs {
    /// `None`: any operator's token will do.
    const SCOPE: Option<&'static str>;
    /// Whether it shows or touches what belongs to no single tenant.
    const SERVER_WIDE: bool = false;
}

macro_rules! needs {
    ($($name:ident => $scope:literal),+ $(,)?) => {
        $(#[derive(Clone, Copy, Debug)] pub struct $name;
          impl Needs for $name { const SCOPE: Option<&'static str> = Some($scope); })+
    };
}

needs! { Read => "read", Issue => "issue", Revoke => "revoke", Manage => "admin" }

/// The audit trail: one chain for the whole server, so nothing for an operator of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Audit;

impl Needs for Audit {
    const SCOPE: Option<&'static str> = Some("audit");
    const SERVER_WIDE: bool = true;
}

/// Any operator, whatever its token's scopes are.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

impl Needs for Anyone {
    const SCOPE: Option<&'static str> = None;
}

/// An operator whose token has the scope `S`.
#[derive(Debug)]
pub struct Caller<S: Needs> {
    verified: Verified,
    client: Option<IpAddr>,
    scope: PhantomData<S>,
}

/// Every scope that a caller was let in with.
#[derive(Clone)]
struct LetIn(ScopeSet);

impl<S: Needs> Caller<S> {
    pub fn actor(&self) -> Actor {
        Actor::token(self.token_id())
    }

    pub fn token_id(&self) -> &TokenId {
        self.verified.token().id()
    }

    /// The operator. One with a tenant sees and touches nothing else.
    pub fn operator(&self) -> &Owner {
        self.verified.owner()
    }

    pub fn name(&self) -> &str {
        match &self.operator().kind {
            OwnerKind::Operator { name } => name,
            OwnerKind::User { .. } | OwnerKind::Partner { .. } => "",
        }
    }

    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.verified.scopes()
    }

    /// Whether its token has another scope too.
    pub fn has(&self, scope: &str) -> bool {
        self.scopes().any(|held| held == scope)
    }

    /// Whether it asks from within these networks.
    pub fn is_within(&self, networks: &NetworkSet) -> bool {
        self.client.is_some_and(|client| networks.contains(client))
    }

    /// For what is the whole server's: an operator of one tenant is refused.
    pub fn server_wide(&self) -> Result<(), Problem> {
        match &self.operator().tenant {
            None => Ok(()),
            Some(_) => {
                let detail = "An operator of one tenant may not do this.";
                Err(Problem::of(ProblemType::NotAllowed, detail))
            }
        }
    }
}

impl<S: Needs> FromRequestParts<Arc<Admin>> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Problem> {
        let scopes = ScopeSet::parse(S::SCOPE).map_err(|_| Problem::unavailable())?;
        let verified = verify(parts, admin, &scopes).map_err(|refusal| match refusal {
            Refusal::Denied(denial) if denial.is_forbidden() => forbidden(S::SCOPE),
            other => refused(other),
        })?;
        let held = ScopeSet::parse(verified.scopes()).map_err(|_| Problem::unavailable())?;
        parts.extensions.insert(LetIn(held));
        Self { verified, client: client(parts), scope: PhantomData }.within_its_bounds()
    }
}

/// Whether the caller may still do all that it might when it was let in. Its body may have taken
/// its time, and power may have been taken back meanwhile: what is asked at the door alone can be
/// kept for as long as one can send slowly.
pub(super) fn still_stands(parts: &Parts, admin: &Admin) -> Result<(), Problem> {
    let LetIn(held) = parts.extensions.get().ok_or_else(unauthorized)?;
    verify(parts, admin, held).map(|_| ()).map_err(refused)
}

fn verify(parts: &Parts, admin: &Admin, scopes: &ScopeSet) -> Result<Verified, Refusal> {
    let api_key = HeaderName::from_static("x-api-key");
    let credentials = CredentialHeaders { api_key, signing: None };
    let Ok(Some(Presented::Bearer(text))) = credentials.read(&parts.headers) else {
        return Err(Denial::Unknown.into());
    };
    let demand = Demand { admin: true, scopes, client: client(parts) };
    admin.services.guard.bearer(text, &demand)
}

/// No proxy is trusted in front of this listener: the peer is the client.
fn client(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get().map(|on: &Connection| on.peer.ip())
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Denied(_) => unauthorized(),
        Refusal::Sealed => Problem::unavailable(),
    }
}

impl<S: Needs> Caller<S> {
    fn within_its_bounds(self) -> Result<Self, Problem> {
        if S::SERVER_WIDE {
            self.server_wide()?;
        }
        Ok(self)
    }
}

pub(super) fn unauthorized() -> Problem {
    let detail = "Send an admin token as Authorization: Bearer.";
    Problem::of(ProblemType::Unauthorized, detail).header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"rescind-admin\""),
    )
}

fn forbidden(scope: Option<&'static str>) -> Problem {
    let detail = format!("This token lacks the scope {}.", scope.unwrap_or_default());
    Problem::of(ProblemType::InsufficientScope, detail)
}
