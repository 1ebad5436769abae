//! Users, partners and operators, as those who administer see them.

use crate::callers::{Answer, EMAIL, PASSWORD};
use crate::server::Server;
use reqwest::Method;
use rescind_core::{Actor, OwnerId};
use rescind_store::{IssuedBefore, OwnerUpdate};
use serde_json::{Value, json};
use std::time::Duration;

const NOTHING: Value = Value::Null;

impl Server {
    /// With an `Idempotency-Key`.
    async fn again(&self, token: &str, key: &str, path: &str, body: &Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.admin)).bearer_auth(token);
        self.send(request.header("Idempotency-Key", key).json(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.admin(Method::GET, path, NOTHING).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.admin(Method::PATCH, path, body).await
    }
}

#[tokio::test]
async fn user_is_found_by_id_and_by_address_in_any_case() {
    let server = Server::start().await;
    let made = server.create_user().await.expect(201);
    let id = made.text("id");
    let expected = json!({
        "id": id, "email": EMAIL, "first_name": "Ada", "last_name": "", "tenant_id": "tenant_1",
        "allowed_scopes": null, "allowed_networks": null, "suspended": false,
        "created_at": "2026-03-23T12:00:00.000Z",
    });
    assert_eq!(made.json, expected);
    for key in [id.as_str(), "email:ada@example.com", "email:ADA@Example.com"] {
        let shown = server.get(&format!("/v1/users/{key}")).await.expect(200);
        assert_eq!(shown.json, expected, "{key}");
    }
    for key in ["user_nobody", "email:nobody@example.com", "email:nothing", "email:", "a%20b"] {
        let answer = server.get(&format!("/v1/users/{key}")).await.expect(404);
        assert_eq!(answer.json["detail"], "There is no such user.", "{key}");
    }
    server.get("/v1/users/%ff").await.expect(400);
}

#[tokio::test]
async fn owner_of_one_class_is_nobody_among_the_others() {
    let server = Server::start().await;
    let user = server.create_user().await.text("id");
    let partner = server.admin(Method::POST, "/v1/partners", json!({ "subject": "s" })).await;
    let ids = [("users", user), ("partners", partner.text("id"))];
    let ids = [ids.as_slice(), &[("operators", "operator_all".to_owned())]].concat();
    for (class, id) in &ids {
        for (other, _) in &ids {
            let status = if class == other { 200 } else { 404 };
            server.get(&format!("/v1/{other}/{id}")).await.expect(status);
            let changed = server.patch(&format!("/v1/{other}/{id}"), json!({})).await;
            changed.expect(status);
        }
    }
}

#[tokio::test]
async fn patch_changes_what_it_names_and_null_takes_a_bound_away() {
    let server = Server::start().await;
    let path = format!("/v1/users/{}", server.create_user().await.text("id"));
    let bounds = json!({ "allowed_scopes": ["b", "a", "b"], "allowed_networks": ["192.0.2.7"] });
    let bound = server.patch(&path, bounds).await.expect(200);
    assert_eq!(bound.json["allowed_scopes"], json!(["a", "b"]));
    assert_eq!(bound.json["allowed_networks"], json!(["192.0.2.7/32"]));
    let named = server.patch(&path, json!({ "last_name": "Lovelace" })).await.expect(200);
    assert_eq!(named.json["first_name"], "Ada");
    assert_eq!(named.json["last_name"], "Lovelace");
    assert_eq!(named.json["allowed_scopes"], bound.json["allowed_scopes"]);
    let before = server.changes().await;
    assert_eq!(server.patch(&path, json!({})).await.expect(200).json, named.json);
    assert_eq!(server.changes().await, before, "nothing was changed, and nothing is said of it");
    let freed = server.patch(&path, json!({ "allowed_scopes": null })).await.expect(200);
    assert_eq!(freed.json["allowed_scopes"], NOTHING);
    assert_eq!(freed.json["allowed_networks"], bound.json["allowed_networks"]);
    for (fault, named) in [
        (json!({ "first_name": "a\n" }), "first_name"),
        (json!({ "first_name": "é".repeat(129) }), "first_name"),
        (json!({ "allowed_networks": ["10.0.0.1/8"] }), "allowed_networks"),
        (json!({ "allowed_scopes": ["a b"] }), "scopes"),
        (json!({ "email": "new@example.com" }), "expected"),
        (json!({ "suspended": true }), "expected"),
    ] {
        let answer = server.patch(&path, fault.clone()).await.expect(400);
        assert!(answer.text("detail").contains(named), "{fault}: {}", answer.json);
    }
    server.patch(&path, json!({ "first_name": "é".repeat(128) })).await.expect(200);
}

#[tokio::test]
async fn networks_of_a_user_hold_for_the_tokens_that_it_has() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let path = "/v1/users/email:ada@example.com";
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
    server.patch(path, json!({ "allowed_networks": ["192.0.2.0/24"] })).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    server.patch(path, json!({ "allowed_networks": ["127.0.0.0/8"] })).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &token).await.expect(200);
}

#[tokio::test]
async fn networks_of_an_operator_hold_on_the_admin_listener() {
    let server = Server::start().await;
    let token = server.operator("bound", &["read"]).await;
    let path = "/v1/operators/operator_bound";
    let status = || server.admin_as(&token, Method::GET, "/v1/status", NOTHING);
    status().await.expect(200);
    server.patch(path, json!({ "allowed_networks": ["192.0.2.0/24"] })).await.expect(200);
    status().await.expect(401);
    server.patch(path, json!({ "allowed_networks": ["127.0.0.1"] })).await.expect(200);
    status().await.expect(200);
}

#[tokio::test]
async fn operator_does_not_shut_itself_out() {
    let server = Server::start().await;
    let path = "/v1/operators/operator_all";
    for networks in [json!([]), json!(["192.0.2.0/24"])] {
        server.patch(path, json!({ "allowed_networks": networks })).await.expect(409);
    }
    server.patch(path, json!({ "allowed_networks": ["127.0.0.1"] })).await.expect(200);
    server.patch(path, json!({ "allowed_networks": null })).await.expect(200);
}

#[tokio::test]
async fn suspension_holds_until_it_is_ended() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let orders = || server.with_key(Method::GET, "/v1/orders", &token);
    let post = |path: &'static str| server.admin(Method::POST, path, NOTHING);
    let suspended = post("/v1/users/email:ada@example.com/suspend").await.expect(200);
    assert_eq!(suspended.json["suspended"], true);
    orders().await.expect(401);
    server.log_in(EMAIL, PASSWORD).await.expect(401);
    let resumed = post("/v1/users/email:ada@example.com/resume").await.expect(200);
    assert_eq!(resumed.json["suspended"], false);
    orders().await.expect(200);
    let operator = server.operator("o", &["read"]).await;
    assert_eq!(post("/v1/operators/operator_o/suspend").await.expect(200).json["suspended"], true);
    server.admin_as(&operator, Method::GET, "/v1/status", NOTHING).await.expect(401);
    post("/v1/operators/operator_o/resume").await.expect(200);
    server.admin_as(&operator, Method::GET, "/v1/status", NOTHING).await.expect(200);
}

#[tokio::test]
async fn new_password_ends_the_tokens_of_the_old_one_unless_told_otherwise() {
    let server = Server::start().await;
    let first = server.user_token().await;
    let path = "/v1/users/email:ada@example.com/password";
    let put = |body: Value| server.admin(Method::PUT, path, body);
    put(json!({ "password": "another one", "revoke_tokens": false })).await.expect(200);
    server.with_key(Method::GET, "/v1/orders", &first).await.expect(200);
    server.log_in(EMAIL, PASSWORD).await.expect(401);
    let second = server.log_in(EMAIL, "another one").await.expect(200).text("access_token");
    let changed = put(json!({ "password": "yet another" })).await.expect(200);
    assert!(changed.json.get("password").is_none());
    for token in [first, second] {
        server.with_key(Method::GET, "/v1/orders", &token).await.expect(401);
    }
    let third = server.log_in(EMAIL, "yet another").await.expect(200).text("access_token");
    server.with_key(Method::GET, "/v1/orders", &third).await.expect(200);
    for short_or_long in ["1234567".to_owned(), "é".repeat(257)] {
        put(json!({ "password": short_or_long })).await.expect(400);
    }
    put(json!({ "password": "é".repeat(256) })).await.expect(200);
    server.log_in(EMAIL, &"é".repeat(256)).await.expect(200);
    let audit = server.audit().await;
    assert!(!audit.iter().any(|row| row.entry.detail.contains("another")));
}

/// Checking the old one takes so long that the new one can be set, and answered, meanwhile.
#[tokio::test]
async fn login_under_way_with_the_old_password_is_refused_once_another_is_set() {
    let server = Server::start().await;
    let user = OwnerId::parse(&server.create_user().await.text("id")).unwrap();
    server.queries.take();
    let set = async {
        while !server.queries.take().contains(&"user_by_email") {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
        let update = OwnerUpdate {
            password_hash: Some("another's".into()),
            not_before: Some(IssuedBefore::ThisWrite),
            ..OwnerUpdate::default()
        };
        let by = server.services.by(Actor::system("test"));
        server.services.store.update_owner(user, update, by).await.unwrap();
    };
    let (answer, ()) = tokio::join!(server.log_in(EMAIL, PASSWORD), set);
    answer.expect(401);
    let left = server.get("/v1/tokens?kind=bearer").await.expect(200);
    assert_eq!(left.json["items"], json!([]));
}

#[tokio::test]
async fn partner_has_the_bounds_that_it_was_made_with() {
    let server = Server::start().await;
    let make = |over: Value| server.admin(Method::POST, "/v1/partners", over);
    let usual = make(json!({ "subject": "a" })).await.expect(201);
    assert_eq!(usual.json["allowed_scopes"], json!(["trading"]), "as configured");
    assert_eq!(usual.json["issuer"], crate::server::ISSUER);
    assert_eq!(usual.json["tenant_id"], NOTHING);
    assert_eq!(usual.json["token_management"], true);
    let free = make(json!({ "subject": "b", "allowed_scopes": null })).await.expect(201);
    assert_eq!(free.json["allowed_scopes"], NOTHING);
    let of_tenant = json!({ "subject": "c", "tenant_id": "tenant_9", "allowed_scopes": [] });
    let of_tenant = make(of_tenant).await.expect(201);
    assert_eq!(of_tenant.json["tenant_id"], "tenant_9");
    assert_eq!(of_tenant.json["allowed_scopes"], json!([]));
    make(json!({ "subject": "a" })).await.expect(409);
    make(json!({ "subject": "a", "issuer": "https://other.test" })).await.expect(201);
    let listed = server.get("/v1/partners?tenant_id=tenant_9").await.expect(200);
    assert_eq!(listed.json["items"], json!([of_tenant.json]));
    let named = server.get("/v1/partners?subject=a").await.expect(200);
    assert_eq!(named.json["items"], json!([usual.json]));
    let elsewhere = server.get("/v1/partners?subject=a&tenant_id=tenant_9").await.expect(200);
    assert_eq!(elsewhere.json["items"], json!([]));
    server.get("/v1/partners?issuer=x").await.expect(400);
}

#[tokio::test]
async fn longest_texts_of_a_partner_are_taken_and_one_more_character_is_not() {
    let server = Server::start().await;
    let lengths = [("subject", 256), ("issuer", 256), ("account", 128), ("tenant_id", 64)];
    for (number, (field, most)) in lengths.into_iter().enumerate() {
        let letter = if field == "tenant_id" { "t" } else { "é" };
        for (length, status) in [(most, 201), (most + 1, 400)] {
            let mut new = json!({ "subject": format!("s{number}") });
            new[field] = json!(letter.repeat(length));
            let answer = server.admin(Method::POST, "/v1/partners", new).await.expect(status);
            assert!(status == 201 || answer.text("detail").contains(field), "{}", answer.json);
        }
    }
    for field in ["subject", "issuer"] {
        let mut new = json!({ "subject": "s" });
        new[field] = json!("");
        server.admin(Method::POST, "/v1/partners", new).await.expect(400);
    }
}

#[tokio::test]
async fn last_one_who_can_administer_stays() {
    let server = Server::start().await;
    let post = |path: &'static str| server.admin(Method::POST, path, NOTHING);
    let refused = post("/v1/operators/operator_all/suspend").await.expect(409);
    assert_eq!(refused.json["type"], "urn:rescind:problem:last-admin");
    let second = server.operator("second", &["admin"]).await;
    post("/v1/operators/operator_all/suspend").await.expect(200);
    server.get("/v1/whoami").await.expect(401);
    let suspend = "/v1/operators/operator_second/suspend";
    server.admin_as(&second, Method::POST, suspend, NOTHING).await.expect(409);
}

#[tokio::test]
async fn lists_of_owners_come_in_pages_without_gap_or_repetition() {
    let server = Server::start().await;
    let mut made = Vec::new();
    for number in 0..7 {
        let new = json!({ "name": format!("o{number}"), "tenant_id": "tenant_1" });
        made.push(server.admin(Method::POST, "/v1/operators", new).await.expect(201).text("id"));
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/operators?tenant_id=tenant_1&limit=3{after}");
        let page = server.get(&path).await.expect(200);
        let items = page.json["items"].as_array().unwrap();
        assert!((1..=3).contains(&items.len()));
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page.json["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made);
    for fault in ["limit=0", "limit=1001", "after=a/b", "tenant_id=a/b", "tenant_id=", "x=1"] {
        server.get(&format!("/v1/operators?{fault}")).await.expect(400);
    }
}

#[tokio::test]
async fn repeated_creation_makes_nothing_twice() {
    let server = Server::start().await;
    let token = server.admin_token.clone();
    let user = json!({ "email": EMAIL, "password": PASSWORD });
    let cases = [
        ("/v1/users", user, json!({ "email": "b@example.com", "password": PASSWORD })),
        ("/v1/partners", json!({ "subject": "a" }), json!({ "subject": "b" })),
        ("/v1/operators", json!({ "name": "a" }), json!({ "name": "b" })),
    ];
    for (path, body, other) in cases {
        let first = server.again(&token, "k1", path, &body).await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        let before = server.changes().await;
        let second = server.again(&token, "k1", path, &body).await.expect(201);
        assert_eq!(second.header("idempotency-replayed"), "true");
        assert_eq!(second.json, first.json);
        let reused = server.again(&token, "k1", path, &other).await.expect(422);
        assert_eq!(reused.json["type"], "urn:rescind:problem:idempotency-key-reused");
        assert_eq!(server.changes().await, before);
        assert_eq!(server.again(&token, "k2", path, &other).await.expect(201).header("x"), "");
        assert!(server.changes().await > before);
    }
}

#[tokio::test]
async fn repetition_shows_the_thing_as_it_is_now_and_ends_after_a_day() {
    let server = Server::start().await;
    let token = server.admin_token.clone();
    let body = json!({ "name": "a" });
    let id = server.again(&token, "k", "/v1/operators", &body).await.expect(201).text("id");
    let suspend = format!("/v1/operators/{id}/suspend");
    server.admin(Method::POST, &suspend, NOTHING).await.expect(200);
    let again = server.again(&token, "k", "/v1/operators", &body).await.expect(201);
    assert_eq!((again.text("id"), &again.json["suspended"]), (id.clone(), &json!(true)));
    server.clock.advance(std::time::Duration::from_hours(25));
    assert_ne!(server.again(&token, "k", "/v1/operators", &body).await.text("id"), id);
}

#[tokio::test]
async fn key_is_the_callers_own_and_must_be_readable() {
    let server = Server::start().await;
    let other = server.operator("other", &["admin"]).await;
    let token = server.admin_token.clone();
    let body = json!({ "name": "a" });
    let mine = server.again(&token, "k", "/v1/operators", &body).await.expect(201).text("id");
    let theirs = server.again(&other, "k", "/v1/operators", &body).await.expect(201).text("id");
    assert_ne!(mine, theirs);
    let before = server.changes().await;
    for key in ["", "a b", &"k".repeat(256), "\u{e9}"] {
        server.again(&token, key, "/v1/operators", &body).await.expect(400);
    }
    let twice = server.http.post(format!("{}/v1/operators", server.admin)).bearer_auth(&token);
    let twice = twice.header("Idempotency-Key", "a").header("Idempotency-Key", "b").json(&body);
    server.send(twice).await.expect(400);
    assert_eq!(server.changes().await, before);
    server.again(&token, &"k".repeat(255), "/v1/operators", &body).await.expect(201);
}

/// Whoever holds the key and not the password must not find out by asking again.
#[tokio::test]
async fn repetition_tells_nothing_about_the_password() {
    let server = Server::start().await;
    let token = server.admin_token.clone();
    let ask = async |password: &str| {
        let body = json!({ "email": EMAIL, "password": password });
        server.again(&token, "k", "/v1/users", &body).await
    };
    let first = ask(PASSWORD).await.expect(201);
    for password in [PASSWORD, "a guess that is wrong"] {
        let again = ask(password).await.expect(201);
        assert_eq!(again.json, first.json);
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
    server.log_in(EMAIL, PASSWORD).await.expect(200);
    server.log_in(EMAIL, "a guess that is wrong").await.expect(401);
}

#[tokio::test]
async fn whoami_and_status_say_who_asks_and_how_it_is() {
    let server = Server::start().await;
    let token = server.operator("nobody", &[]).await;
    let answer = server.admin_as(&token, Method::GET, "/v1/whoami", NOTHING).await.expect(200);
    assert_eq!(answer.json["owner_id"], "operator_nobody");
    assert_eq!(answer.json["name"], "nobody");
    assert_eq!(answer.json["scopes"], json!([]));
    assert_eq!(answer.json["tenant_id"], NOTHING);
    assert!(answer.text("token_id").starts_with("admin_"));
    let status = server.get("/v1/status").await.expect(200);
    assert_eq!(status.json["active_tokens"], 2);
    assert_eq!(status.json["owners"], 2);
    assert_eq!(status.json["sealed"], false);
}
