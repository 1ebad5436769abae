//! Everybody who may ask, and how each shows who it is.

use super::rows::Row;
use super::things::{Admin, TENANT, Things};
use crate::server::Server;
use reqwest::RequestBuilder;
use rescind_core::{OwnerKind, TokenKind};
use rescind_guard::Clock;
use rescind_server::admin::caller::ADMIN_SCOPES;
use rescind_server::service::tokens::one;
use rescind_store::OwnerUpdate;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Nobody,
    Garbage,
    User,
    ApiKey,
    Signer,
    Identity,
    Read,
    Issue,
    Revoke,
    Audit,
    Manage,
    Full,
    SameTenant,
    OtherTenant,
    Suspended,
    Expired,
    Revoked,
    Elsewhere,
}

/// Those of the tenant's operators: every scope that an operator of a tenant can be given, and the
/// one that it cannot.
const ALL_SCOPES: &[&str] = &ADMIN_SCOPES;

impl Caller {
    pub const ALL: [Self; 18] = [
        Self::Nobody,
        Self::Garbage,
        Self::User,
        Self::ApiKey,
        Self::Signer,
        Self::Identity,
        Self::Read,
        Self::Issue,
        Self::Revoke,
        Self::Audit,
        Self::Manage,
        Self::Full,
        Self::SameTenant,
        Self::OtherTenant,
        Self::Suspended,
        Self::Expired,
        Self::Revoked,
        Self::Elsewhere,
    ];

    pub fn short(self) -> &'static str {
        self.names().0
    }

    pub fn long(self) -> &'static str {
        self.names().1
    }

    /// Of an operator that has one scope, and no tenant.
    pub fn only_scope(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("read"),
            Self::Issue => Some("issue"),
            Self::Revoke => Some("revoke"),
            Self::Audit => Some("audit"),
            Self::Manage => Some("admin"),
            _ => None,
        }
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Nobody => ("none", "nobody: no credential"),
            Self::Garbage => ("junk", "a bearer token that nobody ever issued"),
            Self::User => ("user", "the user's own bearer token"),
            Self::ApiKey => ("key", "the partner's own API key"),
            Self::Signer => ("sign", "a request that the partner has signed"),
            Self::Identity => ("iden", "the partner's identity token"),
            Self::Read => ("read", "an operator's token with the scope read alone"),
            Self::Issue => ("issu", "with issue alone"),
            Self::Revoke => ("revo", "with revoke alone"),
            Self::Audit => ("audi", "with audit alone"),
            Self::Manage => ("admi", "with admin alone"),
            Self::Full => ("full", "with every scope"),
            Self::SameTenant => ("own", "with every scope, of an operator of the things' tenant"),
            Self::OtherTenant => ("othr", "with every scope, of an operator of another tenant"),
            Self::Suspended => ("susp", "with every scope, of an operator who is suspended"),
            Self::Expired => ("expd", "with every scope, expired"),
            Self::Revoked => ("revd", "with every scope, revoked"),
            Self::Elsewhere => ("netw", "with every scope, bound to another network"),
        }
    }

    /// The request, with this caller's credential.
    pub async fn presented(
        self,
        server: &Server,
        row: &Row,
        things: &Things,
        request: RequestBuilder,
    ) -> RequestBuilder {
        match self {
            Self::Nobody => request,
            Self::Garbage => request.bearer_auth("a-token-that-was-never-issued"),
            Self::User => request.bearer_auth(&things.user_token.text),
            Self::ApiKey => row.with_key(request, &things.api_key.text),
            Self::Signer => self.signed(server, things, request),
            Self::Identity => {
                let identity = server.identity(&format!("subject{}", things.number));
                request.header("identity", format!("Bearer {identity}"))
            }
            _ => request.bearer_auth(self.admin_token(server).await),
        }
    }

    async fn admin_token(self, server: &Server) -> String {
        let all = Admin { scopes: ALL_SCOPES, ..Admin::default() };
        let one_scope = self.only_scope();
        let how = match self {
            Self::SameTenant => Admin { tenant: Some(TENANT), ..all },
            Self::OtherTenant => Admin { tenant: Some("tenant_2"), ..all },
            Self::Expired => Admin { expires_at: Some(server.clock.now()), ..all },
            Self::Elsewhere => Admin { networks: Some("192.0.2.0/24"), ..all },
            _ => all,
        };
        let how = match &one_scope {
            Some(scope) => Admin { scopes: std::slice::from_ref(scope), ..how },
            None => how,
        };
        let operator = OwnerKind::Operator { name: "caller".into() };
        let operator = server.owner("operator", operator, how.tenant).await;
        let token = server.bearer(&operator, TokenKind::Admin, how).await;
        let store = &server.services.store;
        if self == Self::Suspended {
            let update = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
            store.update_owner(operator, update, server.by_test()).await.unwrap();
        }
        if self == Self::Revoked {
            let reason = rescind_core::RevocationReason::Unspecified;
            store.revoke(one(token.id, None, reason), server.by_test()).await.unwrap();
        }
        token.text
    }

    fn signed(self, server: &Server, things: &Things, request: RequestBuilder) -> RequestBuilder {
        let built = request.try_clone().unwrap().build().unwrap();
        let target = match built.url().query() {
            Some(query) => format!("{}?{query}", built.url().path()),
            None => built.url().path().to_owned(),
        };
        let original = |name| built.headers().get(name).map(|value| value.to_str().unwrap());
        let target = original("x-original-uri").unwrap_or(&target);
        let body = built.body().and_then(|body| body.as_bytes()).unwrap_or_default();
        let body = std::str::from_utf8(body).unwrap();
        let timestamp = server.clock.now().to_rfc3339_millis();
        let signature = things.signer.sign(&timestamp, built.method(), target, body);
        request
            .header("lmts-api-key", &things.signer.id)
            .header("lmts-timestamp", timestamp)
            .header("lmts-signature", signature)
    }
}
