//! The WizCommerce contract, as its clients use it.

use crate::callers::{EMAIL, PASSWORD};
use crate::server::{Server, Wishes};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn login_answers_every_documented_field() {
    let server = Server::start().await;
    let user = server.create_user().await.expect(201);
    let answer = server.log_in(EMAIL, PASSWORD).await.expect(200);
    let token = answer.text("access_token");
    assert!(token.starts_with("api_prod_"), "{token}");
    let id = answer.text("token_id");
    assert!(id.starts_with("token_"), "{id}");
    let expected = json!({
        "token_id": id,
        "token_type": "Bearer",
        "expires_at": "2027-03-23T12:00:00Z",
        "user": {
            "id": user.text("id"),
            "email": EMAIL,
            "first_name": "Ada",
            "last_name": "",
            "tenant_id": "tenant_1",
        },
        "access_token": token,
    });
    assert_eq!(answer.json, expected);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn rotation_makes_a_second_token_and_revokes_only_the_first() {
    let server = Server::start().await;
    let old = server.user_token().await;
    let new = server.log_in(EMAIL, PASSWORD).await.text("access_token");
    server.with_key(Method::GET, "/v1/orders", &new).await.expect(200);
    let revoked = server.with_key(Method::DELETE, "/auth/token", &old).await.expect(200);
    assert_eq!(revoked.json, json!({ "message": "Token revoked successfully" }));
    server.with_key(Method::GET, "/v1/orders", &old).await.expect(401);
    server.with_key(Method::GET, "/v1/orders", &new).await.expect(200);
    let again = server.with_key(Method::DELETE, "/auth/token", &old).await.expect(401);
    assert_eq!(again.json["code"], "unauthorized");
    assert!(again.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn revocation_ignores_a_token_that_is_named_elsewhere() {
    let server = Server::start().await;
    let mine = server.user_token().await;
    let other = server.log_in(EMAIL, PASSWORD).await;
    let (other_id, other_token) = (other.text("token_id"), other.text("access_token"));
    let url = format!("{}/auth/token?token_id={other_id}", server.base);
    let request = server.http.delete(url).header("X-API-Key", &mine);
    server.send(request.json(&json!({ "token_id": other_id }))).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &other_token).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &mine).await.expect(401);
}

#[tokio::test]
async fn of_many_revocations_at_once_one_succeeds() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let all = (0..16).map(|_| server.with_key(Method::DELETE, "/auth/token", &token));
    let answers = futures_util::future::join_all(all).await;
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((done, refused), (1, 15));
}

#[tokio::test]
async fn token_is_refused_from_the_moment_of_its_expiry() {
    let server = Server::start().await;
    let token = server.user_token().await;
    server.clock.advance(Duration::from_hours(365 * 24) - Duration::from_millis(1));
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
    server.clock.advance(Duration::from_millis(1));
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
}

#[tokio::test]
async fn wrong_password_unknown_and_suspended_user_get_one_answer() {
    let server = Server::start().await;
    let id = server.create_user().await.text("id");
    let wrong = server.log_in(EMAIL, "wrong").await.expect(401);
    let unknown = server.log_in("nobody@example.com", PASSWORD).await.expect(401);
    server.admin(Method::POST, &format!("/v1/users/{id}/suspend"), json!(null)).await.expect(200);
    let suspended = server.log_in(EMAIL, PASSWORD).await.expect(401);
    assert_eq!(wrong.json, unknown.json);
    assert_eq!(wrong.json, suspended.json);
    let names = |answer: &crate::callers::Answer| -> Vec<String> {
        answer.headers.keys().map(ToString::to_string).collect()
    };
    assert_eq!(names(&wrong), names(&unknown));
    assert_eq!(names(&wrong), names(&suspended));
}

#[tokio::test]
async fn suspension_refuses_tokens_until_it_ends() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let path = |what: &str| format!("/v1/users/email:{EMAIL}/{what}");
    server.admin(Method::POST, &path("suspend"), json!(null)).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    server.admin(Method::POST, &path("resume"), json!(null)).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
}

#[tokio::test]
async fn faulty_login_is_told_which_field_and_changes_nothing() {
    let server = Server::start().await;
    server.create_user().await;
    let before = server.changes().await;
    let long = "p".repeat(1025);
    let cases = [
        (json!({}), vec![("email", "is required"), ("password", "is required")]),
        (json!({ "email": EMAIL }), vec![("password", "is required")]),
        (json!({ "email": "", "password": "x" }), vec![("email", "is required")]),
        (
            json!({ "email": EMAIL, "password": long }),
            vec![("password", "must have at most 1024 bytes")],
        ),
        (
            json!({ "email": "a".repeat(255), "password": "x" }),
            vec![("email", "must have at most 254 bytes")],
        ),
    ];
    for (body, expected) in cases {
        let answer =
            server.send(server.http.post(format!("{}/auth/token", server.base)).json(&body)).await;
        let answer = answer.expect(400);
        let details: Vec<_> = expected
            .iter()
            .map(|(field, reason)| json!({ "field": field, "reason": reason }))
            .collect();
        assert_eq!(answer.json["code"], "invalid_request");
        assert_eq!(answer.json["details"], json!(details));
    }
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn password_of_the_greatest_length_is_hashed_whole() {
    let server = Server::start().await;
    // 256 characters, 1024 bytes.
    let longest = "\u{1D11E}".repeat(256);
    let user = json!({ "email": EMAIL, "password": longest });
    server.admin(Method::POST, "/v1/users", user).await.expect(201);
    server.log_in(EMAIL, &longest).await.expect(200);
    server.log_in(EMAIL, &format!("{}\u{1D11F}", "\u{1D11E}".repeat(255))).await.expect(401);
}

#[tokio::test]
async fn other_methods_are_told_which_ones_there_are() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::PATCH] {
        let answer =
            server.send(server.http.request(method, format!("{}/auth/token", server.base))).await;
        let answer = answer.expect(405);
        assert_eq!(answer.header("allow"), "POST, DELETE");
        assert_eq!(answer.json["code"], "method_not_allowed");
    }
}

#[tokio::test]
async fn logins_beyond_the_limit_wait() {
    let server = Server::start_with(Wishes { logins_per_minute: 3, ..Wishes::default() }).await;
    server.create_user().await;
    for _ in 0..3 {
        server.log_in(EMAIL, PASSWORD).await.expect(200);
    }
    let limited = server.log_in(EMAIL, PASSWORD).await.expect(429);
    assert_eq!(limited.json["code"], "too_many_requests");
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
}

#[tokio::test]
async fn logins_beyond_the_queue_are_sent_away_and_the_rest_succeed() {
    let server = Server::start().await;
    server.create_user().await;
    let answers =
        futures_util::future::join_all((0..24).map(|_| server.log_in(EMAIL, PASSWORD))).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    let done = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(busy.len() + done, 24);
    assert!(done >= 6 && !busy.is_empty(), "{done} done, {} sent away", busy.len());
    assert!(busy.iter().all(|answer| answer.header("retry-after") == "1"));
}
