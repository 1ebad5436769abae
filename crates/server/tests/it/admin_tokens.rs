//! Tokens over the admin API: made, listed, changed. What takes power away is asked of the verify
//! listener, right after the answer.

use crate::callers::Answer;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

pub const NOTHING: Value = Value::Null;
pub const PASSWORD: &str = "correct horse battery staple";

impl Server {
    /// What the verify listener says of a bearer token: `valid`, or why not.
    pub async fn verdict(&self, token: &str) -> String {
        self.verdict_on(json!({ "token": token })).await
    }

    pub async fn verdict_on(&self, question: Value) -> String {
        let url = format!("{}/v1/verify", self.verify);
        let answer = self.send(self.http.post(url).json(&question)).await.expect(200);
        match answer.json["valid"] == true {
            true => "valid".into(),
            false => answer.text("reason"),
        }
    }

    pub async fn user_in(&self, tenant: &str, email: &str) -> String {
        let user = json!({ "email": email, "password": PASSWORD, "tenant_id": tenant });
        self.admin(Method::POST, "/v1/users", user).await.expect(201).text("id")
    }

    pub async fn partner(&self) -> String {
        let partner = json!({ "subject": "did:1", "token_management": true });
        self.admin(Method::POST, "/v1/partners", partner).await.expect(201).text("id")
    }

    /// A new bearer token of a user.
    pub async fn token_of(&self, owner: &str, over: Value) -> Answer {
        let mut body = json!({ "owner_id": owner, "kind": "bearer" });
        body.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        self.admin(Method::POST, "/v1/tokens", body).await.expect(201)
    }

    pub async fn with_idempotency_key(
        &self,
        token: &str,
        path: &str,
        key: &str,
        body: Value,
    ) -> Answer {
        let request = self.http.post(format!("{}{path}", self.admin)).bearer_auth(token);
        self.send(request.header("Idempotency-Key", key).json(&body)).await
    }

    pub async fn shown(&self, id: &str) -> Value {
        self.admin(Method::GET, &format!("/v1/tokens/{id}"), NOTHING).await.expect(200).json
    }

    /// The ids in a list, in order.
    pub async fn listed(&self, query: &str) -> Vec<String> {
        self.listed_as(&self.admin_token, query).await
    }

    pub async fn listed_as(&self, token: &str, query: &str) -> Vec<String> {
        let path = format!("/v1/tokens?{query}");
        let list = self.admin_as(token, Method::GET, &path, NOTHING).await.expect(200);
        let items = list.json["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The only token of an operator that the test server has made.
    pub async fn id_of_operator(&self, name: &str) -> String {
        self.listed(&format!("owner_id=operator_{name}&state=all")).await.remove(0)
    }
}

#[tokio::test]
async fn new_token_has_what_was_asked_for_and_is_shown_once() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let wishes = json!({ "label": "ci", "scopes": ["write", "read"], "expires_in_seconds": 60,
                         "allowed_networks": ["192.0.2.0/24"] });
    let made = server.token_of(&owner, wishes).await;
    let (id, text) = (made.text("id"), made.text("token"));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(made.json["secret_shown"], true);
    assert!(made.json.get("secret").is_none());
    let expected = json!({
        "id": id, "owner_id": owner, "kind": "bearer", "label": "ci", "scopes": ["read", "write"],
        "allowed_networks": ["192.0.2.0/24"], "issued_at": "2026-03-23T12:00:00.000Z",
        "expires_at": "2026-03-23T12:01:00.000Z", "state": "active", "revoked_at": null,
        "revoked_by": null, "revocation_reason": null, "revoked_with_all_before": null,
        "last_used_at": null, "rotated_from": null, "superseded_by": null,
    });
    assert_eq!(server.shown(&id).await, expected);
    for (from, verdict) in [(json!("192.0.2.7"), "valid"), (NOTHING, "wrong_network")] {
        let question = json!({ "token": text, "scopes": ["write"], "client_address": from });
        assert_eq!(server.verdict_on(question).await, verdict);
    }
}

#[tokio::test]
async fn signing_token_shows_a_secret_that_signs() {
    let server = Server::start().await;
    let owner = server.partner().await;
    let new = json!({ "owner_id": owner, "kind": "signing" });
    let made = server.admin(Method::POST, "/v1/tokens", new).await.expect(201);
    assert!(made.json.get("token").is_none());
    let derived = json!({ "tokenId": made.text("id"), "secret": made.text("secret") });
    let signer = crate::callers::Signer::of(&Answer { json: derived, ..made });
    server.signed(&signer, Method::GET, "/v1/orders", "").await.expect(200);
}

#[tokio::test]
async fn creation_is_done_once_under_one_key_and_a_replay_has_no_secret() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let body = json!({ "owner_id": owner, "kind": "bearer", "expires_in_seconds": 3600 });
    let token = server.admin_token.clone();
    let again = || server.with_idempotency_key(&token, "/v1/tokens", "k1", body.clone());
    let first = again().await.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    // The end is reckoned from the clock, and is no part of what was asked.
    server.clock.advance(Duration::from_secs(5));
    let (before, id) = (server.changes().await, first.text("id"));
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    let replay = again().await.expect(201);
    assert_eq!(replay.header("idempotency-replayed"), "true");
    assert_eq!(replay.json["secret_shown"], false);
    assert!(replay.json.get("token").is_none() && replay.json.get("secret").is_none());
    assert_eq!((replay.text("id"), replay.text("state")), (id.clone(), "revoked".into()));
    assert_eq!(server.changes().await, before + 1, "the revocation and nothing else");

    let other = json!({ "owner_id": owner, "kind": "bearer" });
    let reused = server.with_idempotency_key(&token, "/v1/tokens", "k1", other).await.expect(422);
    assert_eq!(reused.json["type"], "urn:rescind:problem:idempotency-key-reused");
    let colleague = server.operator("colleague", &["issue"]).await;
    let theirs = server.with_idempotency_key(&colleague, "/v1/tokens", "k1", body.clone()).await;
    assert_ne!(theirs.expect(201).text("id"), id, "another caller's key is another key");
    server.clock.advance(Duration::from_hours(24));
    assert_ne!(again().await.expect(201).text("id"), id, "a key is kept for a day");
}

#[tokio::test]
async fn operators_token_is_given_by_an_administrator_to_an_operator() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    server.operator("bob", &["read"]).await;
    let issuer = server.operator("issuer", &["issue"]).await;
    let new = |owner: &str, scopes: Value| {
        let kind = "admin";
        json!({ "owner_id": owner, "kind": kind, "scopes": scopes })
    };
    let before = server.changes().await;
    let bob = new("operator_bob", json!(["read"]));
    let refused = server.admin_as(&issuer, Method::POST, "/v1/tokens", bob.clone()).await;
    assert_eq!(refused.expect(403).json["type"], "urn:rescind:problem:insufficient-scope");
    for (body, status, said) in [
        (new(&user, json!(["read"])), 403, "kind of owner"),
        (new("operator_bob", json!(["trading"])), 403, "admin, audit, issue, read, revoke"),
        (json!({ "owner_id": "operator_bob", "kind": "bearer" }), 403, "kind of owner"),
    ] {
        let answer = server.admin(Method::POST, "/v1/tokens", body).await.expect(status);
        assert!(answer.text("detail").contains(said), "{}", answer.json);
    }
    assert_eq!(server.changes().await, before);
    let made = server.admin(Method::POST, "/v1/tokens", bob).await.expect(201);
    let text = made.text("token");
    assert!(text.starts_with("rescind_admin_"));
    server.admin_as(&text, Method::GET, "/v1/status", NOTHING).await.expect(200);
    server.admin_as(&text, Method::GET, "/v1/audit", NOTHING).await.expect(403);
}

#[tokio::test]
async fn operator_of_a_tenant_gives_no_more_than_it_has_and_nobody_gives_it_the_audit() {
    let server = Server::start().await;
    let head = server.operator_of("t1", &["admin", "issue", "read"]).await;
    let new =
        |scopes: Value| json!({ "owner_id": "operator_t1", "kind": "admin", "scopes": scopes });
    let before = server.changes().await;
    for scopes in [json!(["revoke"]), json!(["read", "revoke"]), json!(["audit"])] {
        let answer = server.admin_as(&head, Method::POST, "/v1/tokens", new(scopes)).await;
        assert_eq!(answer.expect(403).json["type"], "urn:rescind:problem:not-allowed");
    }
    let answer = server.admin(Method::POST, "/v1/tokens", new(json!(["audit"]))).await;
    assert_eq!(answer.expect(403).json["type"], "urn:rescind:problem:not-allowed");
    assert_eq!(server.changes().await, before);
    let less = new(json!(["issue", "read"]));
    server.admin_as(&head, Method::POST, "/v1/tokens", less).await.expect(201);
    server.admin(Method::POST, "/v1/tokens", new(json!(["revoke"]))).await.expect(201);
}

#[tokio::test]
async fn list_shows_what_was_asked_for_and_nothing_else() {
    let server = Server::start().await;
    let ada = server.user_in("tenant_1", "ada@example.com").await;
    let bob = server.user_in("tenant_2", "bob@example.com").await;
    let partner = server.partner().await;
    let id = |answer: Answer| answer.text("id");
    let short = id(server.token_of(&ada, json!({ "expires_in_seconds": 60 })).await);
    let scoped = id(server.token_of(&ada, json!({ "scopes": ["read", "readable"] })).await);
    server.clock.advance(Duration::from_secs(60));
    let late = id(server.token_of(&bob, json!({ "scopes": ["readable"] })).await);
    let key = json!({ "owner_id": partner, "kind": "api_key" });
    let key = id(server.admin(Method::POST, "/v1/tokens", key).await.expect(201));
    let gone = id(server.token_of(&ada, json!({ "expires_in_seconds": 1 })).await);
    server.admin(Method::POST, &format!("/v1/tokens/{gone}/revoke"), json!({})).await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    let noon = "2026-03-23T12:01:00.000Z";
    for (query, expected) in [
        ("kind=bearer".into(), vec![&scoped, &late]),
        ("kind=bearer&state=active".into(), vec![&scoped, &late]),
        ("state=expired".into(), vec![&short]),
        ("state=revoked".into(), vec![&gone]),
        ("kind=bearer&state=all".into(), vec![&short, &scoped, &late, &gone]),
        ("kind=api_key".into(), vec![&key]),
        (format!("owner_id={ada}&state=all"), vec![&short, &scoped, &gone]),
        ("tenant_id=tenant_2".into(), vec![&late]),
        ("tenant_id=tenant_3".into(), vec![]),
        ("scope=read".into(), vec![&scoped]),
        (format!("kind=bearer&issued_before={noon}"), vec![&scoped]),
        (format!("kind=bearer&issued_after={noon}"), vec![&late]),
        (format!("owner_id={ada}&tenant_id=tenant_2&state=all"), vec![]),
    ] {
        let found = server.listed(&query).await;
        // The operator that asks was there before all of them.
        let found: Vec<_> = found.iter().filter(|id| !id.starts_with("admin_")).collect();
        assert_eq!(found, expected, "{query}");
    }
    for query in ["issued_before=yesterday", "scope=a%20b", "tenant_id=a/b", "state=old"] {
        server.admin(Method::GET, &format!("/v1/tokens?{query}"), NOTHING).await.expect(400);
    }
}
