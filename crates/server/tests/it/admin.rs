//! The admin API, as the command line and scripts use it.

use crate::callers::{EMAIL, PASSWORD};
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};

const NOTHING: Value = Value::Null;

/// Every operation, the scope that it needs, and a body that it would take.
fn operations() -> Vec<(Method, &'static str, &'static str, Value)> {
    let (get, post, patch) = (Method::GET, Method::POST, Method::PATCH);
    vec![
        (post.clone(), "/v1/users", "admin", json!({ "email": "x", "password": "long enough" })),
        (get.clone(), "/v1/users", "read", NOTHING),
        (post.clone(), "/v1/users/nobody/suspend", "admin", NOTHING),
        (post.clone(), "/v1/users/nobody/resume", "admin", NOTHING),
        (post.clone(), "/v1/partners", "admin", json!({ "subject": "" })),
        (get.clone(), "/v1/partners", "read", NOTHING),
        (patch, "/v1/partners/nobody", "admin", json!({})),
        (post.clone(), "/v1/tokens", "issue", json!({ "owner_id": "nobody", "kind": "bearer" })),
        (get.clone(), "/v1/tokens", "read", NOTHING),
        (get.clone(), "/v1/tokens/nothing", "read", NOTHING),
        (post.clone(), "/v1/tokens/nothing/revoke", "revoke", json!({})),
        (post, "/v1/verify", "read", json!({ "token": "x" })),
        (get.clone(), "/v1/audit", "audit", NOTHING),
        (get, "/v1/status", "read", NOTHING),
    ]
}

#[tokio::test]
async fn each_operation_needs_its_own_scope_and_no_other_will_do() {
    let server = Server::start().await;
    let mut tokens = Vec::new();
    for scope in ["admin", "audit", "issue", "read", "revoke"] {
        tokens.push((scope, server.operator(scope, &[scope]).await));
    }
    let before = server.changes().await;
    for (method, path, needed, body) in operations() {
        for (scope, token) in &tokens {
            let answer = server.admin_as(token, method.clone(), path, body.clone()).await;
            let refused = answer.status == 403;
            assert_eq!(refused, *scope != needed, "{method} {path} with {scope}: {}", answer.json);
            assert_ne!(answer.status.as_u16(), 500);
            if refused {
                assert_eq!(answer.json["type"], "urn:rescind:problem:insufficient-scope");
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
        }
    }
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn nobody_but_an_operator_gets_in() {
    let server = Server::start().await;
    let user_token = server.user_token().await;
    let before = server.changes().await;
    for (method, path, _, body) in operations() {
        for token in [user_token.as_str(), "", "nonsense"] {
            let answer =
                server.admin_as(token, method.clone(), path, body.clone()).await.expect(401);
            assert_eq!(answer.json["status"], 401);
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
        server
            .send(server.http.request(method, format!("{}{path}", server.admin)))
            .await
            .expect(401);
    }
    assert_eq!(server.changes().await, before);
    server.send(server.http.get(format!("{}/health", server.admin))).await.expect(200);
}

#[tokio::test]
async fn operators_token_opens_nothing_but_the_admin_listener() {
    let server = Server::start().await;
    let token = server.admin_token.clone();
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    server.with_key(Method::DELETE, "/auth/token", &token).await.expect(401);
    server.admin(Method::GET, "/v1/status", NOTHING).await.expect(200);
    let body = json!({ "token": token });
    let answer =
        server.send(server.http.post(format!("{}/v1/verify", server.verify)).json(&body)).await;
    assert_eq!(answer.expect(200).json, json!({ "valid": false, "reason": "wrong_audience" }));
}

#[tokio::test]
async fn token_is_issued_shown_once_listed_and_revoked_with_a_reason() {
    let server = Server::start().await;
    let owner = server.create_user().await.text("id");
    let new =
        json!({ "owner_id": owner, "kind": "bearer", "label": "ci", "expires_in_seconds": 60 });
    let made = server.admin(Method::POST, "/v1/tokens", new).await.expect(201);
    let (id, token) = (made.text("id"), made.text("token"));
    assert_eq!(made.json["expires_at"], "2026-03-23T12:01:00.000Z");
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
    let path = format!("/v1/tokens/{id}");
    let shown = server.admin(Method::GET, &path, NOTHING).await.expect(200);
    assert!(shown.json.get("token").is_none() && !shown.json.to_string().contains(&token));
    let why = json!({ "reason": "key_compromise" });
    let revoked = server.admin(Method::POST, &format!("{path}/revoke"), why).await.expect(200);
    assert_eq!(revoked.json["already_revoked"], false);
    assert_eq!(revoked.json["epoch"], 1);
    assert_eq!(revoked.json["acknowledged"], 1);
    assert_eq!(revoked.json["token"]["state"], "revoked");
    assert_eq!(revoked.json["token"]["revocation_reason"], "key_compromise");
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    let again = server.admin(Method::POST, &format!("{path}/revoke"), json!({})).await.expect(200);
    assert_eq!(again.json["already_revoked"], true);
    assert_eq!(again.json["epoch"], 1);
    assert_eq!(again.json["token"], revoked.json["token"], "the first reason stands");
    let active = server.admin(Method::GET, "/v1/tokens?kind=bearer", NOTHING).await.expect(200);
    assert_eq!(active.json["items"], json!([]));
    let all =
        server.admin(Method::GET, "/v1/tokens?kind=bearer&state=all", NOTHING).await.expect(200);
    assert_eq!(all.json["items"][0]["id"], json!(id));
}

#[tokio::test]
async fn lists_come_in_pages_without_gap_or_repetition() {
    let server = Server::start().await;
    let owner = server.create_user().await.text("id");
    let mut made = Vec::new();
    for _ in 0..7 {
        let new = json!({ "owner_id": owner, "kind": "bearer" });
        made.push(server.admin(Method::POST, "/v1/tokens", new).await.expect(201).text("id"));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/tokens?owner_id={owner}&limit=3{after}");
        let page = server.admin(Method::GET, &path, NOTHING).await.expect(200);
        let items = page.json["items"].as_array().unwrap().clone();
        assert!((1..=3).contains(&items.len()));
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page.json["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn faulty_requests_are_problems_that_name_the_fault_and_change_nothing() {
    let server = Server::start().await;
    let owner = server.create_user().await.text("id");
    let before = server.changes().await;
    let token = |over: Value| {
        let mut body = json!({ "owner_id": owner, "kind": "bearer" });
        body.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        body
    };
    let ten_years = 10 * 365 * 24 * 3_600_u64;
    let long = "l".repeat(513);
    let many: Vec<_> = (0..33).map(|n| n.to_string()).collect();
    let cases = [
        ("/v1/users", json!({ "email": "no-at", "password": "long enough" }), 400, "email"),
        ("/v1/users", json!({ "email": "a@b", "password": "short" }), 400, "password"),
        ("/v1/users", json!({ "email": EMAIL, "password": PASSWORD }), 409, "exists"),
        (
            "/v1/users",
            json!({ "email": "a@b", "password": PASSWORD, "tenant_id": "a/b" }),
            400,
            "tenant_id",
        ),
        (
            "/v1/users",
            json!({ "email": "a@b", "password": PASSWORD, "mail": "x" }),
            400,
            "expected",
        ),
        ("/v1/tokens", token(json!({ "kind": "cookie" })), 400, "kind"),
        ("/v1/tokens", token(json!({ "kind": "signing" })), 403, "kind of owner"),
        ("/v1/tokens", token(json!({ "owner_id": "nobody" })), 404, "owner"),
        ("/v1/tokens", token(json!({ "label": long })), 400, "label"),
        ("/v1/tokens", token(json!({ "label": "a\u{1b}[2J" })), 400, "control"),
        ("/v1/tokens", token(json!({ "scopes": many })), 400, "scopes"),
        ("/v1/tokens", token(json!({ "scopes": ["a b"] })), 400, "scopes"),
        ("/v1/tokens", token(json!({ "expires_in_seconds": 0 })), 400, "expires_in_seconds"),
        (
            "/v1/tokens",
            token(json!({ "expires_in_seconds": ten_years + 1 })),
            400,
            "expires_in_seconds",
        ),
        ("/v1/tokens", token(json!({ "expires_in_seconds": u64::MAX })), 400, "expires_in_seconds"),
        ("/v1/tokens/nothing/revoke", json!({}), 404, "token"),
        ("/v1/tokens/nothing/revoke", json!({ "reason": "because" }), 400, "key_compromise"),
        ("/v1/partners", json!({ "subject": "" }), 400, "subject"),
        ("/v1/verify", json!({ "token": "x", "scopes": ["a b"] }), 400, "scopes"),
    ];
    for (path, body, status, named) in cases {
        let answer = server.admin(Method::POST, path, body.clone()).await.expect(status);
        let detail = answer.text("detail");
        assert!(detail.contains(named), "{path} {body}: {detail}");
        assert_eq!(answer.json["status"], status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for query in
        ["limit=0", "limit=1001", "limit=x", "unknown=1", "state=both", "after=a/b", "kind=x"]
    {
        server.admin(Method::GET, &format!("/v1/tokens?{query}"), NOTHING).await.expect(400);
    }
    server
        .admin(Method::POST, "/v1/tokens", token(json!({ "expires_in_seconds": ten_years })))
        .await
        .expect(201);
    assert_eq!(server.changes().await, before + 1);
}

#[tokio::test]
async fn verification_says_why_to_those_inside() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let ask = |token: String, scopes: Value| {
        let body = json!({ "token": token, "scopes": scopes });
        server.send(server.http.post(format!("{}/v1/verify", server.verify)).json(&body))
    };
    let valid = ask(token.clone(), json!([])).await.expect(200);
    assert_eq!(valid.json["valid"], true);
    assert_eq!(valid.json["kind"], "bearer");
    assert_eq!(valid.json["expires_at"], "2027-03-23T12:00:00.000Z");
    let mut mistyped = token.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    for (text, scopes, reason) in [
        (token.clone(), json!(["trading"]), "missing_scope"),
        (mistyped, json!([]), "mistyped"),
        ("somebody-elses".into(), json!([]), "unknown"),
        ("a b".into(), json!([]), "malformed"),
        ("a".repeat(513), json!([]), "malformed"),
        (String::new(), json!([]), "malformed"),
    ] {
        let answer = ask(text, scopes).await.expect(200);
        assert_eq!(answer.json, json!({ "valid": false, "reason": reason }));
    }
}

#[tokio::test]
async fn audit_chain_covers_every_change_and_verifies() {
    let server = Server::start().await;
    let token = server.user_token().await;
    server.with_key(Method::DELETE, "/auth/token", &token).await.expect(200);
    let rows = server.audit().await;
    let mut walk = rescind_core::audit::Walk::default();
    for row in &rows {
        walk.step(&row.entry, &row.hash).unwrap();
    }
    let actions: Vec<_> = rows.iter().map(|row| row.entry.action.as_str()).collect();
    let expected =
        ["owner.created", "token.issued", "owner.created", "token.issued", "token.revoked"];
    assert_eq!(actions, expected);
    let listed = server.admin(Method::GET, "/v1/audit?after=3&limit=1", NOTHING).await.expect(200);
    assert_eq!(listed.json["items"][0]["seq"], 4);
    assert_eq!(listed.json["next"], "4");
    assert!(!rows.iter().any(|row| row.entry.detail.contains(&token)));
}

/// Sends the head and one byte of the body, has the token revoked, then sends the rest.
#[tokio::test]
async fn request_that_waited_with_its_body_acts_with_no_revoked_token() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start().await;
    let owner = server.create_user().await.text("id");
    let thief = server.operator("thief", &["issue"]).await;
    let body = json!({ "owner_id": owner, "kind": "bearer" }).to_string();
    let head = format!(
        "POST /v1/tokens HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {thief}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let address = server.admin.trim_start_matches("http://").to_owned();
    let mut parked = tokio::net::TcpStream::connect(address).await.unwrap();
    parked.write_all(head.as_bytes()).await.unwrap();
    parked.write_all(&body.as_bytes()[..1]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let admins = server.admin(Method::GET, "/v1/tokens?owner_id=operator_thief", NOTHING).await;
    let id = admins.json["items"][0]["id"].as_str().unwrap().to_owned();
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    let before = server.changes().await;
    parked.write_all(&body.as_bytes()[1..]).await.unwrap();
    let mut answer = [0; 12];
    parked.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert_eq!(server.changes().await, before);
}
