//! Bearer tokens: who passes, who does not, and what the service is told.

use crate::wire::{ask, get, post};
use crate::world::{World, authorization, echo, listen, scopes};
use rescind_tower::{NewToken, OwnerUpdate, TenantId};
use std::time::Duration;

#[tokio::test]
async fn service_is_told_who_asks() {
    let world = World::open().await;
    let issued = world.bearer(&["orders:read", "orders:write"]).await;
    let answer = ask(world.address, post("/a%20b?c", &authorization(&issued), "tea")).await;
    assert_eq!(answer.status, 200);
    let told = answer.json();
    assert_eq!(told["owner"], world.ada.id.as_str());
    assert_eq!(told["name"], "ada");
    assert_eq!(told["token"], issued.record.id.as_str());
    assert_eq!(told["kind"], "api_key");
    assert_eq!(told["scopes"], serde_json::json!(["orders:read", "orders:write"]));
    assert_eq!(told["tenant"], serde_json::Value::Null);
    assert_eq!((&told["proof"], &told["body"]), (&"unsigned".into(), &"tea".into()));
    assert!(!told["debug"].as_str().unwrap().contains(issued.secret.expose()), "{told}");
    let api_key = format!("X-API-Key: {}\r\n", issued.secret.expose());
    assert_eq!(ask(world.address, get("/", &api_key)).await.status, 200);
}

#[tokio::test]
async fn tenant_of_an_owner_is_told() {
    let world = World::open().await;
    let tenant = TenantId::parse("acme").unwrap();
    let eve = world.tokens.owner_of_tenant("eve", &tenant).await.unwrap();
    let issued = world.tokens.issue(NewToken::bearer(&eve.id)).await.unwrap();
    let answer = ask(world.address, get("/", &authorization(&issued))).await;
    assert_eq!(answer.json()["tenant"], "acme");
}

#[tokio::test]
async fn request_without_a_credential_is_asked_for_one() {
    let world = World::open().await;
    let answer = ask(world.address, get("/", "")).await;
    assert_eq!(answer.status, 401);
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    assert!(answer.head.contains(r#"www-authenticate: bearer realm="rescind""#));
    assert!(answer.head.contains("rescind-signature"), "the other scheme is not told");
    assert!(answer.head.contains("cache-control: no-store"));
    assert_eq!(answer.json()["type"], "urn:rescind:problem:unauthorized");
    assert_eq!(answer.json()["status"], 401);
}

#[tokio::test]
async fn tokens_that_do_not_hold_are_told_alike() {
    let world = World::open().await;
    let expired = NewToken::bearer(&world.ada.id).expires_in(Duration::from_millis(1));
    let expired = world.tokens.issue(expired).await.unwrap();
    let revoked = world.bearer(&[]).await;
    world.tokens.revoke(&revoked.record.id).await.unwrap();
    let unknown = "Authorization: Bearer rsc_nobodysnobodysnobodysnobodys123456\r\n".to_string();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let mut bodies = Vec::new();
    for headers in [authorization(&expired), authorization(&revoked), unknown] {
        let answer = ask(world.address, get("/", &headers)).await;
        assert_eq!(answer.status, 401);
        bodies.push(answer.body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
}

#[tokio::test]
async fn each_layer_asks_for_its_own_scopes() {
    let world = World::with(|layer| layer.require(scopes(&["a", "b"]))).await;
    let answer = async |names: &[&str]| {
        let issued = world.bearer(names).await;
        ask(world.address, get("/", &authorization(&issued))).await
    };
    assert_eq!(answer(&["a", "b", "c"]).await.status, 200);
    let refused = answer(&["a"]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.head.contains(r#"error="insufficient_scope", scope="a b""#));
    assert_eq!(answer(&[]).await.status, 403);
    let other = listen(echo().layer(world.tokens.layer().require(scopes(&["c"])))).await;
    let c = world.bearer(&["c"]).await;
    assert_eq!(ask(other, get("/", &authorization(&c))).await.status, 200);
    assert_eq!(ask(world.address, get("/", &authorization(&c))).await.status, 403);
}

/// A router in layers asks twice; what the outer one has read is there for the inner one.
#[tokio::test]
async fn layers_in_layers_all_have_their_say() {
    let world = World::serving(
        |builder| builder,
        |tokens| {
            let inner = tokens.layer().require(scopes(&["b"]));
            echo().layer(inner).layer(tokens.layer().require(scopes(&["a"])))
        },
    )
    .await;
    for (names, status) in [(&["a", "b"][..], 200), (&["a"], 403), (&["b"], 403)] {
        let issued = world.bearer(names).await;
        assert_eq!(ask(world.address, get("/", &authorization(&issued))).await.status, status);
    }
    let none = ask(world.address, get("/", "")).await;
    assert_eq!(none.status, 401);
}

#[tokio::test]
async fn of_two_credentials_none_is_believed() {
    let world = World::open().await;
    let issued = world.bearer(&[]).await;
    let (one, text) = (authorization(&issued), issued.secret.expose());
    let signed = world.signer().await.sign("GET", "/", "");
    for headers in [
        format!("{one}{one}"),
        format!("{one}X-API-Key: {text}\r\n"),
        format!("X-API-Key: {text}\r\nX-API-Key: {text}\r\n"),
        format!("{one}{signed}"),
    ] {
        let answer = ask(world.address, get("/", &headers)).await;
        assert_eq!(answer.status, 400, "{headers}");
    }
}

#[tokio::test]
async fn target_that_means_two_things_is_refused() {
    let world = World::open().await;
    let one = authorization(&world.bearer(&[]).await);
    for target in ["//a", "/a/../b", "/a/%2e%2e/b", "/a%2fb", "/a;b", "/a%5cb", "http://x/a"] {
        let answer = ask(world.address, get(target, &one)).await;
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!(answer.json()["type"], "urn:rescind:problem:invalid-request");
    }
    assert_eq!(ask(world.address, get("/a%20b?c=../d", &one)).await.status, 200);
}

#[tokio::test]
async fn header_makes_nobody_and_is_not_seen_behind_the_layer() {
    let world = World::open().await;
    let said = "X-Rescind-Subject: root\r\nx_rescind_scopes: all\r\nX.Rescind.Tenant: t\r\n";
    let answer = ask(world.address, get("/", said)).await;
    assert_eq!(answer.status, 401);
    let one = authorization(&world.bearer(&[]).await);
    let told = ask(world.address, get("/", &format!("{one}{said}X-Rescindable: 1\r\n"))).await;
    assert_eq!(told.json()["name"], "ada");
    assert_eq!(told.json()["scopes"], serde_json::json!([]));
    let names = told.json()["headers"].to_string();
    assert!(!names.contains("rescind-") && !names.contains("rescind_"), "{names}");
    assert!(!names.contains("rescind."), "{names}");
    assert!(names.contains("x-rescindable"), "{names}");
}

#[tokio::test]
async fn handler_that_asks_who_calls_never_runs_for_nobody() {
    let address = listen(echo()).await;
    assert_eq!(ask(address, get("/", "")).await.status, 500);
}

#[tokio::test]
async fn suspended_owner_is_refused_until_resumed() {
    let world = World::open().await;
    let one = authorization(&world.bearer(&[]).await);
    for (suspended, status) in [(true, 401), (false, 200)] {
        let update = OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() };
        world.tokens.update_owner(&world.ada.id, update).await.unwrap();
        assert_eq!(ask(world.address, get("/", &one)).await.status, status);
    }
}
