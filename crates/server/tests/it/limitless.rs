//! The Limitless Exchange contract, as its clients use it.

use crate::server::{Server, Wishes};
use reqwest::Method;
use rescind_guard::Clock;
use serde_json::{Value, json};
use std::time::Duration;

const DERIVE: &str = "/auth/api-tokens/derive";
const TOKENS: &str = "/auth/api-tokens";
const KEYS: &str = "/auth/api-keys";

#[tokio::test]
async fn somebody_new_has_the_self_service_capabilities() {
    let server = Server::start().await;
    let path = "/auth/api-tokens/capabilities";
    let answer = server.identified(Method::GET, path, "did:x:1", Value::Null).await.expect(200);
    let profile = answer.json["partnerProfileId"].as_i64().unwrap();
    assert!(i32::try_from(profile).is_ok());
    let expected = json!({ "partnerProfileId": profile, "tokenManagementEnabled": true, "allowedScopes": ["trading"] });
    assert_eq!(answer.json, expected);
    let again = server.identified(Method::GET, path, "did:x:1", Value::Null).await.expect(200);
    assert_eq!(again.json, expected);
}

#[tokio::test]
async fn derived_token_has_every_documented_field() {
    let server = Server::start().await;
    let asked = json!({ "label": "bot", "scopes": ["trading"] });
    let answer = server.identified(Method::POST, DERIVE, "did:x:1", asked).await.expect(201);
    let id = answer.text("tokenId");
    let expected = json!({
        "apiKey": id,
        "secret": answer.text("secret"),
        "tokenId": id,
        "createdAt": "2026-03-23T12:00:00.000Z",
        "scopes": ["trading"],
        "profile": {
            "id": answer.json["profile"]["id"].as_i64().unwrap(),
            "account": "0x0000000000000000000000000000000000000000",
        },
    });
    assert_eq!(answer.json, expected);
    assert_eq!(answer.text("secret").len(), 44);
    assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{id}");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn what_each_sdk_sends_for_nothing_asks_for_trading() {
    let server = Server::start().await;
    for body in [json!({}), json!({ "label": null, "scopes": [] }), Value::Null] {
        let answer = server.identified(Method::POST, DERIVE, "did:x:1", body).await.expect(201);
        assert_eq!(answer.json["scopes"], json!(["trading"]));
    }
}

#[tokio::test]
async fn token_signs_lists_and_revokes_itself() {
    let server = Server::start().await;
    let first = server.derive("did:x:1").await;
    let second = server.derive("did:x:1").await;
    let listed = server.signed(&first, Method::GET, TOKENS, "").await.expect(200);
    let ids: Vec<_> =
        listed.json.as_array().unwrap().iter().map(|t| t["tokenId"].clone()).collect();
    assert_eq!(ids, [json!(first.id), json!(second.id)]);
    assert!(listed.json[0].get("secret").is_none());
    let path = format!("{TOKENS}/{}", first.id);
    let revoked = server.signed(&first, Method::DELETE, &path, "").await.expect(200);
    assert_eq!(revoked.json, json!({ "message": "API token revoked successfully" }));
    server.signed(&first, Method::GET, TOKENS, "").await.expect(401);
    let left = server.signed(&second, Method::GET, TOKENS, "").await.expect(200);
    assert_eq!(left.json.as_array().unwrap().len(), 1);
    let again = server.signed(&second, Method::DELETE, &path, "").await.expect(400);
    let expected = json!({ "message": "Token not found or already revoked", "error": "Bad Request", "statusCode": 400 });
    assert_eq!(again.json, expected);
}

#[tokio::test]
async fn another_partners_token_looks_unknown_and_stays() {
    let server = Server::start().await;
    let (mine, theirs) = (server.derive("did:x:1").await, server.derive("did:x:2").await);
    let path = format!("{TOKENS}/{}", theirs.id);
    let foreign = server.signed(&mine, Method::DELETE, &path, "").await.expect(400);
    let unknown =
        server.signed(&mine, Method::DELETE, &format!("{TOKENS}/nothing"), "").await.expect(400);
    assert_eq!(foreign.json, unknown.json);
    server.signed(&theirs, Method::GET, TOKENS, "").await.expect(200);
}

#[tokio::test]
async fn percent_encoded_id_is_verified_raw_and_decoded_after() {
    let server = Server::start().await;
    let (signer, other) = (server.derive("did:x:1").await, server.derive("did:x:1").await);
    let encoded: String = other.id.bytes().map(|b| format!("%{b:02X}")).collect();
    server.signed(&signer, Method::DELETE, &format!("{TOKENS}/{encoded}"), "").await.expect(200);
    server.signed(&other, Method::GET, TOKENS, "").await.expect(401);
    let odd =
        server.signed(&signer, Method::DELETE, &format!("{TOKENS}/tok%2Fwith%20spaces"), "").await;
    odd.expect(400);
}

#[tokio::test]
async fn without_token_management_nothing_can_be_managed() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let partners = server.admin(Method::GET, "/v1/partners?subject=did:x:1", Value::Null).await;
    let id = partners.json["items"][0]["id"].as_str().unwrap().to_owned();
    let off = json!({ "token_management": false });
    server.admin(Method::PATCH, &format!("/v1/partners/{id}"), off).await.expect(200);
    let expected = json!({
        "message": "Token management not enabled for this partner",
        "error": "Forbidden",
        "statusCode": 403,
    });
    let path = format!("{TOKENS}/{}", signer.id);
    for answer in [
        server.identified(Method::POST, DERIVE, "did:x:1", json!({})).await,
        server.signed(&signer, Method::GET, TOKENS, "").await,
        server.signed(&signer, Method::DELETE, &path, "").await,
    ] {
        assert_eq!(answer.expect(403).json, expected);
    }
    server.signed(&signer, Method::GET, "/trading/orders", "").await.expect(200);
}

#[tokio::test]
async fn scopes_are_checked_at_issue_and_at_each_use() {
    let server = Server::start().await;
    let ask = |scopes: Value| {
        let body = json!({ "scopes": scopes });
        server.identified(Method::POST, DERIVE, "did:x:1", body)
    };
    ask(json!(["withdrawal"])).await.expect(403);
    ask(json!(["admin"])).await.expect(400);
    ask(json!("trading")).await.expect(400);
    ask(json!(["delegated_signing"])).await.expect(400);
    let partners = server.admin(Method::GET, "/v1/partners?subject=did:x:1", Value::Null).await;
    let path = format!("/v1/partners/{}", partners.json["items"][0]["id"].as_str().unwrap());
    let wide = json!({ "allowed_scopes": ["trading", "withdrawal"] });
    server.admin(Method::PATCH, &path, wide).await.expect(200);
    let signer = crate::callers::Signer::of(&ask(json!(["withdrawal"])).await.expect(201));
    server.signed(&signer, Method::POST, "/withdrawal", "{}").await.expect(200);
    server.signed(&signer, Method::POST, "/trading", "{}").await.expect(403);
    let narrow = json!({ "allowed_scopes": ["trading"] });
    server.admin(Method::PATCH, &path, narrow).await.expect(200);
    server.signed(&signer, Method::POST, "/withdrawal", "{}").await.expect(403);
}

#[tokio::test]
async fn label_is_counted_in_characters() {
    let server = Server::start().await;
    let ask = |label: String| {
        server.identified(Method::POST, DERIVE, "did:x:1", json!({ "label": label }))
    };
    ask("é".repeat(128)).await.expect(201);
    let refused = ask("é".repeat(129)).await.expect(400);
    assert!(refused.json["message"].is_string());
}

#[tokio::test]
async fn signature_window_is_thirty_seconds_on_either_side() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let now = server.clock.now();
    for (offset, status) in [(-30_000, 200), (30_000, 200), (-30_001, 401), (30_001, 401)] {
        let timestamp = now.plus_millis(offset).to_rfc3339_millis();
        server.signed_at(&signer, &timestamp, Method::GET, TOKENS, "").await.expect(status);
    }
    let python = "2026-03-23T12:00:00.123456+00:00";
    server.signed_at(&signer, python, Method::GET, TOKENS, "").await.expect(200);
}

#[tokio::test]
async fn two_equal_requests_of_one_millisecond_both_pass() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    server.signed(&signer, Method::GET, TOKENS, "").await.expect(200);
    server.signed(&signer, Method::GET, TOKENS, "").await.expect(200);
}

#[tokio::test]
async fn use_of_a_token_is_listed_within_five_seconds() {
    let server = Server::start().await;
    let (used, lister) = (server.derive("did:x:1").await, server.derive("did:x:1").await);
    server.clock.advance(Duration::from_secs(7));
    server.signed(&used, Method::GET, "/trading", "").await.expect(200);
    server.services.flush_uses_now().await;
    let listed = server.signed(&lister, Method::GET, TOKENS, "").await.expect(200);
    assert_eq!(listed.json[0]["lastUsedAt"], "2026-03-23T12:00:07.000Z");
    assert_eq!(listed.json[1]["lastUsedAt"], Value::Null);
}

#[tokio::test]
async fn bearer_credentials_are_not_taken_where_a_signature_or_identity_is_asked() {
    let server = Server::start().await;
    let key = server
        .identified(Method::POST, KEYS, "did:x:1", Value::Null)
        .await
        .expect(201)
        .text("apiKey");
    server.with_key(Method::GET, TOKENS, &key).await.expect(401);
    server.with_key(Method::POST, DERIVE, &key).await.expect(401);
    let signer = server.derive("did:x:1").await;
    server.signed(&signer, Method::POST, DERIVE, "{}").await.expect(401);
    let both = server.http.get(format!("{}/auth/api-tokens/capabilities", server.base));
    let both = both.header("identity", format!("Bearer {}", server.identity("did:x:1")));
    server.send(both.header("X-API-Key", &key)).await.expect(401);
}

#[tokio::test]
async fn legacy_key_is_made_shown_used_and_revoked() {
    let server = Server::start().await;
    let none = server.identified(Method::GET, KEYS, "did:x:1", Value::Null).await.expect(200);
    assert_eq!(none.json, Value::Null);
    let made = server.identified(Method::POST, KEYS, "did:x:1", Value::Null).await.expect(201);
    let (id, key) = (made.text("keyId"), made.text("apiKey"));
    assert!(key.starts_with("lmts_") && id.starts_with("key_"), "{id}");
    let shown = server.identified(Method::GET, KEYS, "did:x:1", Value::Null).await.expect(200);
    assert_eq!(
        shown.json,
        json!({ "keyId": id, "createdAt": "2026-03-23T12:00:00.000Z", "lastUsedAt": null })
    );
    server.with_key(Method::GET, "/trading", &key).await.expect(200);
    let revoked = server.identified(Method::DELETE, KEYS, "did:x:1", Value::Null).await.expect(200);
    assert_eq!(revoked.json, json!({ "message": "API key revoked successfully" }));
    server.with_key(Method::GET, "/trading", &key).await.expect(401);
    server.identified(Method::DELETE, KEYS, "did:x:1", Value::Null).await.expect(400);
}

#[tokio::test]
async fn legacy_key_that_presents_itself_is_the_one_revoked() {
    let server = Server::start().await;
    let make = || server.identified(Method::POST, KEYS, "did:x:1", Value::Null);
    let (old, new) = (make().await.text("apiKey"), make().await.text("apiKey"));
    server.with_key(Method::DELETE, KEYS, &old).await.expect(200);
    server.with_key(Method::GET, "/trading", &old).await.expect(401);
    server.with_key(Method::GET, "/trading", &new).await.expect(200);
}

#[tokio::test]
async fn all_legacy_keys_are_revoked_in_one_write() {
    let server = Server::start().await;
    let make = || server.identified(Method::POST, KEYS, "did:x:1", Value::Null);
    let keys =
        [make().await.text("apiKey"), make().await.text("apiKey"), make().await.text("apiKey")];
    let before = server.changes().await;
    server.identified(Method::DELETE, KEYS, "did:x:1", Value::Null).await.expect(200);
    assert_eq!(server.changes().await, before + 1);
    for key in keys {
        server.with_key(Method::GET, "/trading", &key).await.expect(401);
    }
}

#[tokio::test]
async fn legacy_keys_can_be_switched_off() {
    let server = Server::start_with(Wishes { legacy_api_keys: false, ..Wishes::default() }).await;
    server.identified(Method::POST, KEYS, "did:x:1", Value::Null).await.expect(403);
}
