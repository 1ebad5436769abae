//! Introspection and revocation as OAuth's clients speak them.

use crate::callers::{Answer, EMAIL, PASSWORD};
use crate::server::Server;
use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, RequestBuilder};
use rescind_core::{Actor, NetworkSet, OwnerId, Plain, ScopeSet, TokenId, TokenKind};
use rescind_store::{Follower, Material, NewToken, OwnerUpdate};
use serde_json::{Value, json};
use std::time::Duration;

type Parameters<'a> = &'a [(&'a str, &'a str)];

fn post(server: &Server, endpoint: &str, form: Parameters<'_>) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = server.http.post(format!("{}/v1/{endpoint}", server.verify));
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

async fn introspect(server: &Server, form: Parameters<'_>) -> Answer {
    server.send(post(server, "introspect", form).bearer_auth(&server.admin_token)).await
}

async fn revoke(server: &Server, form: Parameters<'_>) -> Answer {
    server.send(post(server, "revoke", form)).await
}

#[track_caller]
fn expect_error(answer: Answer, status: u16, error: &str) -> Answer {
    let answer = answer.expect(status);
    assert_eq!(answer.json["error"], error);
    assert!(answer.json["error_description"].is_string());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[tokio::test]
async fn active_token_is_told_in_the_registered_names_and_whole_seconds() {
    let server = Server::start().await;
    server.clock.advance(Duration::from_millis(999));
    let owner = server.create_user().await.text("id");
    let new = json!({ "owner_id": owner, "kind": "bearer", "scopes": ["b", "a"], "expires_in_seconds": 60 });
    let made = server.admin(Method::POST, "/v1/tokens", new).await.expect(201);
    let answer = introspect(&server, &[("token", &made.text("token"))]).await.expect(200);
    let expected = json!({
        "active": true, "scope": "a b", "client_id": owner, "username": EMAIL,
        "token_type": "Bearer", "exp": 1_774_267_260, "iat": 1_774_267_200, "sub": owner,
        "jti": made.text("id"),
    });
    assert_eq!(answer.json, expected);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn what_a_token_does_not_have_is_left_out() {
    let server = Server::start().await;
    let partner = json!({ "subject": "did:x:1", "allowed_scopes": [] });
    let owner = server.admin(Method::POST, "/v1/partners", partner).await.expect(201).text("id");
    let new = json!({ "owner_id": owner, "kind": "api_key" });
    let made = server.admin(Method::POST, "/v1/tokens", new).await.expect(201);
    let answer = introspect(&server, &[("token", &made.text("token"))]).await.expect(200);
    let expected = json!({
        "active": true, "client_id": owner, "token_type": "Bearer", "iat": 1_774_267_200,
        "sub": owner, "jti": made.text("id"),
    });
    assert_eq!(answer.json, expected);
}

#[tokio::test]
async fn every_other_token_is_inactive_and_nothing_more_is_said() {
    let server = Server::start().await;
    let owner = server.create_user().await.text("id");
    let new =
        |seconds| json!({ "owner_id": owner, "kind": "bearer", "expires_in_seconds": seconds });
    let short = server.admin(Method::POST, "/v1/tokens", new(60)).await.text("token");
    let revoked = server.admin(Method::POST, "/v1/tokens", new(600)).await;
    let path = format!("/v1/tokens/{}/revoke", revoked.text("id"));
    server.admin(Method::POST, &path, json!({})).await.expect(200);
    let long = server.admin(Method::POST, "/v1/tokens", new(600)).await.text("token");
    server.clock.advance(Duration::from_secs(60));
    let mut mistyped = long.clone();
    mistyped.pop();
    let (revoked, signer) = (revoked.text("token"), server.derive("did:x:1").await.id);
    let operator = server.admin_token.clone();
    for token in [&short, &revoked, &mistyped, &signer, &operator, "x", "a b", "\u{fc}\0"] {
        let answer = introspect(&server, &[("token", token)]).await.expect(200);
        assert_eq!(answer.json, inactive(), "{token}");
    }
    assert_eq!(introspect(&server, &[("token", &"x".repeat(513))]).await.json, inactive());
    assert_eq!(introspect(&server, &[("token", &long)]).await.json["active"], true);
    server
        .admin(Method::POST, &format!("/v1/users/{owner}/suspend"), Value::Null)
        .await
        .expect(200);
    assert_eq!(introspect(&server, &[("token", &long)]).await.json, inactive());
}

#[tokio::test]
async fn token_that_is_bound_to_networks_is_active_only_from_there() {
    let server = Server::start().await;
    let token = server.token_within(NetworkSet::parse(["192.0.2.0/24"]).unwrap()).await;
    let from = |address| [("token", token.as_str()), ("client_address", address)];
    assert_eq!(introspect(&server, &from("192.0.2.7")).await.expect(200).json["active"], true);
    assert_eq!(introspect(&server, &from("192.0.3.7")).await.expect(200).json, inactive());
    assert_eq!(introspect(&server, &[("token", &token)]).await.expect(200).json, inactive());
    expect_error(introspect(&server, &from("here")).await, 400, "invalid_request");
}

#[tokio::test]
async fn caller_may_show_its_token_in_every_way_that_clients_know() {
    let server = Server::start().await;
    let reader = server.operator("reader", &["read"]).await;
    let encoded: String = reader.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let basic = |pair: String| format!("Basic {}", STANDARD.encode(pair));
    for value in [
        format!("Bearer {reader}"),
        format!("bearer {reader}"),
        basic(format!("any name:{reader}")),
        basic(format!(":{reader}")),
        basic(format!("a%3Ab:{encoded}")),
    ] {
        let request = post(&server, "introspect", &[("token", "x"), ("client_id", "any")]);
        let answer = server.send(request.header("authorization", &value)).await;
        assert_eq!(answer.expect(200).json, inactive(), "{value}");
    }
    let in_form = [("token", "x"), ("client_id", "any"), ("client_secret", &reader)];
    let answer = server.send(post(&server, "introspect", &in_form)).await;
    assert_eq!(answer.expect(200).json, inactive());
}

#[tokio::test]
async fn nobody_else_may_introspect() {
    let server = Server::start().await;
    let user = server.user_token().await;
    let ask = |value: Option<String>, form: &[(&str, &str)]| {
        let request = post(&server, "introspect", form);
        server.send(match value {
            Some(value) => request.header("authorization", value),
            None => request,
        })
    };
    let form = [("token", user.as_str())];
    let none = expect_error(ask(None, &form).await, 401, "invalid_client");
    let challenges: Vec<_> = none.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, [r#"Basic realm="rescind-admin""#, r#"Bearer realm="rescind-admin""#]);
    for secret in [user.as_str(), "nonsense", "a b", ""] {
        let basic = format!("Basic {}", STANDARD.encode(format!("name:{secret}")));
        let refused = expect_error(ask(Some(basic), &form).await, 401, "invalid_client");
        assert_eq!(refused.header("www-authenticate"), r#"Basic realm="rescind-admin""#);
        let in_form = [form[0], ("client_secret", secret)];
        expect_error(ask(None, &in_form).await, 401, "invalid_client");
    }
    let bearer =
        expect_error(ask(Some(format!("Bearer {user}")), &form).await, 401, "invalid_token");
    assert!(bearer.header("www-authenticate").contains(r#"error="invalid_token""#));
    for odd in ["Bearer", "Bearer a b", "Digest x", "Basic", "Basic !", "Basic bm9jb2xvbg=="] {
        ask(Some(odd.into()), &form).await.expect(401);
    }
    let writer = server.operator("writer", &["admin", "audit", "issue", "revoke"]).await;
    let forbidden = ask(Some(format!("Bearer {writer}")), &form).await;
    let forbidden = expect_error(forbidden, 403, "insufficient_scope");
    assert!(forbidden.header("www-authenticate").contains(r#"scope="read""#));
}

/// Two ways at once are two callers.
#[tokio::test]
async fn caller_that_shows_its_token_in_two_ways_is_refused() {
    let server = Server::start().await;
    let token = server.admin_token.clone();
    let form = [("token", "x"), ("client_secret", token.as_str())];
    let both = post(&server, "introspect", &form).bearer_auth(&token);
    expect_error(server.send(both).await, 400, "invalid_request");
    let twice = post(&server, "introspect", &[("token", "x")]).bearer_auth(&token);
    expect_error(server.send(twice.bearer_auth(&token)).await, 400, "invalid_request");
}

#[tokio::test]
async fn operator_of_one_tenant_learns_nothing_of_another_tenants_token() {
    let server = Server::start().await;
    let token = server.user_token().await;
    for (tenant, sees) in [("tenant_1", true), ("tenant_2", false)] {
        let operator = server.operator_of(tenant, &["read"]).await;
        let request = post(&server, "introspect", &[("token", &token)]).bearer_auth(operator);
        let answer = server.send(request).await.expect(200);
        assert_eq!(answer.json["active"], sees, "{tenant}");
        assert!(sees || answer.json == inactive());
    }
}

#[tokio::test]
async fn form_that_cannot_be_read_is_an_invalid_request() {
    let server = Server::start().await;
    let token = server.user_token().await;
    for endpoint in ["introspect", "revoke"] {
        let url = format!("{}/v1/{endpoint}", server.verify);
        let send = |media_type: &str, body: String| {
            let request = server.http.post(&url).bearer_auth(&server.admin_token);
            server.send(request.header("content-type", media_type).body(body))
        };
        let form = "application/x-www-form-urlencoded";
        for body in [
            String::new(),
            "token=".into(),
            "tok=x".into(),
            format!("token={token}&token={token}"),
            format!("token={token}&x=1&x=2"),
        ] {
            expect_error(send(form, body).await, 400, "invalid_request");
        }
        let json = json!({ "token": token }).to_string();
        expect_error(send("application/json", json).await, 415, "invalid_request");
        expect_error(send(form, "t".repeat(65 * 1_024)).await, 413, "invalid_request");
        send(&format!("{form}; charset=UTF-8"), "token=x&unknown=1".into()).await.expect(200);
        let get = server.send(server.http.get(format!("{url}?token={token}"))).await;
        assert_eq!(get.expect(405).header("allow"), "POST");
    }
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
}

#[tokio::test]
async fn token_is_revoked_by_whoever_holds_it_once_it_is_answered() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let other = server.log_in(EMAIL, PASSWORD).await.text("access_token");
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
    let before = server.changes().await;
    let answer = revoke(&server, &[("token", &token)]).await.expect(200);
    assert_eq!((answer.header("content-length"), &answer.json), ("0", &Value::Null));
    assert_eq!(answer.header("cache-control"), "no-store");
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    server.with_key(Method::GET, "/v1/orders", &other).await.expect(200);
    assert_eq!(server.changes().await, before + 1);
    let last = server.audit().await.pop().unwrap();
    assert_eq!(last.entry.action, "token.revoked");
    assert_eq!(last.entry.actor.as_str(), format!("token:{}", last.entry.subject));
}

#[tokio::test]
async fn revoking_again_or_what_nobody_knows_is_the_same_200_and_changes_nothing() {
    let server = Server::start().await;
    let token = server.user_token().await;
    revoke(&server, &[("token", &token)]).await.expect(200);
    let before = server.changes().await;
    for token in [token.as_str(), "somebody-elses", "a b", "\u{fc}", &"x".repeat(513)] {
        let answer = revoke(&server, &[("token", token)]).await.expect(200);
        assert_eq!((answer.header("content-length"), &answer.json), ("0", &Value::Null));
    }
    assert_eq!(server.changes().await, before);
}

#[tokio::test]
async fn hint_and_client_credentials_make_no_difference_to_a_revocation() {
    let server = Server::start().await;
    server.create_user().await;
    for hint in ["access_token", "refresh_token", "urn:other"] {
        let token = server.log_in(EMAIL, PASSWORD).await.text("access_token");
        let form = [("token", token.as_str()), ("token_type_hint", hint), ("client_id", "any")];
        let request = post(&server, "revoke", &form).basic_auth("any", Some("nonsense"));
        server.send(request).await.expect(200);
        server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    }
}

#[tokio::test]
async fn token_of_a_suspended_owner_does_not_come_back_with_it() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let id = server
        .send(post(&server, "introspect", &[("token", &token)]).bearer_auth(&server.admin_token))
        .await;
    let owner = OwnerId::parse(&id.text("sub")).unwrap();
    let suspend = |suspended| OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() };
    let by = || server.services.by(Actor::system("test"));
    let store = &server.services.store;
    store.update_owner(owner.clone(), suspend(true), by()).await.unwrap();
    revoke(&server, &[("token", &token)]).await.expect(200);
    store.update_owner(owner, suspend(false), by()).await.unwrap();
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
}

/// An expired token would come back if a clock were set back.
#[tokio::test]
async fn expired_token_is_revoked_too() {
    let server = Server::start().await;
    let owner = server.create_user().await.text("id");
    let new = json!({ "owner_id": owner, "kind": "bearer", "expires_in_seconds": 60 });
    let made = server.admin(Method::POST, "/v1/tokens", new).await.expect(201);
    server.clock.advance(Duration::from_secs(61));
    revoke(&server, &[("token", &made.text("token"))]).await.expect(200);
    let path = format!("/v1/tokens/{}", made.text("id"));
    let shown = server.admin(Method::GET, &path, Value::Null).await.expect(200);
    assert_eq!(shown.json["state"], "revoked");
}

#[tokio::test]
async fn operators_token_is_revoked_on_the_admin_listener_only() {
    let server = Server::start().await;
    let before = server.changes().await;
    let refused = revoke(&server, &[("token", &server.admin_token)]).await;
    expect_error(refused, 400, "unsupported_token_type");
    assert_eq!(server.changes().await, before);
    server.admin(Method::GET, "/v1/status", Value::Null).await.expect(200);
}

#[tokio::test]
async fn sealed_node_asks_to_be_asked_again() {
    let server = Server::start().await;
    let token = server.user_token().await;
    server.services.guard.seal();
    let answer = introspect(&server, &[("token", &token)]).await;
    let answer = expect_error(answer, 503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "2");
}

impl Server {
    /// A user's token that may be used only from these networks.
    pub async fn token_within(&self, networks: NetworkSet) -> String {
        let owner = OwnerId::parse(&self.create_user().await.text("id")).unwrap();
        let plain = Plain::random(&self.services.settings.bearer_prefix, &mut rand::rng());
        let token = NewToken {
            id: TokenId::random("token_", &mut rand::rng()),
            owner,
            kind: TokenKind::Bearer,
            label: None,
            scopes: ScopeSet::default(),
            expires_at: None,
            allowed_networks: Some(networks),
            material: Material::Digest(plain.digest()),
            issued_at: None,
            idempotency: None,
        };
        let by = self.services.by(Actor::system("test"));
        self.services.store.issue(token, by).await.unwrap();
        plain.expose().to_owned()
    }
}
