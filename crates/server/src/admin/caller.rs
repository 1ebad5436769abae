//! Who calls the admin API: an operator's token, with the scope that the handler names in its type.

use super::Admin;
use crate::http::{Connection, Problem, ProblemType};
use crate::service::Acting;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use rescind_core::{
    Demand, Denial, LetIn, NetworkSet, Owner, OwnerKind, Presented, ScopeSet, TokenId,
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

/// What is the whole server's, so nothing for an operator of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct ReadAll;

impl Needs for ReadAll {
    const SCOPE: Option<&'static str> = Some("read");
    const SERVER_WIDE: bool = true;
}

/// Revocations by their number, which counts every tenant's.
#[derive(Clone, Copy, Debug)]
pub struct RevokeAny;

impl Needs for RevokeAny {
    const SCOPE: Option<&'static str> = Some("revoke");
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
    /// With every scope that it has, whichever of them the handler will ask for: see
    /// [`Caller::has`].
    let_in: LetIn,
    scope: PhantomData<S>,
}

impl<S: Needs> Caller<S> {
    pub fn acting(&self) -> Acting {
        Acting::token(&self.token_id(), self.let_in.clone())
    }

    pub fn token_id(&self) -> TokenId {
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
        self.let_in.client.is_some_and(|client| networks.contains(client))
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
        let demand = Demand { admin: true, scopes: &scopes, client: client(parts) };
        let verified = verify(parts, admin, &demand).await.map_err(|refusal| match refusal {
            Refusal::Denied(denial) if denial.is_forbidden() => forbidden(S::SCOPE),
            other => refused(other),
        })?;
        let held = ScopeSet::parse(verified.scopes()).map_err(|_| Problem::unavailable())?;
        let let_in =
            LetIn { admin: true, scopes: held, client: demand.client, token_management: false };
        parts.extensions.insert(let_in.clone());
        Self { verified, let_in, scope: PhantomData }.within_its_bounds()
    }
}

/// Whether the caller may still do all that it might when it was let in. Its body may have taken
/// its time, and power may have been taken back meanwhile: what is asked at the door alone can be
/// kept for as long as one can send slowly. (Where something is written, it is asked once more
/// there; what is only read is answered from here.)
pub(super) async fn still_stands(parts: &Parts, admin: &Admin) -> Result<(), Problem> {
    let let_in: &LetIn = parts.extensions.get().ok_or_else(unauthorized)?;
    verify(parts, admin, &let_in.demand()).await.map(|_| ()).map_err(refused)
}

async fn verify(parts: &Parts, admin: &Admin, demand: &Demand<'_>) -> Result<Verified, Refusal> {
    let api_key = HeaderName::from_static("x-api-key");
    let credentials = CredentialHeaders { api_key, signing: None };
    let Ok(Some(Presented::Bearer(text))) = credentials.read(&parts.headers) else {
        return Err(Denial::Unknown.into());
    };
    admin.services.verifier.bearer(text, demand).await
}

/// No proxy is trusted in front of this listener: the peer is the client.
fn client(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get().map(|on: &Connection| on.peer.ip())
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Denied(_) => unauthorized(),
        Refusal::Sealed | Refusal::TooManyNew => Problem::unavailable(),
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
