//! Tokens that another system has issued.

use crate::admin_tokens::NOTHING;
use crate::callers::{Answer, Signer};
use crate::server::Server;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use rescind_core::Digest;
use serde_json::{Value, json};
use std::sync::Arc;

const TEXT: &str = "lmts_0123456789abcdefghij";

impl Server {
    async fn import(&self, tokens: Value) -> Answer {
        let body = json!({ "tokens": tokens });
        self.admin(Method::POST, "/v1/tokens/import", body).await
    }

    /// What became of the only one.
    async fn import_one(&self, token: Value) -> Value {
        self.import(json!([token])).await.expect(200).json["items"][0].clone()
    }
}

fn sha256(text: &str) -> String {
    Digest::of(text.as_bytes()).as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn outcomes(answer: &Answer) -> Vec<&str> {
    let items = answer.json["items"].as_array().unwrap();
    items.iter().map(|item| item["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn text_digest_and_signing_secret_work_on_as_before() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let partner = server.partner().await;
    let other = "AnotherSystemsToken-1234567890.~+/=";
    let secret = STANDARD.encode([7; 16]);
    let answer = server
        .import(json!([
            { "owner_id": partner, "kind": "api_key", "token": TEXT, "scopes": ["trading"],
              "label": "old", "issued_at": "2025-01-01T00:00:00Z",
              "expires_at": "2027-01-01T00:00:00Z", "allowed_networks": ["192.0.2.0/24"] },
            { "owner_id": user, "kind": "bearer", "sha256": sha256(other).to_uppercase() },
            { "owner_id": partner, "kind": "signing", "id": "oldid", "secret": secret },
        ]))
        .await
        .expect(200);
    assert_eq!(outcomes(&answer), ["imported"; 3]);
    let counts = ["imported", "existing", "refused"].map(|name| answer.json[name].clone());
    assert_eq!(counts, [json!(3), json!(0), json!(0)]);
    let first = &answer.json["items"][0];
    assert_eq!(first["index"], 0);
    assert_eq!(first["token"], server.shown(first["token"]["id"].as_str().unwrap()).await);
    for (field, value) in [
        ("label", json!("old")),
        ("scopes", json!(["trading"])),
        ("issued_at", json!("2025-01-01T00:00:00.000Z")),
        ("expires_at", json!("2027-01-01T00:00:00.000Z")),
        ("allowed_networks", json!(["192.0.2.0/24"])),
    ] {
        assert_eq!(first["token"][field], value, "{field}");
    }
    let question = json!({ "token": TEXT, "client_address": "192.0.2.1" });
    assert_eq!(server.verdict_on(question).await, "valid");
    assert_eq!(server.verdict(other).await, "valid");
    let signer =
        Signer::of(&Answer { json: json!({ "tokenId": "oldid", "secret": secret }), ..answer });
    server.signed(&signer, Method::GET, "/v1/orders", "").await.expect(200);
}

#[tokio::test]
async fn each_faulty_item_is_refused_by_itself_and_nothing_of_it_is_repeated() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let partner = server.partner().await;
    let of_user = |over: Value| {
        let mut item = json!({ "owner_id": user, "kind": "bearer" });
        item.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        item
    };
    let signing = |id: &str, secret: &str| {
        let (owner, kind) = (&partner, "signing");
        json!({ "owner_id": owner, "kind": kind, "id": id, "secret": secret })
    };
    let good = STANDARD.encode([7; 16]);
    let before = server.changes().await;
    for (item, said) in [
        (of_user(json!({})), "either token or sha256"),
        (of_user(json!({ "token": TEXT, "sha256": sha256(TEXT) })), "either token or sha256"),
        (of_user(json!({ "id": "x", "secret": good })), "either token or sha256"),
        (of_user(json!({ "token": "" })), "20 to 512"),
        (of_user(json!({ "token": &TEXT[..19] })), "20 to 512"),
        (of_user(json!({ "token": "x".repeat(513) })), "20 to 512"),
        (of_user(json!({ "token": format!("{TEXT} {TEXT}") })), "20 to 512"),
        (of_user(json!({ "sha256": "0".repeat(63) })), "64 hexadecimal"),
        (of_user(json!({ "sha256": "+0".repeat(32) })), "64 hexadecimal"),
        (signing("id", &STANDARD.encode([7; 15])), "16 to 512"),
        (signing("id", &STANDARD.encode([7; 513])), "16 to 512"),
        (signing("id", ""), "16 to 512"),
        (signing("id", "no base64"), "16 to 512"),
        (signing("a/b", &good), "id: "),
        (signing("revoke", &good), "word of the API"),
        (json!({ "owner_id": partner, "kind": "signing", "token": TEXT }), "id and secret"),
        (of_user(json!({ "token": TEXT, "issued_at": "2026-03-23T12:00:00.001Z" })), "future"),
        (of_user(json!({ "token": TEXT, "expires_at": "soon" })), "expires_at"),
        (of_user(json!({ "token": TEXT, "scopes": ["a b"] })), "scopes"),
        (of_user(json!({ "token": TEXT, "allowed_networks": ["x"] })), "allowed_networks"),
        (of_user(json!({ "token": TEXT, "kind": "cookie" })), "kind"),
        (of_user(json!({ "token": TEXT, "kind": "api_key" })), "kind of owner"),
        (of_user(json!({ "token": TEXT, "owner_id": "user_none" })), "no such owner"),
        (of_user(json!({ "token": TEXT, "kind": "admin", "scopes": ["all"] })), "scopes"),
    ] {
        let answer = server.import_one(item.clone()).await;
        assert_eq!(answer["outcome"], "refused", "{item}");
        assert!(answer.get("token").is_none());
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains(said) && !detail.contains(&TEXT[5..]), "{item}: {detail}");
    }
    assert_eq!(server.changes().await, before);
    let mixed = json!([of_user(json!({ "token": "short" })), of_user(json!({ "token": TEXT }))]);
    let answer = server.import(mixed).await.expect(200);
    assert_eq!(outcomes(&answer), ["refused", "imported"]);
    assert_eq!(server.changes().await, before + 1);
    server.import_one(signing("id", &STANDARD.encode([7; 512]))).await;
    let longest = json!({ "token": "x".repeat(512) });
    assert_eq!(server.import_one(of_user(longest)).await["outcome"], "imported");
}

#[tokio::test]
async fn repeated_import_changes_nothing_and_brings_nothing_back() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let bob = server.user_in("tenant_1", "bob@example.com").await;
    let item = json!({ "owner_id": user, "kind": "bearer", "token": TEXT });
    let id = server.import_one(item.clone()).await["token"]["id"].as_str().unwrap().to_owned();
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    let before = server.changes().await;
    let by_digest = json!({ "owner_id": user, "kind": "bearer", "sha256": sha256(TEXT) });
    for again in [item, by_digest] {
        let answer = server.import_one(again).await;
        assert_eq!(answer["outcome"], "exists");
        assert_eq!(answer["token"], server.shown(&id).await);
        assert_eq!(answer["token"]["state"], "revoked");
    }
    let theirs = json!({ "owner_id": bob, "kind": "bearer", "token": TEXT });
    assert_eq!(server.import_one(theirs).await["outcome"], "refused", "it is another's");
    assert_eq!(server.verdict(TEXT).await, "unknown");
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn token_that_stands_twice_in_a_request_is_imported_once() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let partner = server.partner().await;
    let secret = STANDARD.encode([7; 16]);
    let signing = json!({ "owner_id": partner, "kind": "signing", "id": "x", "secret": secret });
    let answer = server
        .import(json!([
            { "owner_id": user, "kind": "bearer", "token": TEXT },
            signing,
            { "owner_id": user, "kind": "bearer", "sha256": sha256(TEXT) },
            signing,
        ]))
        .await
        .expect(200);
    assert_eq!(outcomes(&answer), ["imported", "imported", "refused", "refused"]);
    assert_eq!(answer.json["items"][2]["detail"], "It is the same as item 0.");
    assert_eq!(answer.json["items"][3]["detail"], "It is the same as item 1.");
}

#[tokio::test]
async fn import_takes_a_thousand_tokens_in_order_and_no_more() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let many = |count: usize| -> Value {
        let item = |n: String| {
            json!({ "owner_id": user, "kind": "bearer", "label": n,
                               "sha256": sha256(&n) })
        };
        (0..count).map(|n| item(n.to_string())).collect()
    };
    server.import(json!([])).await.expect(400);
    server.import(many(1_001)).await.expect(400);
    let answer = server.import(many(1_000)).await.expect(200);
    assert_eq!(answer.json["imported"], 1_000);
    let labels = answer.json["items"].as_array().unwrap().iter();
    let in_order = |(n, item): (usize, &Value)| item["token"]["label"] == json!(n.to_string());
    assert!(labels.enumerate().all(in_order));
    assert_eq!(server.import(many(1_000)).await.expect(200).json["existing"], 1_000);
    let long = json!([{ "owner_id": user, "kind": "bearer", "token": "x".repeat(1024 * 1024) }]);
    server.import(long).await.expect(413);
}

#[tokio::test]
async fn request_that_cannot_be_read_is_refused_whole_and_not_repeated() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let good = json!({ "owner_id": user, "kind": "bearer", "token": TEXT });
    let before = server.changes().await;
    for bad in [
        json!({ "token": TEXT }),
        json!({ "owner_id": [TEXT], "kind": "bearer" }),
        json!({ "owner_id": user, "kind": "bearer", TEXT: 1 }),
    ] {
        let refused = server.import(json!([good, bad])).await.expect(400);
        assert!(!refused.text("detail").contains(TEXT), "{}", refused.json);
    }
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn token_from_before_a_revocation_of_its_set_comes_in_revoked() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    server.admin(Method::POST, "/v1/revocations", json!({ "owner_id": user })).await.expect(200);
    let old = json!({ "owner_id": user, "kind": "bearer", "token": TEXT,
                      "issued_at": "2025-01-01T00:00:00Z" });
    let answer = server.import_one(old).await;
    assert_eq!(
        (&answer["outcome"], &answer["token"]["state"]),
        (&json!("imported"), &json!("revoked"))
    );
    assert_eq!(server.verdict(TEXT).await, "issued_before");
}

#[tokio::test]
async fn operator_of_a_tenant_imports_nothing() {
    let server = Server::start().await;
    let head = server.operator_of("tenant_1", &["admin", "audit", "issue", "read", "revoke"]).await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let body = json!({ "tokens": [{ "owner_id": user, "kind": "bearer", "token": TEXT }] });
    let refused = server.admin_as(&head, Method::POST, "/v1/tokens/import", body).await.expect(403);
    assert_eq!(refused.json["type"], "urn:rescind:problem:not-allowed");
    assert_eq!(server.verdict(TEXT).await, "unknown");
}

#[tokio::test]
async fn operators_token_is_imported_only_as_it_could_be_issued() {
    let server = Server::start().await;
    server.operator_of("t1", &["read"]).await;
    server.operator("bob", &["read"]).await;
    let item = |owner: &str, scopes: Value| {
        let kind = "admin";
        json!({ "owner_id": owner, "kind": kind, "token": TEXT, "scopes": scopes })
    };
    let refused = server.import_one(item("operator_t1", json!(["audit"]))).await;
    assert!(refused["detail"].as_str().unwrap().contains("audit"), "{refused}");
    assert_eq!(
        server.import_one(item("operator_bob", json!(["audit"]))).await["outcome"],
        "imported"
    );
    server.admin_as(TEXT, Method::GET, "/v1/audit", NOTHING).await.expect(200);
}

#[tokio::test]
async fn nothing_of_a_secret_is_in_the_answer_or_the_audit_trail() {
    let server = Server::start().await;
    let partner = server.partner().await;
    let secret = STANDARD.encode([42; 32]);
    let answer = server
        .import(json!([
            { "owner_id": partner, "kind": "api_key", "token": TEXT },
            { "owner_id": partner, "kind": "signing", "id": "x", "secret": secret },
        ]))
        .await
        .expect(200);
    let told = answer.json.to_string();
    let trail: String = server.audit().await.iter().map(|row| row.entry.detail.clone()).collect();
    for hidden in [TEXT, &sha256(TEXT), &secret] {
        assert!(!told.contains(hidden) && !trail.contains(hidden), "{hidden}");
    }
}

/// Of as many as take several transactions, between which the flush rests while it runs.
#[tokio::test]
async fn uses_of_many_tokens_are_all_written_when_the_server_stops() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    let text = |number: u32| format!("another-systems-token-{number:04}");
    let token = |number| json!({ "owner_id": user, "kind": "bearer", "token": text(number) });
    let answer = server.import((0..1_000).map(token).collect()).await.expect(200);
    for number in 0..1_000 {
        assert_eq!(server.verdict(&text(number)).await, "valid");
    }
    let (_stop, stopped) = tokio::sync::watch::channel(true);
    Arc::clone(&server.services).flush_uses(stopped).await;
    for item in answer.json["items"].as_array().unwrap() {
        let shown = server.shown(item["token"]["id"].as_str().unwrap()).await;
        assert_eq!(shown["last_used_at"], "2026-03-23T12:00:00.000Z");
    }
}
