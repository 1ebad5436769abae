//! `GET /metrics`.

use crate::callers::EMAIL;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Each sample by its name and labels.
type Samples = BTreeMap<String, f64>;

/// What is served, and as a scraper reads it.
async fn scrape(server: &Server, token: &str) -> (String, Samples) {
    let request = server.http.get(format!("{}/metrics", server.admin)).bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let of = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(of("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(of("cache-control"), "no-store");
    let text = response.text().await.unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("rescind_"), "{line}");
        (name.to_owned(), value.parse().unwrap())
    });
    let samples = samples.collect();
    (text, samples)
}

async fn samples(server: &Server) -> Samples {
    scrape(server, &server.admin_token).await.1
}

#[tokio::test]
async fn everything_is_there_from_the_start_with_its_type_and_a_word_of_help() {
    let server = Server::start().await;
    let (text, samples) = scrape(&server, &server.admin_token).await;
    for (name, kind) in [
        ("rescind_sealed", "gauge"),
        ("rescind_lease_remaining_seconds", "gauge"),
        ("rescind_epoch_applied", "gauge"),
        ("rescind_epoch_lag", "gauge"),
        ("rescind_nodes", "gauge"),
        ("rescind_tokens", "gauge"),
        ("rescind_revocation_seconds", "histogram"),
        ("rescind_verifications_total", "counter"),
        ("rescind_fetches_total", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} in {text}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} in {text}");
    }
    for (name, value) in [
        ("rescind_sealed", 0.0),
        ("rescind_lease_remaining_seconds", f64::INFINITY),
        ("rescind_epoch_lag", 0.0),
        ("rescind_nodes", 1.0),
        ("rescind_revocation_seconds_count{outcome=\"acknowledged\"}", 0.0),
        ("rescind_revocation_seconds_count{outcome=\"waited_out\"}", 0.0),
        ("rescind_fetches_total{result=\"known\"}", 0.0),
        ("rescind_fetches_total{result=\"refused\"}", 0.0),
        // This scrape's own token.
        ("rescind_verifications_total{result=\"accepted\"}", 1.0),
        ("rescind_verifications_total{result=\"refused\"}", 0.0),
        ("rescind_verifications_total{result=\"unanswered\"}", 0.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name} in {text}");
    }
}

#[tokio::test]
async fn what_is_done_is_counted() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let before = samples(&server).await;
    let question = json!({ "token": token });
    for _ in 0..5 {
        server.send(server.http.post(format!("{}/v1/verify", server.verify)).json(&question)).await;
    }
    server.admin(Method::POST, "/v1/tokens/revoke", question.clone()).await.expect(200);
    for _ in 0..2 {
        server.send(server.http.post(format!("{}/v1/verify", server.verify)).json(&question)).await;
    }
    let after = samples(&server).await;
    let grown = |name: &str| after[name] - before[name];
    // Five questions; the operator twice at the door and once more behind it; and the scrape.
    assert!(grown("rescind_verifications_total{result=\"accepted\"}") >= 7.0);
    assert_eq!(grown("rescind_verifications_total{result=\"refused\"}"), 2.0);
    assert_eq!(grown("rescind_revocation_seconds_count{outcome=\"acknowledged\"}"), 1.0);
    assert_eq!(grown("rescind_revocation_seconds_count{outcome=\"waited_out\"}"), 0.0);
    assert_eq!(grown("rescind_epoch_applied"), 1.0);
    assert_eq!(grown("rescind_tokens"), -1.0);
}

/// Who is asked for what is nobody's business who watches the machine.
#[tokio::test]
async fn no_name_that_anybody_has_chosen_is_shown() {
    let server = Server::start().await;
    let user = server.create_user().await.text("id");
    let new = json!({ "owner_id": user, "kind": "bearer", "label": "nightly" });
    let made = server.admin(Method::POST, "/v1/tokens", new).await.expect(201);
    let (id, text) = (made.text("id"), made.text("token"));
    server.admin(Method::POST, &format!("/v1/tokens/{id}/revoke"), json!({})).await.expect(200);
    let (shown, _) = scrape(&server, &server.admin_token).await;
    for name in [&user, &id, &text, EMAIL, "tenant_1", "nightly", "operator_"] {
        assert!(!shown.contains(name), "{name} in {shown}");
    }
}

/// Nobody can be known then; and just then somebody must look.
#[tokio::test]
async fn sealed_node_shows_that_it_is_sealed_and_no_more_and_nobody_without_a_token() {
    let server = Server::start().await;
    server.services.guard.close();
    for token in [&server.admin_token, "no-token-of-ours"] {
        let (text, samples) = scrape(&server, token).await;
        let names: Vec<_> = samples.into_iter().collect();
        let expected =
            [("rescind_lease_remaining_seconds".into(), 0.0), ("rescind_sealed".into(), 1.0)];
        assert_eq!(names, expected, "{text}");
    }
    server.send(server.http.get(format!("{}/metrics", server.admin))).await.expect(401);
    server.services.guard.open_for_good();
    let stranger = server.admin_as("no-token-of-ours", Method::GET, "/metrics", Value::Null).await;
    stranger.expect(401);
}
