//! Who the upstream is told that the client is, and how a client might try to have a say in it.

use super::upstream::{Echo, Seen};
use super::wire::ask;
use super::world::{API_KEY, BOUND, TOKEN, World, config, digest_signed, public, signed};

pub(crate) const IDENTITY: [&str; 9] = [
    "x-rescind-subject",
    "x-rescind-token-id",
    "x-rescind-token-kind",
    "x-rescind-scopes",
    "x-rescind-tenant",
    "x-rescind-profile-id",
    "x-rescind-account",
    "x-rescind-email",
    "x-rescind-body",
];

/// The identity headers as an upstream sees them, each exactly once.
fn identity(seen: &Seen) -> [String; 9] {
    IDENTITY.map(|name| {
        let values = seen.header(name);
        assert_eq!(values.len(), 1, "{name}");
        values[0].to_owned()
    })
}

async fn seen(world: &World, headers: &str) -> Seen {
    Seen::of(&ask(world.address, format!("GET /a HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await)
}

#[tokio::test]
async fn every_identity_header_is_set_for_every_kind_of_token() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let user = seen(&world, &format!("Authorization: Bearer {TOKEN}\r\n")).await;
    let email = "zo%C3%AB@example.org";
    assert_eq!(
        identity(&user),
        ["own_user", "tok_reader", "bearer", "read", "ten_acme", "", "", email, "unsigned"]
    );
    let key = seen(&world, &format!("X-API-Key: {API_KEY}\r\n")).await;
    assert_eq!(
        identity(&key),
        ["own_partner", "tok_writer", "api_key", "read write", "", "7", "0xAb", "", "unsigned"]
    );
    let signer = seen(&world, &signed("GET", "/a", b"")).await;
    assert_eq!(
        identity(&signer),
        ["own_partner", "tok_signer", "signing", "read", "", "7", "0xAb", "", "verified"]
    );
}

#[tokio::test]
async fn scope_that_was_taken_from_the_owner_is_not_told() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    world.allow_partner(&["read"]);
    let key = seen(&world, &format!("X-API-Key: {API_KEY}\r\n")).await;
    assert_eq!(key.header("x-rescind-scopes"), ["read"]);
}

#[tokio::test]
async fn no_spelling_of_an_identity_header_gets_through() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![public("/public")];
    let world = World::with(&config).await;
    let spellings = [
        "X-Rescind-Subject: own_root",
        "x-rescind-subject: own_root\r\nX-RESCIND-SUBJECT: own_root",
        "X_Rescind_Subject: own_root",
        "X-Rescind_Subject: own_root",
        "X.Rescind.Subject: own_root",
        "X-Rescind-Role: own_root",
        "X-Rescind-Subject: own_root\r\nConnection: X-Rescind-Subject",
        "Connection: X-Rescind-Subject, X-Rescind-Email, x-forwarded-for",
    ];
    for spelling in spellings {
        let told = seen(&world, &format!("{spelling}\r\nX-API-Key: {TOKEN}\r\n")).await;
        assert_eq!(identity(&told)[0], "own_user", "{spelling}");
        assert!(!format!("{told:?}").contains("own_root"), "{spelling}");
        assert_eq!(told.header("x-forwarded-for"), ["127.0.0.1"], "{spelling}");
        let request = format!("GET /public HTTP/1.1\r\nHost: x\r\n{spelling}\r\n\r\n");
        let nobody = Seen::of(&ask(world.address, request).await);
        assert_eq!(identity(&nobody), [""; 9], "{spelling}");
        assert!(!format!("{nobody:?}").contains("own_root"), "{spelling}");
    }
}

#[tokio::test]
async fn credentials_end_at_the_gateway() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![public("/public")];
    let world = World::with(&config).await;
    let credentials = [
        format!("X-API-Key: {TOKEN}\r\nidentity: Bearer jwt\r\n"),
        format!("Authorization: Bearer {TOKEN}\r\nX_Api_Key: {TOKEN}\r\n"),
        signed("GET", "/a", b""),
        digest_signed("GET", "/a", b""),
    ];
    for credential in &credentials {
        let told = seen(&world, credential).await;
        let removed = ["x-api-key", "x_api_key", "authorization", "identity"];
        let leaked = |name: &&str| removed.contains(name) || name.starts_with("lmts");
        assert!(!told.names().iter().any(leaked), "{told:?}");
        // On a public route they are not even looked at.
        let request = format!("GET /public HTTP/1.1\r\nHost: x\r\n{credential}\r\n");
        let nobody = Seen::of(&ask(world.address, request).await);
        assert!(!nobody.names().iter().any(leaked), "{nobody:?}");
        assert_eq!(identity(&nobody), [""; 9]);
    }
}

#[tokio::test]
async fn where_a_request_came_from_is_said_by_the_gateway_alone() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let claims = "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n\
        X_Forwarded_Proto: https\r\n\
                  X-Forwarded-Host: evil\r\nX-Forwarded-Uri: /public\r\n\
                  Forwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n\
                  X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n\
                  X-HTTP-Method-Override: DELETE\r\nVia: 1.0 edge\r\n";
    let told = seen(&world, &format!("{claims}X-API-Key: {TOKEN}\r\n")).await;
    assert_eq!(told.header("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(told.header("x-forwarded-proto"), ["http"]);
    assert_eq!(told.header("x-forwarded-host"), ["x"]);
    assert_eq!(told.header("via"), ["1.0 edge", "1.1 rescind"]);
    let rest = format!("{told:?}");
    for claim in ["10.0.0.1", "https", "evil", "/admin", "DELETE", "x-forwarded-uri"] {
        assert!(!rest.contains(claim), "{claim} in {rest}");
    }
}

#[tokio::test]
async fn client_behind_a_trusted_proxy_is_whom_it_names_and_the_token_is_bound_to_it() {
    let echo = Echo::start().await;
    let world = World::behind(echo.address, &["127.0.0.1", "192.0.2.1"]).await;
    let bound = async |lines: &str| {
        let request = format!("GET /a HTTP/1.1\r\nHost: x\r\n{lines}X-API-Key: {BOUND}\r\n\r\n");
        ask(world.address, request).await
    };
    let inside = "X-Forwarded-For: 203.0.113.9, 198.51.100.7, 192.0.2.1\r\n";
    let told = Seen::of(&bound(inside).await);
    assert_eq!(told.header("x-forwarded-for"), ["198.51.100.7"]);
    let outside = [
        "",
        "X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n",
        "X-Forwarded-For: 198.51.100.7, 192.0.2.1, junk\r\n",
        "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\n",
        "X-Real-IP: 198.51.100.7\r\n",
        "Forwarded: for=198.51.100.7\r\n",
    ];
    for lines in outside {
        assert_eq!(bound(lines).await.status, 401, "{lines}");
    }
    let unknown = seen(&world, &format!("X-Forwarded-For: junk\r\nX-API-Key: {TOKEN}\r\n")).await;
    assert_eq!(unknown.header("x-forwarded-for"), ["127.0.0.1"]);
    let direct = World::before(echo.address).await;
    let spoofed = format!("{inside}X-API-Key: {BOUND}\r\n");
    let refused = ask(direct.address, format!("GET /a HTTP/1.1\r\nHost: x\r\n{spoofed}\r\n"));
    assert_eq!(refused.await.status, 401);
}

#[tokio::test]
async fn unknown_client_is_never_taken_for_the_proxy() {
    let echo = Echo::start().await;
    let behind = World::behind(echo.address, &["127.0.0.1"]).await;
    let direct = World::before(echo.address).await;
    let asked = async |world: &World, lines: &str| {
        world.bind_partner(&["127.0.0.0/8"]);
        let headers = format!("{lines}X-API-Key: {API_KEY}\r\n");
        ask(world.address, format!("GET /a HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await.status
    };
    for (list, through_proxy) in
        [("", 401), ("junk", 401), ("127.0.0.1", 401), ("203.0.113.9", 401), ("127.0.0.2", 200)]
    {
        let line = format!("X-Forwarded-For: {list}\r\n");
        assert_eq!(asked(&behind, &line).await, through_proxy, "{list}");
        assert_eq!(asked(&direct, &line).await, 200, "{list}");
    }
    assert_eq!(asked(&behind, "").await, 401);
}

#[tokio::test]
async fn connection_headers_end_at_the_gateway_and_others_pass() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let headers = format!(
        "X-API-Key: {TOKEN}\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\n\
         Proxy-Authorization: Basic dDp0\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n\
         Accept: */*\r\n\
         Cookie: a=1\r\nCookie: b=2\r\nX-Latin: caf\u{e9}\r\n"
    );
    let told = seen(&world, &headers).await;
    for gone in [
        "connection",
        "x-hop",
        "keep-alive",
        "te",
        "proxy-authorization",
        "proxy-connection",
        "upgrade",
    ] {
        assert!(told.header(gone).is_empty(), "{gone}");
    }
    assert_eq!(told.header("cookie"), ["a=1", "b=2"]);
    assert_eq!(told.header("x-latin"), ["caf\u{e9}"]);
    assert_eq!(told.header("accept"), ["*/*"]);
}
