//! Who is let in, who is not, and what the API behind Envoy is told.

use super::envoy::{Asked, Said, get, values};
use super::house::{House, Wishes};
use crate::gateway::world::{ADMIN, API_KEY, BOUND, TOKEN};
use rescind_core::{Digest, TokenId};
use rescind_store::{Change, Follower};
use tonic::Code;

const IDENTITY: [&str; 9] = [
    "x-rescind-account",
    "x-rescind-body",
    "x-rescind-email",
    "x-rescind-profile-id",
    "x-rescind-scopes",
    "x-rescind-subject",
    "x-rescind-tenant",
    "x-rescind-token-id",
    "x-rescind-token-kind",
];

#[tokio::test]
async fn token_is_let_in_and_every_identity_header_overwritten() {
    let house = House::start().await;
    for asked in [get("/a?b").bearer(TOKEN), get("/").header("x-api-key", TOKEN).raw_headers()] {
        let identity = house.check(asked).await.yes();
        assert_eq!(identity.keys().collect::<Vec<_>>(), IDENTITY);
        assert_eq!(identity["x-rescind-subject"], "own_user");
        assert_eq!(identity["x-rescind-token-id"], "tok_reader");
        assert_eq!(identity["x-rescind-tenant"], "ten_acme");
        assert_eq!(identity["x-rescind-scopes"], "read");
        assert_eq!(identity["x-rescind-body"], "unsigned");
        assert_eq!(identity["x-rescind-account"], "");
    }
}

#[tokio::test]
async fn credentials_and_every_spelling_of_our_names_are_taken_away() {
    let house = House::start().await;
    let credentials =
        ["authorization", "lmts-api-key", "lmts-covers", "lmts-signature", "lmts-timestamp"];
    let plain = house.check(get("/").bearer(TOKEN)).await.removed();
    assert_eq!(plain, [&credentials[..], &["x-api-key"]].concat());
    let spoofed = get("/")
        .bearer(TOKEN)
        .header("X-Rescind-Subject", "root")
        .header("X_Rescind_Subject", "root")
        .header("X.Rescind.Subject", "root")
        .header("X-Rescind_Email", "root")
        .header("X-Rescind-New", "root")
        .header("X_Api_Key", "root")
        .header("X-Forwarded-For", "198.51.100.7");
    let own = ["x-api-key", "x-rescind-new", "x-rescind_email"];
    let spelt = ["x.rescind.subject", "x_api_key", "x_rescind_subject"];
    let expected = [&credentials[..], &own, &spelt].concat();
    assert_eq!(house.check(spoofed.clone()).await.removed(), expected);
    assert_eq!(house.check(spoofed.raw_headers()).await.removed(), expected);
}

#[tokio::test]
async fn without_a_good_credential_it_is_401_and_says_what_is_wanted() {
    let house = House::start().await;
    let none = house.check(get("/")).await.no(401);
    let wanted = values(&none, "www-authenticate");
    assert_eq!(wanted.len(), 2, "{wanted:?}");
    assert!(wanted[0].starts_with("Bearer ") && wanted[1].starts_with("Rescind-HMAC-SHA256 "));
    assert_eq!(values(&none, "cache-control"), ["no-store"]);
    for asked in [
        get("/").bearer("api_test_Nobody"),
        get("/").bearer(ADMIN),
        get("/").header("authorization", "Basic dDp0"),
        get("/").header("x-api-key", ""),
    ] {
        house.check(asked).await.no(401);
    }
}

#[tokio::test]
async fn two_credentials_are_refused_however_envoy_tells_of_them() {
    let house = House::start().await;
    let twice = get("/").header("x-api-key", TOKEN).header("x-api-key", TOKEN);
    let both = get("/").bearer(TOKEN).header("x-api-key", TOKEN);
    for asked in [twice, both] {
        house.check(asked.clone()).await.no(400);
        house.check(asked.raw_headers()).await.no(400);
    }
}

#[tokio::test]
async fn route_asks_for_scopes_and_no_header_does() {
    let house = House::start().await;
    let asked = |scopes: &str| get("/").bearer(API_KEY).extension("scopes", scopes);
    house.check(asked("read")).await.yes();
    house.check(asked("write,read")).await.yes();
    let missing = house.check(asked("read,admin").header("scopes", "read")).await.no(403);
    let [challenge] = values(&missing, "www-authenticate")[..] else { panic!("{missing:?}") };
    assert!(challenge.contains(r#"scope="admin read""#), "{challenge}");
}

#[tokio::test]
async fn misspelt_extension_lets_nobody_in() {
    let house = House::start().await;
    for (key, value) in [("scope", "read"), ("scopes", ""), ("scopes", "read,,write")] {
        let asked = get("/").bearer(API_KEY).extension(key, value);
        let refused = house.check(asked).await.no(503);
        assert_eq!(values(&refused, "retry-after").len(), 1, "{key}={value}");
    }
}

#[tokio::test]
async fn target_that_means_two_things_is_refused() {
    let house = House::start().await;
    for target in ["//a", "/a/../b", "/a%2fb", "/a;b", "*", "http://x/a", ""] {
        house.check(get(target).bearer(TOKEN)).await.no(400);
    }
    house.check(get("/a").method("CONNECT").bearer(TOKEN)).await.no(400);
}

#[tokio::test]
async fn revoked_token_is_refused_on_the_connection_that_it_was_let_in_on() {
    let house = House::start().await;
    let mut envoy = house.envoy().await;
    let mut check =
        async |asked: Asked| Said::of(envoy.check(asked.message()).await.unwrap().into_inner());
    check(get("/").bearer(TOKEN)).await.yes();
    let digest = Some(Digest::of(TOKEN.as_bytes()));
    house.guard.apply(Change::Revoked { id: TokenId::parse("tok_reader").unwrap(), digest });
    check(get("/").bearer(TOKEN)).await.no(401);
    check(get("/").bearer(API_KEY)).await.yes();
}

#[tokio::test]
async fn client_is_the_peer_of_envoy_whatever_the_headers_say() {
    let house = House::start().await;
    let bound = || get("/").bearer(BOUND);
    house.check(bound().from("198.51.100.7")).await.yes();
    house.check(bound().from("::ffff:198.51.100.7")).await.yes();
    for (client, header) in [("192.0.2.7", "x-forwarded-for"), ("@socket", "x-real-ip")] {
        house.check(bound().from(client).header(header, "198.51.100.7")).await.no(401);
    }
}

#[tokio::test]
async fn node_that_must_not_verify_says_503_and_never_yes() {
    let house = House::start().await;
    house.guard.seal();
    for asked in [get("/").bearer(TOKEN), get("/").bearer("api_test_Nobody")] {
        let refused = house.check(asked).await.no(503);
        assert_eq!(values(&refused, "retry-after"), ["2"]);
    }
}

fn preflight() -> Asked {
    let asked = get("/a").method("OPTIONS").header("origin", "https://app.example");
    asked.header("access-control-request-method", "PUT")
}

#[tokio::test]
async fn preflight_passes_only_if_the_configuration_says_so_and_as_nobody() {
    let house = House::start().await;
    house.check(preflight()).await.no(401);
    let house = House::with(Wishes { allow_preflight: true, ..Wishes::default() }).await;
    let identity = house.check(preflight()).await.yes();
    assert_eq!(identity.keys().collect::<Vec<_>>(), IDENTITY);
    assert!(identity.values().all(String::is_empty), "{identity:?}");
    house.check(get("/a").method("OPTIONS")).await.no(401);
    house.check(preflight().body(b"delete")).await.no(401);
    house.check(preflight().bearer("api_test_Nobody")).await.no(401);
    let known = house.check(preflight().bearer(TOKEN)).await.yes();
    assert_eq!(known["x-rescind-subject"], "own_user");
}

#[tokio::test]
async fn stranger_cannot_ask_and_its_message_is_not_read() {
    let house = House::with(Wishes { trusted_peers: &["192.0.2.0/24"], ..Wishes::default() }).await;
    let refused = house.envoy().await.check(get("/").bearer(TOKEN).message()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let endless = get("/").bearer(TOKEN).body(&vec![b'x'; 64 * 1024 * 1024]);
    let refused = house.envoy().await.check(endless.message()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn epoch_that_is_asked_for_is_waited_for_if_that_is_taken_and_else_not_looked_at() {
    let asked = |epoch| get("/").bearer(TOKEN).header("X-Rescind-Min-Epoch", epoch);
    let house = House::start().await;
    for epoch in ["1", "x"] {
        house.check(asked(epoch)).await.yes();
    }
    let house = House::with(Wishes { allow_min_epoch: true, ..Wishes::default() }).await;
    house.check(asked("1")).await.no(503);
    house.check(asked("x")).await.no(400);
    house.guard.reached(1);
    house.check(asked("1")).await.yes();
}
