//! One token's end over the admin API: by its id, and by whoever has its text.

use crate::admin_tokens::NOTHING;
use crate::callers::Answer;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

impl Server {
    async fn revoke_as(&self, token: &str, id: &str) -> Answer {
        self.admin_as(token, Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await
    }

    async fn present(&self, text: &str) -> Answer {
        let body = json!({ "token": text, "reason": "key_compromise" });
        self.admin(Method::POST, "/v1/tokens/revoke", body).await
    }
}

#[tokio::test]
async fn each_reason_is_kept_and_the_first_stands() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let reasons = [
        "unspecified",
        "key_compromise",
        "affiliation_changed",
        "superseded",
        "cessation_of_operation",
        "privilege_withdrawn",
    ];
    for (at, reason) in (1..).zip(reasons) {
        let made = server.token_of(&owner, json!({})).await;
        let path = format!("/v1/tokens/{}/revoke", made.text("id"));
        let done = server.admin(Method::POST, &path, json!({ "reason": reason })).await.expect(200);
        assert_eq!(server.verdict(&made.text("token")).await, "unknown");
        assert_eq!(done.json["token"]["revocation_reason"], reason);
        let told = [
            ("already_revoked", json!(false)),
            ("epoch", json!(at)),
            ("acknowledged", json!(1)),
            ("waited_out", json!(0)),
            ("took_ms", json!(0)),
        ];
        for (field, value) in told {
            assert_eq!(done.json[field], value, "{field}");
        }
        let again = server.admin(Method::POST, &path, json!({})).await.expect(200);
        assert_eq!(again.json["already_revoked"], true);
        assert_eq!(again.json["token"], done.json["token"]);
    }
    let by = server.id_of_operator("all").await;
    let gone = server.listed("state=revoked").await;
    assert_eq!(server.shown(&gone[0]).await["revoked_by"], json!(format!("token:{by}")));
}

#[tokio::test]
async fn token_that_was_found_is_revoked_by_presenting_it_whatever_its_state() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let active = server.token_of(&owner, json!({})).await;
    let expired = server.token_of(&owner, json!({ "expires_in_seconds": 1 })).await;
    let suspended = server.token_of(&owner, json!({})).await;
    server.clock.advance(Duration::from_secs(1));
    let done = server.present(&active.text("token")).await.expect(200);
    assert_eq!(done.json["token"]["id"], active.json["id"]);
    assert_eq!(done.json["token"]["revocation_reason"], "key_compromise");
    assert!(!done.json.to_string().contains(&active.text("token")));
    assert_eq!(server.verdict(&active.text("token")).await, "unknown");
    let again = server.present(&active.text("token")).await.expect(200);
    assert_eq!(again.json["already_revoked"], true);
    let ended = server.present(&expired.text("token")).await.expect(200);
    assert_eq!(ended.json["token"]["state"], "revoked");
    let path = format!("/v1/users/{owner}");
    server.admin(Method::POST, &format!("{path}/suspend"), NOTHING).await.expect(200);
    server.present(&suspended.text("token")).await.expect(200);
    server.admin(Method::POST, &format!("{path}/resume"), NOTHING).await.expect(200);
    assert_eq!(server.verdict(&suspended.text("token")).await, "unknown");
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_just_not_found() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let made = server.token_of(&owner, json!({})).await;
    let mut mistyped = made.text("token");
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == 'a' { 'b' } else { 'a' });
    let unknown = server.present("somebody-elses-token").await.expect(404);
    for text in [mistyped.as_str(), "a b", "", &made.text("id"), &"a".repeat(600)] {
        assert_eq!(server.present(text).await.expect(404).json, unknown.json, "{text}");
    }
    assert_eq!(server.verdict(&made.text("token")).await, "valid");
}

#[tokio::test]
async fn operators_token_is_revoked_by_an_administrator_or_by_itself() {
    let server = Server::start().await;
    let guard = server.operator("guard", &["revoke"]).await;
    let bob = server.operator("bob", &["read"]).await;
    let (own, other) = (server.id_of_operator("guard").await, server.id_of_operator("bob").await);
    let present = |text: &str| {
        let body = json!({ "token": text });
        server.admin_as(&guard, Method::POST, "/v1/tokens/revoke", body)
    };
    for refused in [server.revoke_as(&guard, &other).await, present(&bob).await] {
        assert_eq!(refused.expect(403).json["type"], "urn:rescind:problem:insufficient-scope");
    }
    server.admin_as(&bob, Method::GET, "/v1/status", NOTHING).await.expect(200);
    server.revoke_as(&server.admin_token, &other).await.expect(200);
    server.admin_as(&bob, Method::GET, "/v1/status", NOTHING).await.expect(401);
    server.revoke_as(&guard, &own).await.expect(200);
    server.revoke_as(&guard, &own).await.expect(401);
}

#[tokio::test]
async fn last_administrator_is_not_revoked() {
    let server = Server::start().await;
    // Neither of them could administer everything.
    server.operator_of("t1", &["admin", "revoke"]).await;
    server.operator("bob", &["read", "revoke"]).await;
    let own = server.id_of_operator("all").await;
    let refused = server.revoke_as(&server.admin_token, &own).await.expect(409);
    assert_eq!(refused.json["type"], "urn:rescind:problem:last-admin");
    let body = json!({ "token": server.admin_token });
    server.admin(Method::POST, "/v1/tokens/revoke", body).await.expect(409);
    server.operator("second", &["admin"]).await;
    server.revoke_as(&server.admin_token, &own).await.expect(200);
}

/// What another tenant's is answered with, and what does not exist, must be one answer.
#[tokio::test]
async fn another_tenants_token_is_as_unknown_as_one_that_there_is_not() {
    let server = Server::start().await;
    let scopes = ["admin", "issue", "read", "revoke"];
    let stranger = server.operator_of("tenant_2", &scopes).await;
    let ada = server.user_in("tenant_1", "ada@example.com").await;
    let made = server.token_of(&ada, json!({ "scopes": ["read"] })).await;
    let (id, text) = (made.text("id"), made.text("token"));
    let chief = server.id_of_operator("all").await;
    let before = server.changes().await;
    let ask = |method: Method, path: String, body: Value| {
        let (server, stranger) = (&server, &stranger);
        async move { server.admin_as(stranger, method, &path, body).await }
    };
    for id in [&id, &chief] {
        for (method, rest, body) in [
            (Method::GET, "", NOTHING),
            (Method::PATCH, "", json!({ "label": "x" })),
            (Method::PATCH, "", json!({ "scopes": ["more"] })),
            (Method::POST, "/rotate", json!({})),
            (Method::POST, "/revoke", json!({})),
        ] {
            let path = |id: &str| format!("/v1/tokens/{id}{rest}");
            let unknown = ask(method.clone(), path("token_none"), body.clone()).await.expect(404);
            let theirs = ask(method, path(id), body).await.expect(404);
            assert_eq!(theirs.json, unknown.json);
        }
    }
    for (path, theirs, unknown) in [
        ("/v1/tokens/revoke", json!({ "token": text }), json!({ "token": "x".repeat(40) })),
        (
            "/v1/tokens",
            json!({ "owner_id": ada, "kind": "bearer" }),
            json!({ "owner_id": "user_none", "kind": "bearer" }),
        ),
        ("/v1/revocations", json!({ "owner_id": ada }), json!({ "owner_id": "user_none" })),
        ("/v1/revocations", json!({ "tenant_id": "tenant_1" }), json!({ "tenant_id": "none" })),
    ] {
        let unknown = ask(Method::POST, path.into(), unknown).await.expect(404);
        assert_eq!(ask(Method::POST, path.into(), theirs).await.expect(404).json, unknown.json);
    }
    assert_eq!(server.changes().await, before);
    assert_eq!(server.verdict(&text).await, "valid");
}

#[tokio::test]
async fn list_of_a_tenants_operator_has_its_tenants_tokens_and_no_others() {
    let server = Server::start().await;
    let own = server.operator_of("tenant_2", &["read"]).await;
    let ada = server.user_in("tenant_1", "ada@example.com").await;
    let bob = server.user_in("tenant_2", "bob@example.com").await;
    let theirs = server.token_of(&ada, json!({})).await.text("id");
    let ours = server.token_of(&bob, json!({})).await.text("id");
    let expected = vec![server.id_of_operator("tenant_2").await, ours.clone()];
    assert_eq!(server.listed_as(&own, "state=all").await, expected);
    let of_tenant = server.listed_as(&own, "tenant_id=tenant_2&kind=bearer").await;
    assert_eq!(of_tenant, std::slice::from_ref(&ours));
    for hidden in ["tenant_id=tenant_1".into(), format!("owner_id={ada}")] {
        assert!(server.listed_as(&own, &hidden).await.is_empty(), "{hidden}");
    }
    // It was issued before ours, so a list that begins after it would have ours in it.
    for after in [&theirs, "token_none"] {
        assert!(server.listed_as(&own, &format!("after={after}")).await.is_empty());
    }
    assert_eq!(server.listed_as(&own, &format!("after={}", expected[0])).await, [ours]);
}
