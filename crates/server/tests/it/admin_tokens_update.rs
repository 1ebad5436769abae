//! What can still be changed about a token, and that it holds at once.

use crate::admin_tokens::NOTHING;
use crate::callers::Answer;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

impl Server {
    async fn change(&self, id: &str, change: Value) -> Answer {
        self.change_as(&self.admin_token, id, change).await
    }

    async fn change_as(&self, token: &str, id: &str, change: Value) -> Answer {
        self.admin_as(token, Method::PATCH, &format!("/v1/tokens/{id}"), change).await
    }
}

async fn new_token(server: &Server, over: Value) -> (String, String) {
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let made = server.token_of(&owner, over).await;
    (made.text("id"), made.text("token"))
}

#[tokio::test]
async fn scopes_are_narrowed_at_once_and_never_widened() {
    let server = Server::start().await;
    let (id, text) = new_token(&server, json!({ "scopes": ["read", "write"] })).await;
    let may_write = || server.verdict_on(json!({ "token": text, "scopes": ["write"] }));
    assert_eq!(may_write().await, "valid");
    let changed = server.change(&id, json!({ "scopes": ["read"] })).await.expect(200);
    assert_eq!(changed.json["scopes"], json!(["read"]));
    assert_eq!(may_write().await, "missing_scope");
    for scopes in [json!(["read", "write"]), json!(["write"])] {
        let refused = server.change(&id, json!({ "scopes": scopes })).await.expect(409);
        assert_eq!(refused.text("detail"), "scopes: scopes can only be taken away.");
    }
    assert_eq!(may_write().await, "missing_scope");
}

#[tokio::test]
async fn end_is_moved_closer_at_once_and_never_away() {
    let server = Server::start().await;
    let (id, text) = new_token(&server, json!({ "expires_in_seconds": 3600 })).await;
    let later = server.change(&id, json!({ "expires_at": "2026-03-23T13:00:00.001Z" })).await;
    assert_eq!(later.expect(409).text("detail"), "expires_at: the end can only be moved closer.");
    server.change(&id, json!({ "expires_at": "2026-03-23T14:30:00+02:00" })).await.expect(200);
    assert_eq!(server.shown(&id).await["expires_at"], "2026-03-23T12:30:00.000Z");
    assert_eq!(server.verdict(&text).await, "valid");
    let now = server.change(&id, json!({ "expires_at": "2026-03-23T12:00:00Z" })).await;
    assert_eq!(now.expect(200).json["state"], "expired");
    assert_eq!(server.verdict(&text).await, "expired");
}

#[tokio::test]
async fn networks_are_bound_at_once_and_freed_with_null() {
    let server = Server::start().await;
    let (id, text) = new_token(&server, json!({})).await;
    let from = |address: &'static str| {
        server.verdict_on(json!({ "token": text, "client_address": address }))
    };
    let bound =
        server.change(&id, json!({ "allowed_networks": ["192.0.2.0/24", "2001:db8::/32"] }));
    assert_eq!(
        bound.await.expect(200).json["allowed_networks"],
        json!(["192.0.2.0/24", "2001:db8::/32"])
    );
    assert_eq!(from("192.0.2.1").await, "valid");
    assert_eq!(from("192.0.3.1").await, "wrong_network");
    server.change(&id, json!({ "allowed_networks": [] })).await.expect(200);
    assert_eq!(from("192.0.2.1").await, "wrong_network", "an empty list is nowhere");
    server.change(&id, json!({ "allowed_networks": null })).await.expect(200);
    assert_eq!(from("192.0.3.1").await, "valid");
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_takes_a_label_away() {
    let server = Server::start().await;
    let over = json!({ "label": "ci", "scopes": ["read"], "allowed_networks": ["192.0.2.0/24"] });
    let (id, _) = new_token(&server, over).await;
    let before = server.shown(&id).await;
    let changes = server.changes().await;
    assert_eq!(server.change(&id, json!({})).await.expect(200).json, before);
    assert_eq!(server.changes().await, changes, "what changes nothing leaves no trace");
    let renamed = server.change(&id, json!({ "label": "deploy" })).await.expect(200).json;
    assert_eq!(renamed["label"], "deploy");
    let bare = server.change(&id, json!({ "label": null })).await.expect(200).json;
    let mut expected = before;
    expected["label"] = NOTHING;
    assert_eq!(bare, expected);
    assert_eq!(server.shown(&id).await, expected);
}

#[tokio::test]
async fn faulty_change_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let (id, _) = new_token(&server, json!({ "scopes": ["read"] })).await;
    let before = server.changes().await;
    for change in [
        json!({ "scopes": null }),
        json!({ "expires_at": null }),
        json!({ "expires_at": "2026-03-23T12:00:00" }),
        json!({ "allowed_networks": ["192.0.2.1/24"] }),
        json!({ "label": "l".repeat(513) }),
        json!({ "kind": "admin" }),
    ] {
        server.change(&id, change).await.expect(400);
    }
    server.change("nothing", json!({})).await.expect(404);
    assert_eq!(server.changes().await, before);
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    server.change(&id, json!({ "label": "late" })).await.expect(409);
}

#[tokio::test]
async fn operators_token_is_changed_by_an_administrator_or_by_itself() {
    let server = Server::start().await;
    let issuer = server.operator("issuer", &["issue", "read"]).await;
    server.operator("bob", &["read", "issue"]).await;
    let (own, other) = (server.id_of_operator("issuer").await, server.id_of_operator("bob").await);
    let less = json!({ "scopes": ["read"] });
    let refused = server.change_as(&issuer, &other, less.clone()).await.expect(403);
    assert_eq!(refused.json["type"], "urn:rescind:problem:insufficient-scope");
    server.change(&other, less.clone()).await.expect(200);
    server.change_as(&issuer, &own, json!({ "label": "mine" })).await.expect(200);
    // Whoever has stolen it could take it home.
    server.change_as(&issuer, &own, json!({ "allowed_networks": null })).await.expect(403);
    server.change(&own, json!({ "allowed_networks": ["127.0.0.0/8"] })).await.expect(200);
    server.change_as(&issuer, &own, less).await.expect(200);
    server.change_as(&issuer, &own, json!({ "label": "more" })).await.expect(403);
}

#[tokio::test]
async fn nobody_is_locked_out_by_a_change() {
    let server = Server::start().await;
    let own = server.id_of_operator("all").await;
    let before = server.changes().await;
    for last in
        [json!({ "scopes": ["issue", "read"] }), json!({ "expires_at": "2026-03-24T11:59:59Z" })]
    {
        let refused = server.change(&own, last).await.expect(409);
        assert_eq!(refused.json["type"], "urn:rescind:problem:last-admin");
    }
    for elsewhere in [json!(["192.0.2.0/24"]), json!([])] {
        let refused = server.change(&own, json!({ "allowed_networks": elsewhere })).await;
        assert!(refused.expect(409).text("detail").contains("where you are"));
    }
    assert_eq!(server.changes().await, before);
    server.operator("second", &["admin"]).await;
    server.clock.advance(Duration::from_secs(1));
    server.change(&own, json!({ "scopes": ["issue", "read"] })).await.expect(200);
}

/// A body may be sent as slowly as `body_timeout` allows; whoever has a stolen token could keep what
/// it may do for as long, and make another.
#[tokio::test]
async fn power_that_is_taken_away_while_a_body_is_sent_is_gone() {
    let server = Server::start().await;
    for (name, change) in [
        ("narrowed", json!({ "scopes": ["issue"] })),
        ("bound", json!({ "allowed_networks": ["192.0.2.7"] })),
    ] {
        let token = server.operator(name, &["admin", "issue"]).await;
        let whoami = server.admin_as(&token, Method::GET, "/v1/whoami", Value::Null).await;
        let new = json!({ "owner_id": whoami.text("owner_id"), "kind": "admin" }).to_string();
        let head = format!(
            "POST /v1/tokens HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\
             Expect: 100-continue\r\n\r\n",
            new.len(),
        );
        let address = server.admin.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, *b"HTTP/1.1 100", "it is let in, and asked for its body");
        server.change(&whoami.text("token_id"), change.clone()).await.expect(200);
        stream.write_all(new.as_bytes()).await.unwrap();
        let mut answer = [0; 40];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("HTTP/1.1 401"), "{change}: {answer}");
    }
}
