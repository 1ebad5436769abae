//! Every operation, with a request that would work for whoever may make it.

use super::things::{PASSWORD, TENANT, Things};
use crate::server::Server;
use reqwest::RequestBuilder;
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Admin,
    Verify,
    Public,
}

/// An operation, or one of several things that it can be asked to do.
pub struct Row {
    pub listener: Listener,
    pub method: &'static str,
    pub path: &'static str,
    note: &'static str,
    /// What stands for `{id}`, `{name}` or `{epoch}`.
    id: fn(&Things) -> String,
    ask: fn(RequestBuilder, &Things) -> RequestBuilder,
}

const ASIS: fn(RequestBuilder, &Things) -> RequestBuilder = |request, _| request;

pub fn rows() -> Vec<Row> {
    [owners(), tokens(), server(), inside(), clients()].into_iter().flatten().collect()
}

impl Row {
    pub fn name(&self) -> String {
        let listener = match self.listener {
            Listener::Admin => "",
            Listener::Verify => "verify:",
            Listener::Public => "public:",
        };
        let note = if self.note.is_empty() { String::new() } else { format!(" ({})", self.note) };
        format!("{listener}{}{note}", self.path)
    }

    pub fn request(&self, server: &Server, things: &Things) -> RequestBuilder {
        let base = match self.listener {
            Listener::Admin => &server.admin,
            Listener::Verify => &server.verify,
            Listener::Public => &server.base,
        };
        let id = (self.id)(things);
        let path = self.path.replace("{id}", &id).replace("{name}", &id);
        let path = path.replace("{epoch}", &id);
        let request = server.http.request(self.method.parse().unwrap(), format!("{base}{path}"));
        (self.ask)(request, things)
    }

    /// Whether it reaches beyond the things that were made for it, so that no other question may be
    /// asked at the same time.
    pub fn reaches_far(&self) -> bool {
        self.path == "/v1/revocations"
    }

    /// A partner's key goes where its contract has it.
    pub fn with_key(&self, request: RequestBuilder, key: &str) -> RequestBuilder {
        match self.listener {
            Listener::Public => request.header("X-API-Key", key),
            Listener::Admin | Listener::Verify => request.bearer_auth(key),
        }
    }

    fn named(self, id: fn(&Things) -> String) -> Self {
        Self { id, ..self }
    }

    fn asking(self, ask: fn(RequestBuilder, &Things) -> RequestBuilder) -> Self {
        Self { ask, ..self }
    }

    fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

fn admin(method: &'static str, path: &'static str) -> Row {
    let (listener, id) = (Listener::Admin, |_: &Things| String::new());
    Row { listener, method, path, note: "", id, ask: ASIS }
}

fn verify(method: &'static str, path: &'static str) -> Row {
    Row { listener: Listener::Verify, ..admin(method, path) }
}

fn public(method: &'static str, path: &'static str) -> Row {
    Row { listener: Listener::Public, ..admin(method, path) }
}

fn owners() -> Vec<Row> {
    let user = |things: &Things| things.user.to_string();
    let partner = |things: &Things| things.partner.to_string();
    let operator = |things: &Things| things.operator.to_string();
    let no_networks =
        |request: RequestBuilder, _: &Things| request.json(&json!({ "allowed_networks": null }));
    vec![
        admin("POST", "/v1/users").asking(|request, things| {
            let email = format!("new{}@example.com", things.number);
            request.json(&json!({ "email": email, "password": "long enough" }))
        }),
        admin("POST", "/v1/users").note("tenant_1").asking(|request, things| {
            let email = format!("new{}@example.com", things.number);
            let password = "long enough";
            let user = json!({ "email": email, "password": password, "tenant_id": "tenant_1" });
            request.json(&user)
        }),
        admin("GET", "/v1/users"),
        admin("GET", "/v1/users/{id}").named(user),
        admin("PATCH", "/v1/users/{id}").named(user).asking(no_networks),
        admin("POST", "/v1/users/{id}/suspend").named(user),
        admin("POST", "/v1/users/{id}/resume").named(user),
        admin("PUT", "/v1/users/{id}/password")
            .named(user)
            .asking(|request, _| request.json(&json!({ "password": "quite another" }))),
        admin("POST", "/v1/partners").asking(|request, things| {
            request.json(&json!({ "subject": format!("new{}", things.number) }))
        }),
        admin("GET", "/v1/partners"),
        admin("GET", "/v1/partners/{id}").named(partner),
        admin("PATCH", "/v1/partners/{id}").named(partner).asking(no_networks),
        admin("POST", "/v1/partners/{id}/suspend").named(partner),
        admin("POST", "/v1/partners/{id}/resume").named(partner),
        admin("POST", "/v1/operators").asking(|request, _| request.json(&json!({ "name": "new" }))),
        admin("POST", "/v1/operators")
            .note("tenant_1")
            .asking(|request, _| request.json(&json!({ "name": "new", "tenant_id": "tenant_1" }))),
        admin("GET", "/v1/operators"),
        admin("GET", "/v1/operators/{id}").named(operator),
        admin("PATCH", "/v1/operators/{id}").named(operator).asking(no_networks),
        admin("POST", "/v1/operators/{id}/suspend").named(operator),
        admin("POST", "/v1/operators/{id}/resume").named(operator),
    ]
}

fn tokens() -> Vec<Row> {
    let token = |things: &Things| things.user_token.id.to_string();
    let operators = |things: &Things| things.admin_token.id.to_string();
    let nothing = |request: RequestBuilder, _: &Things| request.json(&json!({}));
    let label = |request: RequestBuilder, _: &Things| request.json(&json!({ "label": "new" }));
    vec![
        admin("POST", "/v1/tokens").asking(|request, things| {
            request.json(&json!({ "owner_id": things.user.as_str(), "kind": "bearer" }))
        }),
        admin("POST", "/v1/tokens").note("an operator's").asking(|request, things| {
            let owner = things.operator.as_str();
            request.json(&json!({ "owner_id": owner, "kind": "admin", "scopes": ["read"] }))
        }),
        admin("POST", "/v1/tokens").note("audit, for tenant_1").asking(|request, things| {
            let owner = things.operator.as_str();
            request.json(&json!({ "owner_id": owner, "kind": "admin", "scopes": ["audit"] }))
        }),
        admin("GET", "/v1/tokens"),
        admin("GET", "/v1/tokens/{id}").named(token),
        admin("PATCH", "/v1/tokens/{id}").named(token).asking(label),
        admin("PATCH", "/v1/tokens/{id}").note("an operator's").named(operators).asking(label),
        admin("POST", "/v1/tokens/{id}/rotate").named(token).asking(nothing),
        admin("POST", "/v1/tokens/{id}/rotate")
            .note("an operator's")
            .named(operators)
            .asking(nothing),
        admin("POST", "/v1/tokens/{id}/revoke").named(token).asking(nothing),
        admin("POST", "/v1/tokens/{id}/revoke")
            .note("an operator's")
            .named(operators)
            .asking(nothing),
        admin("POST", "/v1/tokens/revoke")
            .asking(|request, things| request.json(&json!({ "token": things.user_token.text }))),
        admin("POST", "/v1/tokens/import").asking(|request, things| {
            let text = format!("imported-token-number-{:032}", things.number);
            let owner = things.user.as_str();
            let token = json!({ "owner_id": owner, "kind": "bearer", "token": text });
            request.json(&json!({ "tokens": [token] }))
        }),
        admin("POST", "/v1/revocations")
            .note("an owner's")
            .asking(|request, things| request.json(&json!({ "owner_id": things.user.as_str() }))),
        admin("POST", "/v1/revocations")
            .note("a tenant's")
            .asking(|request, _| request.json(&json!({ "tenant_id": TENANT }))),
        admin("POST", "/v1/revocations")
            .note("everything")
            .asking(|request, _| request.json(&json!({ "everything": true }))),
        admin("GET", "/v1/revocations/{epoch}").named(|_| "0".into()),
    ]
}

fn server() -> Vec<Row> {
    vec![
        admin("POST", "/v1/verify")
            .asking(|request, things| request.json(&json!({ "token": things.user_token.text }))),
        admin("GET", "/v1/audit"),
        admin("GET", "/v1/audit/anchor"),
        admin("GET", "/v1/audit/export"),
        admin("GET", "/v1/cluster"),
        admin("GET", "/metrics"),
        admin("GET", "/v1/status"),
        admin("GET", "/v1/whoami"),
        admin("GET", "/v1/openapi.json"),
        admin("GET", "/v1/problems"),
        admin("GET", "/v1/problems/{name}").named(|_| "unauthorized".into()),
        admin("GET", "/health"),
        admin("GET", "/readyz"),
        admin("GET", "/livez"),
    ]
}

/// The verify listener: who reaches it may ask.
fn inside() -> Vec<Row> {
    let original = |request: RequestBuilder, _: &Things| {
        let request = request.header("X-Original-URI", "/v1/orders");
        request.header("X-Original-Method", "GET").header("X-Real-IP", "198.51.100.7")
    };
    let token = |request: RequestBuilder, things: &Things| {
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        request.body(format!("token={}", things.user_token.text))
    };
    vec![
        verify("POST", "/v1/verify")
            .asking(|request, things| request.json(&json!({ "token": things.user_token.text }))),
        verify("POST", "/v1/introspect").asking(token),
        verify("POST", "/v1/revoke").asking(token),
        verify("GET", "/v1/forward-auth/nginx").asking(original),
        verify("GET", "/v1/forward-auth/nginx/require/trading").asking(original),
        verify("GET", "/v1/problems"),
        verify("GET", "/v1/problems/{name}").named(|_| "unauthorized".into()),
        verify("GET", "/health"),
        verify("GET", "/readyz"),
        verify("GET", "/livez"),
    ]
}

/// The public listener: the contracts, and what the gateway guards.
fn clients() -> Vec<Row> {
    let nothing = |request: RequestBuilder, _: &Things| request.json(&json!({}));
    vec![
        public("POST", "/auth/token").asking(|request, things| {
            let email = format!("user{}@example.com", things.number);
            request.json(&json!({ "email": email, "password": PASSWORD }))
        }),
        public("DELETE", "/auth/token"),
        public("GET", "/auth/api-tokens/capabilities"),
        public("POST", "/auth/api-tokens/derive").asking(nothing),
        public("GET", "/auth/api-tokens"),
        public("DELETE", "/auth/api-tokens/{id}").named(|things| things.signing.id.to_string()),
        public("POST", "/auth/api-keys"),
        public("GET", "/auth/api-keys"),
        public("DELETE", "/auth/api-keys"),
        public("GET", "/v1/orders").note("gateway"),
        public("GET", "/trading").note("gateway, scope trading"),
        public("GET", "/public").note("gateway, public"),
    ]
}
