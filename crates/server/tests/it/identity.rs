//! Identity tokens: which are taken, and which are not.

use crate::server::{AUDIENCE, ISSUER, Server, TestIssuer, Wishes};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use rescind_guard::Clock;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/auth/api-tokens/capabilities";

async fn status(server: &Server, token: &str) -> u16 {
    server.with_identity(Method::GET, PATH, token, Value::Null).await.status.as_u16()
}

#[tokio::test]
async fn every_required_claim_is_required_and_right() {
    let server = Server::start().await;
    let now = server.clock.now();
    let seconds = now.as_millis() / 1_000;
    let cases = [
        (json!({}), 200),
        (json!({ "aud": [AUDIENCE, "another"] }), 200),
        (json!({ "exp": seconds }), 401),
        (json!({ "exp": seconds + 1 }), 200),
        (json!({ "exp": null }), 401),
        (json!({ "aud": "another" }), 401),
        (json!({ "aud": null }), 401),
        (json!({ "iss": "https://another.test" }), 401),
        (json!({ "iss": null }), 401),
        (json!({ "sub": null }), 401),
        (json!({ "sub": "" }), 401),
        (json!({ "sub": "s".repeat(256) }), 200),
        (json!({ "sub": "s".repeat(257) }), 401),
        (json!({ "nbf": seconds + 30 }), 200),
        (json!({ "nbf": seconds + 31 }), 401),
        (json!({ "iat": seconds + 31 }), 401),
        (json!({ "exp": i64::MAX }), 200),
        (json!({ "exp": "soon" }), 401),
    ];
    for (over, expected) in cases {
        let token = server.issuer.sign("did:x:1", now, over.clone());
        assert_eq!(status(&server, &token).await, expected, "{over}");
    }
}

#[tokio::test]
async fn token_by_another_key_or_algorithm_is_refused() {
    let server = Server::start().await;
    let now = server.clock.now();
    let good = server.issuer.sign("did:x:1", now, json!({}));
    let forged = TestIssuer::new().sign("did:x:1", now, json!({}));
    assert_eq!(status(&server, &forged).await, 401);
    let claims = good.split('.').nth(1).unwrap();
    let header = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let unsigned = format!("{}.{claims}.", header(json!({ "alg": "none" })));
    assert_eq!(status(&server, &unsigned).await, 401);
    // The public key as an HMAC secret: what a verifier that trusts `alg` would take.
    let public = server.issuer.jwks();
    let key = jsonwebtoken::EncodingKey::from_secret(public.as_bytes());
    let mut hs256 = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    hs256.kid = Some("k1".into());
    let claims =
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "did:x:1", "exp": now.as_millis() });
    let confused = jsonwebtoken::encode(&hs256, &claims, &key).unwrap();
    assert_eq!(status(&server, &confused).await, 401);
    let claims =
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "did:x:1", "exp": now.as_millis() });
    assert_eq!(status(&server, &server.issuer.sign_critical(&claims)).await, 401);
    let signature = good.rsplit('.').next().unwrap();
    let changed = good.replace(signature, &signature.chars().rev().collect::<String>());
    assert_eq!(status(&server, &changed).await, 401);
}

#[tokio::test]
async fn unreadable_identity_is_refused() {
    let server = Server::start().await;
    let long = "a".repeat(8 * 1024 + 1);
    for token in ["", "a", "a.b", "a.b.c", "..", "a.b.c.d", &long] {
        assert_eq!(status(&server, token).await, 401, "{:.20}", token);
    }
    let url = format!("{}{PATH}", server.base);
    let good = server.identity("did:x:1");
    for value in [good.clone(), format!("Basic {good}"), String::new()] {
        server.send(server.http.get(&url).header("identity", value)).await.expect(401);
    }
    let twice = server.http.get(&url).header("identity", format!("Bearer {good}"));
    server.send(twice.header("identity", format!("Bearer {good}"))).await.expect(401);
}

#[tokio::test]
async fn suspended_partner_is_nobody() {
    let server = Server::start().await;
    let signer = server.derive("did:x:1").await;
    let partners = server.admin(Method::GET, "/v1/partners?subject=did:x:1", Value::Null).await;
    let path = format!("/v1/partners/{}", partners.json["items"][0]["id"].as_str().unwrap());
    server.admin(Method::PATCH, &path, json!({ "suspended": true })).await.expect(200);
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 401);
    server.signed(&signer, Method::GET, "/trading", "").await.expect(401);
}

/// An issuer's web server that can be told what to answer.
struct KeyServer {
    url: String,
    answer: tokio::sync::watch::Sender<(u16, String)>,
    asked: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl KeyServer {
    async fn start(first: (u16, String)) -> Self {
        let (answer, told) = tokio::sync::watch::channel(first);
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&asked);
        let handler = move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let (status, body) = told.borrow().clone();
            let location = [("location", "http://127.0.0.1:1/elsewhere")];
            async move { (http::StatusCode::from_u16(status).unwrap(), location, body) }
        };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", socket.local_addr().unwrap());
        tokio::spawn(
            async move { axum::serve(socket, axum::Router::new().fallback(handler)).await },
        );
        Self { url, answer, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[tokio::test]
async fn keys_from_a_url_are_fetched_once_and_again_for_a_new_key_but_not_often() {
    let keys = KeyServer::start((500, String::new())).await;
    let wishes = Wishes { jwks_url: Some(keys.url.clone()), ..Wishes::default() };
    let server = Server::start_with(wishes).await;
    // An issuer that cannot be asked is an outage, not a bad token.
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 503);
    assert_eq!(keys.asked(), 1);
    let _ = keys.answer.send((200, server.issuer.jwks()));
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 503, "asked again too soon");
    assert_eq!(keys.asked(), 1);
    server.clock.advance(Duration::from_secs(30));
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 200);
    for _ in 0..5 {
        assert_eq!(status(&server, &server.identity("did:x:1")).await, 200);
    }
    assert_eq!(keys.asked(), 2);
    let now = server.clock.now();
    let claims =
        json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "s", "exp": now.as_millis() / 1_000 + 60 });
    for _ in 0..5 {
        let unknown = server.issuer.sign_claims(&claims, "k2");
        assert_eq!(status(&server, &unknown).await, 401);
    }
    assert_eq!(keys.asked(), 2, "anybody can send unknown key ids");
    let _ = keys.answer.send((500, String::new()));
    server.clock.advance(Duration::from_secs(31));
    assert_eq!(status(&server, &server.issuer.sign_claims(&claims, "k2")).await, 401);
    assert_eq!(keys.asked(), 3);
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 200, "the last good keys stay");
}

#[tokio::test]
async fn issuer_that_withdraws_its_keys_is_believed_and_one_that_is_silent_not_for_ever() {
    let keys = KeyServer::start((200, String::new())).await;
    let wishes = Wishes { jwks_url: Some(keys.url.clone()), ..Wishes::default() };
    let server = Server::start_with(wishes).await;
    let _ = keys.answer.send((200, server.issuer.jwks()));
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 200);
    let _ = keys.answer.send((500, String::new()));
    server.services.identity.refresh().await;
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 200);
    server.clock.advance(Duration::from_hours(24) + Duration::from_millis(1));
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 503, "silent for a day");
    let _ = keys.answer.send((200, server.issuer.jwks()));
    server.services.identity.refresh().await;
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 200);
    let _ = keys.answer.send((200, r#"{"keys":[]}"#.into()));
    server.services.identity.refresh().await;
    assert_eq!(status(&server, &server.identity("did:x:1")).await, 503, "withdrawn");
}

#[tokio::test]
async fn key_set_that_is_redirected_huge_or_unusable_is_not_taken() {
    let rsa =
        json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "k1" }] }).to_string();
    let padded = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(64 * 1024));
    for answer in [(302, String::new()), (200, padded), (200, "{}".into()), (200, rsa)] {
        let keys = KeyServer::start(answer).await;
        let wishes = Wishes { jwks_url: Some(keys.url.clone()), ..Wishes::default() };
        let server = Server::start_with(wishes).await;
        assert_eq!(status(&server, &server.identity("did:x:1")).await, 503);
        assert_eq!(keys.asked(), 1);
    }
}
