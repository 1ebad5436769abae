//! Whole sets taken back in one write.

use crate::admin_tokens::NOTHING;
use crate::callers::Answer;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

impl Server {
    async fn revoke_set(&self, set: Value) -> Answer {
        self.revoke_set_as(&self.admin_token, set).await
    }

    async fn revoke_set_as(&self, token: &str, set: Value) -> Answer {
        self.admin_as(token, Method::POST, "/v1/revocations", set).await
    }
}

/// Two users of one tenant, one of another; a token of each.
struct Tokens {
    server: Server,
    owners: [String; 3],
    texts: [String; 3],
}

impl Tokens {
    async fn new() -> Self {
        let server = Server::start().await;
        let tenants = [("tenant_1", "a@x"), ("tenant_1", "b@x"), ("tenant_2", "c@x")];
        let (mut owners, mut texts) = (Vec::new(), Vec::new());
        for (tenant, email) in tenants {
            let owner = server.user_in(tenant, email).await;
            texts.push(server.token_of(&owner, json!({})).await.text("token"));
            owners.push(owner);
        }
        Self { server, owners: owners.try_into().unwrap(), texts: texts.try_into().unwrap() }
    }

    async fn verdicts(&self) -> [String; 3] {
        let [a, b, c] = &self.texts;
        let server = &self.server;
        [server.verdict(a).await, server.verdict(b).await, server.verdict(c).await]
    }
}

const GONE: &str = "issued_before";

#[tokio::test]
async fn each_level_takes_back_its_set_at_once_and_no_other() {
    for (level, taken) in [
        ("owner", [GONE, "valid", "valid"]),
        ("tenant", [GONE, GONE, "valid"]),
        ("everything", [GONE, GONE, GONE]),
    ] {
        let tokens = Tokens::new().await;
        let server = &tokens.server;
        let owner = &tokens.owners[0];
        let (set, subject) = match level {
            "owner" => (json!({ "owner_id": owner }), json!(owner)),
            "tenant" => (json!({ "tenant_id": "tenant_1" }), json!("tenant_1")),
            _ => (json!({ "everything": true }), NOTHING),
        };
        let mut asked = set;
        asked["reason"] = json!("affiliation_changed");
        let answer = server.revoke_set(asked).await.expect(200);
        assert_eq!(tokens.verdicts().await, taken, "{level}");
        let expected = json!({
            "level": level, "subject": subject, "reason": "affiliation_changed",
            "not_before": "2026-03-23T12:00:00.001Z", "epoch": 1, "acknowledged": 1,
            "waited_out": 0, "took_ms": 0,
        });
        assert_eq!(answer.json, expected);
        let row = server.audit().await.pop().unwrap();
        assert_eq!(row.entry.action, format!("{level}.tokens_revoked"));
        let fresh = server.token_of(owner, json!({})).await.text("token");
        assert_eq!(server.verdict(&fresh).await, "valid", "issued afterwards");
        server.admin(Method::GET, "/v1/status", NOTHING).await.expect(200);
    }
}

#[tokio::test]
async fn token_of_a_set_that_was_taken_back_is_shown_and_listed_as_revoked() {
    let tokens = Tokens::new().await;
    let server = &tokens.server;
    let id = server.listed(&format!("owner_id={}", tokens.owners[0])).await.remove(0);
    server.revoke_set(json!({ "tenant_id": "tenant_1" })).await.expect(200);
    let shown = server.shown(&id).await;
    assert_eq!(shown["state"], "revoked");
    assert_eq!(shown["revoked_with_all_before"], "2026-03-23T12:00:00.001Z");
    for unknown in ["revoked_at", "revoked_by", "revocation_reason"] {
        assert_eq!(shown[unknown], NOTHING, "who did it is in the audit trail");
    }
    assert_eq!(server.listed("state=revoked&tenant_id=tenant_1").await.len(), 2);
    assert_eq!(server.listed("kind=bearer&state=active").await.len(), 1);
    let fresh = server.token_of(&tokens.owners[0], json!({})).await.text("id");
    assert_eq!(server.shown(&fresh).await["revoked_with_all_before"], NOTHING);
}

#[tokio::test]
async fn only_what_was_issued_before_a_time_is_taken_back_and_no_bound_goes_back() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "a@x").await;
    let early = server.token_of(&owner, json!({})).await.text("token");
    server.clock.advance(Duration::from_secs(60));
    let late = server.token_of(&owner, json!({})).await.text("token");
    server.clock.advance(Duration::from_secs(60));
    let before = |time: &str| json!({ "owner_id": owner, "issued_before": time });
    let future = server.revoke_set(before("2026-03-23T12:02:00.001Z")).await.expect(409);
    assert!(future.text("detail").contains("future"));
    let answer = server.revoke_set(before("2026-03-23T12:01:00Z")).await.expect(200);
    assert_eq!(answer.json["not_before"], "2026-03-23T12:01:00.000Z");
    assert_eq!(server.verdict(&early).await, GONE);
    assert_eq!(server.verdict(&late).await, "valid", "issued at that time, and not before");
    let weaker = server.revoke_set(before("2026-03-23T11:00:00Z")).await.expect(200);
    assert_eq!(weaker.json["not_before"], "2026-03-23T12:01:00.000Z");
    assert_eq!(server.verdict(&early).await, GONE);
    server.revoke_set(before("2026-03-23T12:02:00Z")).await.expect(200);
    assert_eq!(server.verdict(&late).await, GONE);
}

#[tokio::test]
async fn set_must_be_named_once_and_must_be_there() {
    let tokens = Tokens::new().await;
    let server = &tokens.server;
    let before = server.changes().await;
    for (set, status) in [
        (json!({}), 400),
        (json!({ "everything": false }), 400),
        (json!({ "everything": true, "tenant_id": "tenant_1" }), 400),
        (json!({ "owner_id": tokens.owners[0], "tenant_id": "tenant_1" }), 400),
        (json!({ "owner_id": "a/b" }), 400),
        (json!({ "everything": true, "reason": "because" }), 400),
        (json!({ "everything": true, "issued_before": "noon" }), 400),
        (json!({ "owner_id": "user_none" }), 404),
        (json!({ "tenant_id": "tenant_none" }), 404),
    ] {
        server.revoke_set(set.clone()).await.expect(status);
    }
    assert_eq!(server.changes().await, before);
    assert_eq!(tokens.verdicts().await, ["valid"; 3]);
}

#[tokio::test]
async fn set_with_operators_in_it_needs_an_administrator() {
    let tokens = Tokens::new().await;
    let server = &tokens.server;
    let guard = server.operator("guard", &["revoke"]).await;
    server.revoke_set_as(&guard, json!({ "tenant_id": "tenant_1" })).await.expect(200);
    let bound = server.operator_of("tenant_2", &["read"]).await;
    for set in [
        json!({ "owner_id": "operator_tenant_2" }),
        json!({ "tenant_id": "tenant_2" }),
        json!({ "owner_id": "operator_guard" }),
    ] {
        let refused = server.revoke_set_as(&guard, set).await.expect(403);
        assert_eq!(refused.json["type"], "urn:rescind:problem:insufficient-scope");
    }
    server.admin_as(&bound, Method::GET, "/v1/status", NOTHING).await.expect(200);
    server.revoke_set_as(&guard, json!({ "everything": true })).await.expect(200);
    server.admin_as(&bound, Method::GET, "/v1/status", NOTHING).await.expect(200);
    server.revoke_set(json!({ "tenant_id": "tenant_2" })).await.expect(200);
    server.admin_as(&bound, Method::GET, "/v1/status", NOTHING).await.expect(401);
}

#[tokio::test]
async fn operator_of_a_tenant_takes_back_its_own_and_not_everything() {
    let tokens = Tokens::new().await;
    let server = &tokens.server;
    let head = server.operator_of("tenant_2", &["admin", "revoke"]).await;
    let all = server.revoke_set_as(&head, json!({ "everything": true })).await.expect(403);
    assert_eq!(all.json["type"], "urn:rescind:problem:not-allowed");
    let own = json!({ "owner_id": tokens.owners[2] });
    let done = server.revoke_set_as(&head, own).await.expect(200);
    assert_eq!(done.json["epoch"], NOTHING, "it would tell of other tenants'");
    assert_eq!(tokens.verdicts().await, ["valid", "valid", GONE]);
    server.revoke_set_as(&head, json!({ "tenant_id": "tenant_2" })).await.expect(200);
    server.revoke_set_as(&head, json!({ "tenant_id": "tenant_2" })).await.expect(401);
}

#[tokio::test]
async fn last_administrator_is_not_taken_back_with_its_set() {
    let server = Server::start().await;
    let refused = server.revoke_set(json!({ "owner_id": "operator_all" })).await.expect(409);
    assert_eq!(refused.json["type"], "urn:rescind:problem:last-admin");
    server.admin(Method::GET, "/v1/status", NOTHING).await.expect(200);
    server.operator("second", &["admin"]).await;
    server.revoke_set(json!({ "owner_id": "operator_all" })).await.expect(200);
    server.admin(Method::GET, "/v1/status", NOTHING).await.expect(401);
}
