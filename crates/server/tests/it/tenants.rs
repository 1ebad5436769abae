//! Operators of one tenant: what belongs to another is as if it were not there.

use crate::callers::{Answer, Signer};
use crate::matrix::things::Things;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};

const NOTHING: Value = Value::Null;
const ALL: &[&str] = &["admin", "issue", "read", "revoke"];
/// Of the things; the stranger belongs to another one.
const TENANT: &str = crate::matrix::things::TENANT;

struct World {
    server: Server,
    things: Things,
    /// Of the things' tenant.
    own: String,
    stranger: String,
}

impl World {
    async fn new() -> Self {
        let server = Server::start().await;
        let things = Things::make(&server).await;
        let own = server.operator_of(TENANT, ALL).await;
        let stranger = server.operator_of("tenant_2", ALL).await;
        Self { server, things, own, stranger }
    }

    async fn as_stranger(&self, method: &str, path: &str, body: &Value) -> Answer {
        let method = method.parse().unwrap();
        self.server.admin_as(&self.stranger, method, path, body.clone()).await
    }

    async fn as_own(&self, method: &str, path: &str, body: &Value) -> Answer {
        let method = method.parse().unwrap();
        self.server.admin_as(&self.own, method, path, body.clone()).await
    }
}

/// Operations on `{id}` with a body that they take, and the class whose id it is.
fn by_id() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    let password = json!({ "password": "long enough" });
    vec![
        ("GET", "/v1/users/{id}", NOTHING, "user"),
        ("PATCH", "/v1/users/{id}", json!({ "first_name": "x" }), "user"),
        ("PUT", "/v1/users/{id}/password", password, "user"),
        ("POST", "/v1/users/{id}/suspend", NOTHING, "user"),
        ("POST", "/v1/users/{id}/resume", NOTHING, "user"),
        ("GET", "/v1/partners/{id}", NOTHING, "partner"),
        ("PATCH", "/v1/partners/{id}", json!({ "suspended": true }), "partner"),
        ("POST", "/v1/partners/{id}/suspend", NOTHING, "partner"),
        ("POST", "/v1/partners/{id}/resume", NOTHING, "partner"),
        ("GET", "/v1/operators/{id}", NOTHING, "operator"),
        ("PATCH", "/v1/operators/{id}", json!({ "allowed_networks": [] }), "operator"),
        ("POST", "/v1/operators/{id}/suspend", NOTHING, "operator"),
        ("POST", "/v1/operators/{id}/resume", NOTHING, "operator"),
        ("GET", "/v1/tokens/{id}", NOTHING, "token"),
        ("PATCH", "/v1/tokens/{id}", json!({ "label": "x" }), "token"),
        ("POST", "/v1/tokens/{id}/rotate", json!({}), "token"),
        ("POST", "/v1/tokens/{id}/revoke", json!({}), "token"),
    ]
}

#[tokio::test]
async fn other_tenants_things_are_byte_for_byte_as_unknown_ones_and_stay_as_they_are() {
    let world = World::new().await;
    let before = world.server.changes().await;
    for (method, path, body, class) in by_id() {
        let what = format!("{method} {path}");
        let there = match class {
            "user" => world.things.user.to_string(),
            "partner" => world.things.partner.to_string(),
            "operator" => world.things.operator.to_string(),
            _ => world.things.user_token.id.to_string(),
        };
        world.server.queries.take();
        let hidden = world.as_stranger(method, &path.replace("{id}", &there), &body).await;
        let queries = world.server.queries.take();
        let unknown = world.as_stranger(method, &path.replace("{id}", "nobody"), &body).await;
        assert_eq!(queries, world.server.queries.take(), "{what}: it takes another time");
        assert_eq!(queries.len(), 1, "{what}");
        assert_eq!(hidden.status, 404, "{what}");
        assert_eq!(hidden.json.to_string(), unknown.json.to_string(), "{what}");
        assert_eq!(headers(&hidden), headers(&unknown), "{what}");
        assert_eq!(world.server.changes().await, before, "{what}");
        // It is there for those of its own tenant: the refusal was not for another reason.
        let seen = world.as_own("GET", &format!("/v1/{class}s/{there}"), &NOTHING).await;
        assert_eq!(seen.status, 200, "{what}");
    }
}

#[tokio::test]
async fn things_named_in_bodies_and_queries_are_hidden_as_well() {
    let world = World::new().await;
    let Things { user, operator, user_token, number, .. } = &world.things;
    let before = world.server.changes().await;
    let unknown_text = world.server.services.prefix(rescind_core::TokenKind::Bearer);
    let unknown = rescind_core::Plain::random(unknown_text, &mut rand::rng());
    let cases = [
        (
            "/v1/tokens",
            json!({ "owner_id": user.as_str(), "kind": "bearer" }),
            json!({ "owner_id": "nobody", "kind": "bearer" }),
        ),
        (
            "/v1/tokens",
            json!({ "owner_id": operator.as_str(), "kind": "admin" }),
            json!({ "owner_id": "nobody", "kind": "admin" }),
        ),
        ("/v1/revocations", json!({ "owner_id": user.as_str() }), json!({ "owner_id": "nobody" })),
        ("/v1/revocations", json!({ "tenant_id": TENANT }), json!({ "tenant_id": "nobody" })),
        (
            "/v1/tokens/revoke",
            json!({ "token": user_token.text }),
            json!({ "token": unknown.expose() }),
        ),
        ("/v1/verify", json!({ "token": user_token.text }), json!({ "token": unknown.expose() })),
        (
            "/v1/verify",
            json!({ "token": user_token.text, "scopes": ["x"] }),
            json!({ "token": unknown.expose(), "scopes": ["x"] }),
        ),
    ];
    for (path, hidden, unknown) in cases {
        world.server.queries.take();
        let hidden = world.as_stranger("POST", path, &hidden).await;
        let queries = world.server.queries.take();
        let unknown = world.as_stranger("POST", path, &unknown).await;
        assert_eq!(queries, world.server.queries.take(), "{path}: it takes another time");
        assert_eq!(hidden.status, unknown.status, "{path}");
        assert_eq!(hidden.json.to_string(), unknown.json.to_string(), "{path}");
        assert_eq!(world.server.changes().await, before, "{path}");
    }
    for (hidden, unknown) in [
        (format!("/v1/users/email:user{number}@example.com"), "/v1/users/email:no@example.com"),
        (format!("/v1/partners?subject=subject{number}"), "/v1/partners?subject=nobody"),
        (format!("/v1/tokens?owner_id={user}"), "/v1/tokens?owner_id=nobody"),
        (format!("/v1/tokens?tenant_id={TENANT}"), "/v1/tokens?tenant_id=nobody"),
        (format!("/v1/users?tenant_id={TENANT}"), "/v1/users?tenant_id=nobody"),
        (format!("/v1/users?after={user}"), "/v1/users?after=nobody"),
        (format!("/v1/tokens?state=all&after={}", user_token.id), "/v1/tokens?after=nobody"),
    ] {
        world.server.queries.take();
        let hidden_answer = world.as_stranger("GET", &hidden, &NOTHING).await;
        let queries = world.server.queries.take();
        let unknown_answer = world.as_stranger("GET", unknown, &NOTHING).await;
        assert_eq!(queries, world.server.queries.take(), "{hidden}: it takes another time");
        assert_eq!(hidden_answer.status, unknown_answer.status, "{hidden}");
        assert_eq!(hidden_answer.json.to_string(), unknown_answer.json.to_string(), "{hidden}");
    }
}

/// One whose own things come after the hidden cursor must not see them: it would learn that the
/// cursor is somebody's, and from when.
#[tokio::test]
async fn hidden_cursor_leads_nowhere_even_if_there_are_things_after_it() {
    let world = World::new().await;
    let new = json!({ "email": "later@example.com", "password": "long enough" });
    let made = world.as_stranger("POST", "/v1/users", &new).await.expect(201);
    assert_eq!(made.json["tenant_id"], "tenant_2");
    let token = json!({ "owner_id": made.text("id"), "kind": "bearer" });
    world.as_stranger("POST", "/v1/tokens", &token).await.expect(201);
    let empty = json!({ "items": [], "next": null });
    for path in [
        format!("/v1/users?after={}", world.things.user),
        format!("/v1/tokens?after={}", world.things.user_token.id),
    ] {
        let answer = world.as_stranger("GET", &path, &NOTHING).await.expect(200);
        assert_eq!(answer.json, empty, "{path}");
    }
}

#[tokio::test]
async fn lists_and_counts_leave_other_tenants_out() {
    let world = World::new().await;
    for class in ["users", "partners", "operators", "tokens"] {
        let path = format!("/v1/{class}?limit=1000");
        let everything = world.server.admin(Method::GET, &path, NOTHING).await.expect(200);
        let own = world.as_own("GET", &path, &NOTHING).await.expect(200);
        let stranger = world.as_stranger("GET", &path, &NOTHING).await.expect(200);
        let count = |answer: &Answer| answer.json["items"].as_array().unwrap().len();
        assert!(count(&own) >= 1 && count(&everything) >= count(&own), "{class}");
        let text = stranger.json.to_string();
        assert!(!text.contains(TENANT), "{class}: {text}");
        let expected = match class {
            "operators" | "tokens" => 1,
            _ => 0,
        };
        assert_eq!(count(&stranger), expected, "{class}: its own operator and token: {text}");
    }
    let status = world.as_stranger("GET", "/v1/status", &NOTHING).await.expect(200);
    for counted in ["active_tokens", "owners", "epoch", "store"] {
        assert_eq!(status.json[counted], NOTHING, "{counted}");
    }
}

#[tokio::test]
async fn operator_of_a_tenant_makes_things_of_that_tenant_alone() {
    let world = World::new().await;
    let bodies = [
        ("/v1/users", json!({ "email": "n@example.com", "password": "long enough" })),
        ("/v1/operators", json!({ "name": "n" })),
    ];
    for (path, body) in bodies {
        let mut other = body.clone();
        other["tenant_id"] = json!(TENANT);
        let refused = world.as_stranger("POST", path, &other).await.expect(403);
        assert_eq!(refused.json["type"], "urn:rescind:problem:not-allowed");
        other["tenant_id"] = json!("tenant_that_nobody_has");
        let unknown = world.as_stranger("POST", path, &other).await.expect(403);
        assert_eq!(refused.json.to_string(), unknown.json.to_string(), "{path}");
        let made = world.as_stranger("POST", path, &body).await.expect(201);
        assert_eq!(made.json["tenant_id"], "tenant_2", "{path}");
    }
}

/// A partner is whom an issuer names, in the whole server: whoever could make one first would be
/// let into the tokens of whoever comes later.
#[tokio::test]
async fn operator_of_a_tenant_claims_nobodys_subject() {
    let world = World::new().await;
    let body = json!({ "subject": "did:somebody:else" });
    let refused = world.as_stranger("POST", "/v1/partners", &body).await.expect(403);
    assert_eq!(refused.json["type"], "urn:rescind:problem:not-allowed");
    world.as_own("POST", "/v1/partners", &body).await.expect(403);
    let listed = world.server.admin(Method::GET, "/v1/partners?subject=did:somebody:else", NOTHING);
    assert_eq!(listed.await.expect(200).json["items"], json!([]));
}

/// Even if its token has the scope: there is one trail for the whole server.
#[tokio::test]
async fn operator_of_a_tenant_reads_no_audit_trail() {
    let server = Server::start().await;
    let token = server.operator_of("tenant_2", &["audit"]).await;
    for path in ["/v1/audit", "/v1/audit/anchor", "/v1/audit/export"] {
        let answer = server.admin_as(&token, Method::GET, path, NOTHING).await.expect(403);
        assert_eq!(answer.json["type"], "urn:rescind:problem:not-allowed", "{path}");
    }
}

#[tokio::test]
async fn signed_request_of_another_tenant_is_not_verified_for_a_stranger() {
    let world = World::new().await;
    let Things { signer, .. } = &world.things;
    let question = signed_question(&world.server, signer);
    let own = world.as_own("POST", "/v1/verify", &question).await.expect(200);
    assert_eq!(own.json["valid"], true);
    let stranger = world.as_stranger("POST", "/v1/verify", &question).await.expect(200);
    assert_eq!(stranger.json, json!({ "valid": false, "reason": "unknown" }));
}

fn signed_question(server: &Server, signer: &Signer) -> Value {
    use rescind_guard::Clock;
    let timestamp = server.clock.now().to_rfc3339_millis();
    let signature = signer.sign(&timestamp, &Method::GET, "/v1/orders", "");
    let headers = json!({
        "lmts-api-key": signer.id, "lmts-timestamp": timestamp, "lmts-signature": signature,
    });
    let request =
        json!({ "method": "GET", "target": "/v1/orders", "headers": headers, "body": "" });
    json!({ "request": request })
}

fn headers(answer: &Answer) -> Vec<(String, String)> {
    let all = answer.headers.iter().filter(|(name, _)| *name != "date");
    all.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}
