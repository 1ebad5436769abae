//! `X-Rescind-Min-Epoch`: an answer from a memory that is new enough, or none.

use crate::callers::Answer;
use crate::server::{Server, Wishes};
use reqwest::{Method, RequestBuilder};
use rescind_node::{EPOCH_PATIENCE, EPOCH_WAITS_MAX};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MIN_EPOCH: &str = "X-Rescind-Min-Epoch";
/// More than a look at a number takes on a busy machine, and less than a wait.
const AT_ONCE: Duration = Duration::from_millis(700);
const ROUNDS_MAX: usize = 10;
/// Further than any test comes.
const FAR: &str = "18446744073709551615";

async fn taking() -> Server {
    Server::start_with(Wishes { allow_min_epoch: true, ..Wishes::default() }).await
}

fn verify(server: &Server, token: &str) -> RequestBuilder {
    server.http.post(format!("{}/v1/verify", server.verify)).json(&json!({ "token": token }))
}

fn forward_auth(server: &Server, profile: &str, token: &str) -> RequestBuilder {
    let request = server.http.get(format!("{}/v1/forward-auth/{profile}", server.verify));
    let request = request.header("X-Original-URI", "/a").header("X-Original-Method", "GET");
    let request = request.header("X-Forwarded-Uri", "/a").header("X-Forwarded-Method", "GET");
    let request = request.header("X-Real-IP", "198.51.100.7");
    request.header("X-Forwarded-For", "198.51.100.7").bearer_auth(token)
}

/// Every way of asking that takes the header.
fn questions(server: &Server, token: &str) -> Vec<(&'static str, RequestBuilder)> {
    let admins = server.http.post(format!("{}/v1/verify", server.admin));
    let introspect = server.http.post(format!("{}/v1/introspect", server.verify));
    let form = "application/x-www-form-urlencoded";
    vec![
        ("verify", verify(server, token)),
        ("admin", admins.bearer_auth(&server.admin_token).json(&json!({ "token": token }))),
        (
            "oauth",
            introspect
                .bearer_auth(&server.admin_token)
                .header("Content-Type", form)
                .body(format!("token={token}")),
        ),
        ("caddy", forward_auth(server, "caddy", token)),
        ("nginx", forward_auth(server, "nginx", token)),
    ]
}

/// Status as the asker reads it; in which shape a refusal must be.
fn told(way: &str, answer: &Answer) -> u16 {
    let status = answer.status.as_u16();
    if status == 200 {
        return status;
    }
    match way {
        "oauth" => assert!(answer.json["error"].is_string(), "{}", answer.json),
        _ => assert_eq!(answer.header("content-type"), "application/problem+json", "{way}"),
    }
    match way {
        "nginx" => {
            assert_eq!(status, 403);
            answer.header("x-rescind-status").parse().unwrap()
        }
        _ => status,
    }
}

#[tokio::test]
async fn what_memory_has_applied_is_answered_at_once_and_the_future_is_not_answered() {
    let server = taking().await;
    let token = server.user_token().await;
    let here = server.services.guard.applied_epoch().to_string();
    for (way, question) in questions(&server, &token) {
        let begun = Instant::now();
        for epoch in ["0", &here] {
            let asked = question.try_clone().unwrap().header(MIN_EPOCH, epoch);
            assert_eq!(told(way, &server.send(asked).await), 200, "{way} {epoch}");
        }
        assert!(begun.elapsed() < AT_ONCE, "{way}: {:?}", begun.elapsed());
        let begun = Instant::now();
        let answer = server.send(question.header(MIN_EPOCH, FAR)).await;
        assert_eq!(told(way, &answer), 503, "{way}");
        assert_eq!(answer.header("retry-after"), "2", "{way}");
        assert!(begun.elapsed() >= EPOCH_PATIENCE, "{way}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn header_that_is_not_one_whole_number_is_refused_in_the_shape_of_each_way() {
    let server = taking().await;
    let token = server.user_token().await;
    for (way, question) in questions(&server, &token) {
        for values in
            [&["x"][..], &["-1"], &[""], &["1, 2"], &["1", "1"], &["18446744073709551616"]]
        {
            let asked = question.try_clone().unwrap();
            let asked = values.iter().fold(asked, |asked, value| asked.header(MIN_EPOCH, *value));
            assert_eq!(told(way, &server.send(asked).await), 400, "{way} {values:?}");
        }
    }
}

#[tokio::test]
async fn question_ahead_of_its_change_waits_and_is_answered_by_it() {
    let server = taking().await;
    let token = server.user_token().await;
    let next = server.services.guard.applied_epoch() + 1;
    let asked = verify(&server, &token).header(MIN_EPOCH, next);
    let waiting = tokio::spawn(asked.send());
    tokio::time::sleep(EPOCH_PATIENCE / 5).await;
    assert!(!waiting.is_finished(), "it was answered from a memory that is too old");
    let revoked = server
        .admin(Method::POST, "/v1/tokens/revoke", json!({ "token": token }))
        .await
        .expect(200);
    assert_eq!(revoked.json["epoch"], next);
    let answer = Answer::of(waiting.await.unwrap().unwrap()).await.expect(200);
    assert_eq!(answer.json, json!({ "valid": false, "reason": "unknown" }));
}

#[tokio::test]
async fn waits_are_bounded_in_number_and_hold_up_nobody_else() {
    let server = taking().await;
    let token = server.user_token().await;
    // On a busy machine not all of them may wait at the same time.
    for _ in 0..ROUNDS_MAX {
        let mut waiting = JoinSet::new();
        for _ in 0..EPOCH_WAITS_MAX {
            waiting.spawn(verify(&server, &token).header(MIN_EPOCH, FAR).send());
        }
        tokio::time::sleep(EPOCH_PATIENCE / 4).await;
        let begun = Instant::now();
        server.send(verify(&server, &token).header(MIN_EPOCH, FAR)).await.expect(503);
        for other in [verify(&server, &token), verify(&server, &token).header(MIN_EPOCH, "0")] {
            assert_eq!(server.send(other).await.expect(200).json["valid"], true);
        }
        let took = begun.elapsed();
        for answer in waiting.join_all().await {
            assert_eq!(answer.unwrap().status(), 503);
        }
        if took < AT_ONCE {
            return;
        }
    }
    panic!("one too many waits as all others do");
}

/// By trying it would find out how far the log has come, which is everybody's business together.
#[tokio::test]
async fn operator_of_one_tenant_may_not_ask_for_an_epoch() {
    let server = Server::start().await;
    let operator = server.operator_of("tenant_1", &["read"]).await;
    let question = json!({ "token": "x" });
    let asked = server.http.post(format!("{}/v1/verify", server.admin)).bearer_auth(operator);
    server.send(asked.try_clone().unwrap().json(&question)).await.expect(200);
    for epoch in ["0", "x", FAR] {
        let asked = asked.try_clone().unwrap().header(MIN_EPOCH, epoch).json(&question);
        let refused = server.send(asked).await.expect(403);
        assert_eq!(refused.json["type"], "urn:rescind:problem:not-allowed");
    }
}

/// What clients say under our names changes nothing, unless the configuration says otherwise.
#[tokio::test]
async fn clients_header_is_not_looked_at_behind_proxies_and_ends_at_the_gateway() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let begun = Instant::now();
    for header in [FAR, "x"] {
        for profile in ["caddy", "nginx"] {
            let asked = forward_auth(&server, profile, &token).header(MIN_EPOCH, header);
            server.send(asked).await.expect(200);
        }
        let through = server.http.get(format!("{}/v1/orders", server.base)).bearer_auth(&token);
        let seen = server.send(through.header(MIN_EPOCH, header)).await.expect(200);
        assert_eq!(seen.json["x-rescind-min-epoch"], Value::Null, "{}", seen.json);
        assert_ne!(seen.json["x-rescind-subject"], Value::Null, "the API shows what reaches it");
    }
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}
