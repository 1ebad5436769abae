//! A token that takes another's place: what it inherits, and when the old one ends.

use crate::admin_tokens::NOTHING;
use crate::callers::{Answer, Signer};
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

impl Server {
    async fn rotate(&self, id: &str, wishes: Value) -> Answer {
        self.rotate_as(&self.admin_token, id, wishes).await
    }

    async fn rotate_as(&self, token: &str, id: &str, wishes: Value) -> Answer {
        self.admin_as(token, Method::POST, &format!("/v1/tokens/{id}/rotate"), wishes).await
    }

    /// The new token's id and text.
    async fn rotated(&self, id: &str, wishes: Value) -> (String, String) {
        let answer = self.rotate(id, wishes).await.expect(201);
        (answer.text("id"), answer.text("token"))
    }
}

async fn new_token(server: &Server, over: Value) -> (String, String) {
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let made = server.token_of(&owner, over).await;
    (made.text("id"), made.text("token"))
}

#[tokio::test]
async fn without_overlap_the_old_token_ends_in_the_same_write() {
    let server = Server::start().await;
    let over = json!({ "label": "ci", "scopes": ["read"], "allowed_networks": ["192.0.2.0/24"],
                       "expires_in_seconds": 3600 });
    let (id, text) = new_token(&server, over).await;
    server.clock.advance(Duration::from_mins(10));
    let answer = server.rotate(&id, json!({})).await.expect(201);
    let (new, new_text) = (answer.text("id"), answer.text("token"));
    let from = |text: &str| json!({ "token": text, "client_address": "192.0.2.1" });
    assert_eq!(server.verdict_on(from(&text)).await, "unknown");
    assert_eq!(server.verdict_on(from(&new_text)).await, "valid");
    let shown = server.shown(&new).await;
    assert_eq!(shown["rotated_from"], json!(id));
    for field in ["owner_id", "kind", "label", "scopes", "allowed_networks"] {
        assert_eq!(shown[field], answer.json["previous"][field], "{field}");
    }
    assert_eq!(shown["expires_at"], "2026-03-23T13:10:00.000Z", "as long as the old one was given");
    let old = server.shown(&id).await;
    assert_eq!(answer.json["previous"], old);
    assert_eq!(old["state"], "revoked");
    assert_eq!(old["revocation_reason"], "superseded");
    assert_eq!(old["superseded_by"], json!(new));
}

#[tokio::test]
async fn in_an_overlap_both_are_valid_and_it_ends_by_itself() {
    let server = Server::start().await;
    let (id, text) = new_token(&server, json!({})).await;
    let wishes = json!({ "overlap_seconds": 60, "expires_in_seconds": 120 });
    let answer = server.rotate(&id, wishes).await.expect(201);
    assert_eq!(answer.json["expires_at"], "2026-03-23T12:02:00.000Z");
    assert_eq!(answer.json["previous"], server.shown(&id).await);
    assert_eq!(answer.json["previous"]["expires_at"], "2026-03-23T12:01:00.000Z");
    server.clock.advance(Duration::from_millis(59_999));
    assert_eq!(server.verdict(&text).await, "valid");
    assert_eq!(server.verdict(&answer.text("token")).await, "valid");
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(server.verdict(&text).await, "expired");
    assert_eq!(server.verdict(&answer.text("token")).await, "valid");
}

#[tokio::test]
async fn overlap_never_outlives_the_old_token_and_has_bounds() {
    let server = Server::start().await;
    let (id, _) = new_token(&server, json!({ "expires_in_seconds": 30 })).await;
    for wishes in [
        json!({ "overlap_seconds": 604_801 }),
        json!({ "overlap_seconds": -1 }),
        json!({ "overlap_seconds": 0.5 }),
        json!({ "overlap_starts": "later" }),
        json!({ "expires_in_seconds": 0 }),
        json!({ "overlap": 1 }),
    ] {
        server.rotate(&id, wishes).await.expect(400);
    }
    let answer = server.rotate(&id, json!({ "overlap_seconds": 604_800.0 })).await.expect(201);
    assert_eq!(answer.json["previous"]["expires_at"], "2026-03-23T12:00:30.000Z");
}

#[tokio::test]
async fn overlap_begins_with_the_first_use_of_the_new_token_if_asked() {
    let server = Server::start().await;
    let (id, text) = new_token(&server, json!({})).await;
    let wishes = json!({ "overlap_seconds": 60, "overlap_starts": "first_use" });
    let answer = server.rotate(&id, wishes).await.expect(201);
    assert_eq!(answer.json["previous"]["expires_at"], NOTHING);
    server.clock.advance(Duration::from_hours(24));
    assert_eq!(server.verdict(&text).await, "valid");
    server.services.flush_uses_now().await;
    assert_eq!(server.shown(&id).await["expires_at"], NOTHING, "its own use begins nothing");
    assert_eq!(server.verdict(&answer.text("token")).await, "valid");
    server.services.flush_uses_now().await;
    assert_eq!(server.shown(&id).await["expires_at"], "2026-03-24T12:01:00.000Z");
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(server.verdict(&text).await, "expired");
}

#[tokio::test]
async fn overlap_is_cut_short_by_revoking_or_by_an_earlier_end() {
    let server = Server::start().await;
    let (id, text) = new_token(&server, json!({})).await;
    let (second, second_text) = server.rotated(&id, json!({ "overlap_seconds": 60 })).await;
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    assert_eq!(server.verdict(&text).await, "unknown");
    assert_eq!(server.verdict(&second_text).await, "valid");
    server.rotated(&second, json!({ "overlap_seconds": 60 })).await;
    let end = json!({ "expires_at": "2026-03-23T12:00:00Z" });
    server.admin(Method::PATCH, &format!("/v1/tokens/{second}"), end).await.expect(200);
    assert_eq!(server.verdict(&second_text).await, "expired");
}

#[tokio::test]
async fn token_out_of_force_or_with_a_successor_is_not_rotated() {
    let server = Server::start().await;
    let (id, _) = new_token(&server, json!({})).await;
    let (next, _) = server.rotated(&id, json!({ "overlap_seconds": 60 })).await;
    let again = server.rotate(&id, json!({})).await.expect(409);
    assert!(again.text("detail").contains(&next), "{}", again.json);
    server.admin(Method::POST, &format!("/v1/tokens/{next}/revoke"), json!({})).await.expect(200);
    let (third, _) = server.rotated(&id, json!({ "overlap_seconds": 60 })).await;
    server.admin(Method::POST, &format!("/v1/tokens/{third}/revoke"), json!({})).await.expect(200);
    server.clock.advance(Duration::from_mins(1));
    let before = server.changes().await;
    server.rotate(&id, json!({})).await.expect(409);
    server.rotate(&third, json!({})).await.expect(409);
    server.rotate("nothing", json!({})).await.expect(404);
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn rotation_is_done_once_under_one_key() {
    let server = Server::start().await;
    let (id, _) = new_token(&server, json!({})).await;
    let (token, path) = (server.admin_token.clone(), format!("/v1/tokens/{id}/rotate"));
    let first = server.with_idempotency_key(&token, &path, "k", json!({})).await.expect(201);
    let before = server.changes().await;
    let replay = server.with_idempotency_key(&token, &path, "k", json!({})).await.expect(201);
    assert_eq!(replay.header("idempotency-replayed"), "true");
    assert_eq!(replay.json["secret_shown"], false);
    assert!(replay.json.get("token").is_none());
    for field in ["id", "rotated_from", "previous"] {
        assert_eq!(replay.json[field], first.json[field], "{field}");
    }
    let other = json!({ "overlap_seconds": 1 });
    server.with_idempotency_key(&token, &path, "k", other).await.expect(422);
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn rotated_signing_token_signs_with_a_new_id_and_secret() {
    let server = Server::start().await;
    let old = server.derive("did:1").await;
    let answer = server.rotate(&old.id, json!({ "overlap_seconds": 60 })).await.expect(201);
    let derived = json!({ "tokenId": answer.text("id"), "secret": answer.text("secret") });
    let new = Signer::of(&Answer { json: derived, ..answer });
    for signer in [&old, &new] {
        server.signed(signer, Method::GET, "/v1/orders", "").await.expect(200);
    }
    server.clock.advance(Duration::from_mins(1));
    server.signed(&old, Method::GET, "/v1/orders", "").await.expect(401);
    server.signed(&new, Method::GET, "/v1/orders", "").await.expect(200);
}

#[tokio::test]
async fn scope_that_the_owner_has_lost_is_not_renewed() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let id = server.token_of(&owner, json!({ "scopes": ["read", "write"] })).await.text("id");
    let bound = json!({ "allowed_scopes": ["read"] });
    server.admin(Method::PATCH, &format!("/v1/users/{owner}"), bound).await.expect(200);
    let answer = server.rotate(&id, json!({})).await.expect(201);
    assert_eq!(answer.json["scopes"], json!(["read"]));
}

#[tokio::test]
async fn operators_token_is_rotated_by_an_administrator_or_by_itself() {
    let server = Server::start().await;
    let issuer = server.operator("issuer", &["issue"]).await;
    server.operator("bob", &["read"]).await;
    let (own, other) = (server.id_of_operator("issuer").await, server.id_of_operator("bob").await);
    let refused = server.rotate_as(&issuer, &other, json!({})).await.expect(403);
    assert_eq!(refused.json["type"], "urn:rescind:problem:insufficient-scope");
    let renewed = server.rotate_as(&issuer, &own, json!({})).await.expect(201);
    assert_eq!(renewed.json["scopes"], json!(["issue"]));
    server.rotate_as(&issuer, &own, json!({})).await.expect(401);
    server.rotate(&other, json!({})).await.expect(201);
}

/// Or one that was given an hour gives itself ten years.
#[tokio::test]
async fn operators_token_chooses_its_own_lifetime_only_with_the_scope_admin() {
    let server = Server::start().await;
    for (name, scopes, status) in
        [("worker", &["issue"][..], 403), ("chief", &["admin", "issue"], 201)]
    {
        let token = server.operator(name, scopes).await;
        let whoami = server.admin_as(&token, Method::GET, "/v1/whoami", NOTHING).await;
        let id = whoami.text("token_id");
        let longer = json!({ "expires_in_seconds": 315_360_000 });
        server.rotate_as(&token, &id, longer).await.expect(status);
        if status == 403 {
            server.rotate_as(&token, &id, json!({})).await.expect(201);
        }
    }
}

/// Or it would renew itself for ever. An administrator needs no rotation to make itself another.
#[tokio::test]
async fn token_whose_end_was_moved_closer_does_not_outlive_it_by_rotating_itself() {
    let server = Server::start().await;
    for (name, scopes) in [("worker", &["issue"][..]), ("chief", &["admin", "issue"])] {
        let token = server.operator(name, scopes).await;
        let id = server.id_of_operator(name).await;
        let end = "2026-03-23T12:10:00.000Z";
        let closer = json!({ "expires_at": end });
        server.admin(Method::PATCH, &format!("/v1/tokens/{id}"), closer).await.expect(200);
        let second = server.rotate_as(&token, &id, json!({})).await.expect(201);
        assert_eq!(second.json["expires_at"], end, "{name}");
        let (token, id) = (second.text("token"), second.text("id"));
        let longer = json!({ "expires_in_seconds": 86_400 });
        let wishes = if name == "chief" { longer.clone() } else { json!({}) };
        let third = server.rotate_as(&token, &id, wishes).await.expect(201);
        assert_eq!(third.json["expires_at"], end, "{name}");
        let given = server.rotate(&third.text("id"), longer).await.expect(201);
        assert_eq!(given.json["expires_at"], "2026-03-24T12:00:00.000Z", "by an administrator");
    }
}

#[tokio::test]
async fn operator_of_a_tenant_rotates_no_token_that_can_more_than_its_own() {
    let server = Server::start().await;
    let head = server.operator_of("t1", &["admin", "issue", "read"]).await;
    let new = json!({ "owner_id": "operator_t1", "kind": "admin", "scopes": ["revoke"] });
    let strong = server.admin(Method::POST, "/v1/tokens", new).await.expect(201).text("id");
    let refused = server.rotate_as(&head, &strong, json!({})).await.expect(403);
    assert_eq!(refused.json["type"], "urn:rescind:problem:not-allowed");
}

#[tokio::test]
async fn last_administrator_rotates_its_token_but_not_into_one_that_soon_ends() {
    let server = Server::start().await;
    let own = server.id_of_operator("all").await;
    let refused = server.rotate(&own, json!({ "expires_in_seconds": 3600 })).await.expect(409);
    assert_eq!(refused.json["type"], "urn:rescind:problem:last-admin");
    let next = server.rotate(&own, json!({})).await.expect(201).text("token");
    server.admin(Method::GET, "/v1/status", NOTHING).await.expect(401);
    server.admin_as(&next, Method::GET, "/v1/status", NOTHING).await.expect(200);
}
