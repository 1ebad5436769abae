//! The audit trail over the admin API.

use crate::admin_tokens::NOTHING;
use crate::server::Server;
use reqwest::Method;
use rescind_core::audit::{Entry, Walk};
use rescind_core::{Actor, Digest, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

impl Server {
    async fn entries(&self, query: &str) -> Vec<Value> {
        let path = format!("/v1/audit?{query}");
        let page = self.admin(Method::GET, &path, NOTHING).await.expect(200);
        page.json["items"].as_array().unwrap().clone()
    }
}

fn numbers(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
}

/// As a tool would read it that has nothing but the lines.
fn walk(lines: &str) -> Walk {
    let mut walk = Walk::default();
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        let hash = text("hash");
        let byte = |at: usize| u8::from_str_radix(&hash[2 * at..2 * at + 2], 16).unwrap();
        let entry = Entry {
            seq: value["seq"].as_u64().unwrap(),
            at: Timestamp::parse(&text("at")).unwrap(),
            actor: Actor::from_stored(&text("actor")),
            action: text("action"),
            subject: text("subject"),
            detail: text("detail"),
        };
        walk.step(&entry, &Digest::from_bytes(std::array::from_fn(byte))).unwrap();
    }
    walk
}

#[tokio::test]
async fn every_change_leaves_one_entry_that_names_who_and_what() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let own = server.id_of_operator("all").await;
    let id = server.token_of(&owner, json!({})).await.text("id");
    let path = |rest: &str| format!("/v1/tokens/{id}{rest}");
    let text = "somebody-elses-token-0123456789";
    for (method, path, body, expected) in [
        (Method::PATCH, path(""), json!({ "label": "x" }), vec!["token.updated"]),
        (
            Method::POST,
            path("/rotate"),
            json!({ "overlap_seconds": 9 }),
            vec!["token.rotated", "token.issued"],
        ),
        (Method::POST, path("/revoke"), json!({}), vec!["token.revoked"]),
        (
            Method::POST,
            "/v1/tokens/import".into(),
            json!({ "tokens": [{ "owner_id": owner, "kind": "bearer", "token": text }] }),
            vec!["token.issued"],
        ),
        (Method::POST, "/v1/tokens/revoke".into(), json!({ "token": text }), vec!["token.revoked"]),
        (
            Method::POST,
            "/v1/revocations".into(),
            json!({ "owner_id": owner }),
            vec!["owner.tokens_revoked"],
        ),
        (
            Method::POST,
            "/v1/revocations".into(),
            json!({ "tenant_id": "tenant_1" }),
            vec!["tenant.tokens_revoked"],
        ),
        (
            Method::POST,
            "/v1/revocations".into(),
            json!({ "everything": true }),
            vec!["everything.tokens_revoked"],
        ),
    ] {
        let before = server.changes().await;
        let answer = server.admin(method.clone(), &path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.json);
        let entries = server.entries(&format!("after={before}")).await;
        let actions: Vec<_> = entries.iter().map(|entry| entry["action"].clone()).collect();
        assert_eq!(actions, expected, "{method} {path}");
        for entry in entries {
            assert_eq!(entry["actor"], json!(format!("token:{own}")));
            assert_eq!(entry["at"], "2026-03-23T12:00:00.000Z");
        }
    }
}

#[tokio::test]
async fn filters_hold_together_and_pages_go_on() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    server.clock.advance(Duration::from_secs(1));
    let id = server.token_of(&owner, json!({})).await.text("id");
    server.clock.advance(Duration::from_secs(1));
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    let own = server.id_of_operator("all").await;
    let (one, two) = ("2026-03-23T12:00:01Z", "2026-03-23T12:00:02Z");
    // 1, 2: the operator and its token; 3: the user; 4, 5: its token, and the token's end.
    for (query, expected) in [
        (String::new(), vec![1, 2, 3, 4, 5]),
        ("actor=system:test".into(), vec![1, 2]),
        (format!("actor=token:{own}"), vec![3, 4, 5]),
        ("action=token.issued".into(), vec![2, 4]),
        (format!("subject={id}"), vec![4, 5]),
        (format!("since={one}"), vec![4, 5]),
        (format!("until={one}"), vec![1, 2, 3]),
        (format!("since={one}&until={two}"), vec![4]),
        (format!("subject={id}&action=token.revoked&actor=token:{own}"), vec![5]),
        ("action=token.issued&after=2".into(), vec![4]),
        ("actor=nobody".into(), vec![]),
    ] {
        assert_eq!(numbers(&server.entries(&query).await), expected, "{query}");
    }
    let page = server.admin(Method::GET, "/v1/audit?limit=2&after=1", NOTHING).await.expect(200);
    assert_eq!(
        (numbers(page.json["items"].as_array().unwrap()), page.text("next")),
        (vec![2, 3], "3".into())
    );
    let long = format!("actor={}", "a".repeat(257));
    for query in ["since=noon", "limit=0", "after=-1", "what=x", &long] {
        server.admin(Method::GET, &format!("/v1/audit?{query}"), NOTHING).await.expect(400);
    }
}

#[tokio::test]
async fn export_has_every_entry_and_ends_at_the_anchor() {
    let server = Server::start().await;
    let owner = server.user_in("tenant_1", "ada@example.com").await;
    let item = |n| json!({ "owner_id": owner, "kind": "bearer", "sha256": format!("{n:064x}") });
    for round in 0..2 {
        let tokens: Value = (0..1_000).map(|n| item(round * 1_000 + n)).collect();
        let body = json!({ "tokens": tokens });
        let done = server.admin(Method::POST, "/v1/tokens/import", body).await.expect(200);
        assert_eq!(done.json["imported"], 1_000);
    }
    let url = format!("{}/v1/audit/export", server.admin);
    let answer = server.http.get(url).bearer_auth(&server.admin_token).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/jsonl");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let lines = answer.text().await.unwrap();
    let walked = walk(&lines);
    assert_eq!(walked.entries(), server.changes().await as u64);
    assert!(walked.entries() > 2_000);
    let anchor = server.admin(Method::GET, "/v1/audit/anchor", NOTHING).await.expect(200);
    assert_eq!(anchor.json["seq"], walked.entries());
    let head: String = walked.head().as_bytes().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(anchor.text("hash"), head);
    assert_eq!(anchor.text("at"), "2026-03-23T12:00:00.000Z");
}

#[tokio::test]
async fn operator_of_a_tenant_sees_nothing_of_the_audit_trail() {
    let server = Server::start().await;
    // No such token can be made over the API.
    let head = server.operator_of("tenant_1", &["admin", "audit"]).await;
    for path in ["/v1/audit", "/v1/audit/export", "/v1/audit/anchor"] {
        let refused = server.admin_as(&head, Method::GET, path, NOTHING).await.expect(403);
        assert_eq!(refused.json["type"], "urn:rescind:problem:not-allowed");
    }
}
