//! Who is let through, who is not, and what they are told.

use super::upstream::{Echo, Seen, each_connection, read_until};
use super::wire::{Answer, Client, ask, in_time};
use super::world::{ADMIN, API_KEY, TOKEN, World, config, public, route, signed, signed_at};
use rescind_core::Timestamp;
use rescind_guard::{Guard, clock::Clock, clock::SystemClock};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

async fn get(world: &World, target: &str, headers: &str) -> Answer {
    ask(world.address, format!("GET {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")).await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test]
async fn request_without_a_credential_is_told_how_to_bring_one() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let answer = get(&world, "/a", "").await;
    assert_eq!(answer.status, 401);
    let headers = "lmts-api-key lmts-timestamp lmts-signature";
    let signing = format!(r#"Rescind-HMAC-SHA256 realm="rescind", headers="{headers}""#);
    assert_eq!(answer.header("www-authenticate"), [r#"Bearer realm="rescind""#, &signing]);
    assert_eq!(answer.header("content-type"), ["application/problem+json"]);
    assert_eq!(answer.header("cache-control"), ["no-store"]);
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn credential_that_does_not_hold_has_one_answer_whatever_the_reason() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    world.guard.open_for_good();
    let old = signed_at(SystemClock.now().plus_millis(-31_000), "GET", "/a", b"");
    let unknown_key = signed("GET", "/a", b"").replace("tok_signer", "tok_nobody");
    let refused = [
        bearer("api_test_Unknown00000000000000000000000"),
        bearer("api_test_Mistyped"),
        bearer(ADMIN),
        old,
        unknown_key,
        signed("GET", "/other", b""),
        signed("POST", "/a", b""),
        signed("GET", "/a", b"body"),
    ];
    let mut answers = Vec::new();
    for credential in &refused {
        let answer = get(&world, "/a", credential).await;
        assert_eq!(
            answer.header("www-authenticate")[0],
            r#"Bearer realm="rescind", error="invalid_token""#
        );
        answers.push((answer.status, answer.text().to_owned(), answer.headers.len()));
    }
    world.revoke_token();
    let revoked = get(&world, "/a", &bearer(TOKEN)).await;
    answers.push((revoked.status, revoked.text().to_owned(), revoked.headers.len()));
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 401);
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn malformed_credential_is_refused_and_nothing_else_is_tried() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let good = format!("X-API-Key: {TOKEN}\r\n");
    let cases = [
        (400, format!("{good}{good}")),
        (400, format!("{good}{}", bearer(TOKEN))),
        (400, format!("X-API-Key: {TOKEN}, {TOKEN}\r\n")),
        (400, format!("{good}{}", signed("GET", "/a", b""))),
        (400, format!("{}{}", bearer(TOKEN), bearer(TOKEN))),
        (401, "X-API-Key:\r\n".into()),
        (401, "Authorization: Bearer\r\n".into()),
        (401, "Authorization: Basic dDp0\r\n".into()),
        (401, format!("Authorization: Bearer {TOKEN} {TOKEN}\r\n")),
        (401, format!("X-API-Key: {}\r\n", "t".repeat(513))),
        (401, "X-API-Key: t\u{f6}k\r\n".into()),
        (401, "lmts-api-key: tok_signer\r\n".into()),
        (401, signed("GET", "/a", b"").replace("lmts-timestamp: 2", "lmts-timestamp: x2")),
        (401, signed("GET", "/a", b"").replace("=\r\n", "\r\n")),
    ];
    for (status, credential) in cases {
        let answer = get(&world, "/a", &credential).await;
        assert_eq!(answer.status, status, "{credential}");
        assert!(!answer.header("www-authenticate").is_empty());
        assert!(!answer.text().contains(TOKEN));
    }
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn token_without_a_needed_scope_is_forbidden_and_told_which() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![
        route("/orders", &["GET"], &["read"]),
        route("/orders", &["POST"], &["read", "write"]),
    ];
    let world = World::with(&config).await;
    let post = |token: &str| format!("POST /orders/7 HTTP/1.1\r\nHost: x\r\n{}\r\n", bearer(token));
    assert_eq!(get(&world, "/orders", &bearer(TOKEN)).await.status, 200);
    let answer = ask(world.address, post(TOKEN)).await;
    assert_eq!(answer.status, 403);
    let challenge = r#"Bearer realm="rescind", error="insufficient_scope", scope="read write""#;
    assert_eq!(answer.header("www-authenticate"), [challenge]);
    assert_eq!(ask(world.address, post(API_KEY)).await.status, 200);
    world.allow_partner(&["read"]);
    assert_eq!(ask(world.address, post(API_KEY)).await.status, 403);
    assert_eq!(echo.requests(), 2);
}

#[tokio::test]
async fn method_that_a_route_does_not_name_is_refused_before_a_shorter_route_is_asked() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![public("/"), route("/orders", &["GET", "POST"], &["read"])];
    let world = World::with(&config).await;
    let answer = ask(world.address, "DELETE /orders/7 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("allow")), (405, vec!["GET, POST"]));
    assert_eq!(get(&world, "/elsewhere", "").await.status, 200);
    assert_eq!(get(&world, "/orders", "").await.status, 401);
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn route_is_found_by_what_a_path_means_and_not_by_how_it_is_spelt() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![public("/"), route("/admin", &[], &["write"])];
    let world = World::with(&config).await;
    for target in ["/admin", "/admin/", "/%61dmin", "/adm%69n/users", "/admin?x", "/admin/a%20b"] {
        assert_eq!(get(&world, target, "").await.status, 401, "{target}");
    }
    let ambiguous = [
        "//admin",
        "/./admin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/%2E/admin",
        "/x/..%2fadmin",
        "/admin%2f",
        "/admin;x",
        "/x%5c..%5cadmin",
        "/x\\admin",
        "/admin%00",
        "/%2561dmin",
        "/%6",
        "/adm\u{131}n",
        "/admin%3f",
    ];
    for target in ambiguous {
        let answer = get(&world, target, &bearer(API_KEY)).await;
        assert_eq!(answer.status, 400, "{target}");
    }
    assert_eq!(get(&world, "/administrator", "").await.status, 200);
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn forms_of_a_target_that_speak_to_proxies_are_refused() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![public("/")];
    let world = World::with(&config).await;
    for line in ["OPTIONS *", "GET http://x/a", "CONNECT x:80", "GET x:80", "GET a"] {
        let answer = ask(world.address, format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(answer.status, 400, "{line}");
    }
    for hosts in ["", "Host: x\r\nHost: y\r\n"] {
        let answer = ask(world.address, format!("GET /a HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(answer.status, 400, "{hosts}");
    }
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn revoked_token_is_refused_on_the_same_connection_and_on_fifty_open_ones() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let request = format!("GET /a HTTP/1.1\r\nHost: x\r\n{}\r\n", bearer(TOKEN));
    let mut clients = Vec::new();
    for _ in 0..51 {
        let mut client = Client::connect(world.address).await;
        assert_eq!(client.ask(&request).await.status, 200);
        clients.push(client);
    }
    world.revoke_token();
    for client in &mut clients {
        assert_eq!(client.ask(&request).await.status, 401);
    }
    assert_eq!(echo.requests(), 51);
}

#[tokio::test]
async fn request_in_flight_at_the_revocation_ends_and_the_next_is_refused() {
    let (arrived, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let arrived = arrived.clone();
        async move {
            while !read_until(&mut stream, b"\r\n\r\n").await.is_empty() {
                arrived.send(()).unwrap();
                read_until(&mut stream, b"end").await;
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    let head = format!("POST /a HTTP/1.1\r\nHost: x\r\n{}Content-Length: 3\r\n\r\n", bearer(TOKEN));
    client.send(&head).await;
    in_time(seen.recv()).await.unwrap();
    world.revoke_token();
    assert_eq!(client.ask("end").await.status, 204);
    assert_eq!(client.ask(format!("{head}end")).await.status, 401);
    assert!(seen.try_recv().is_err());
}

#[tokio::test]
async fn node_without_a_lease_says_503_and_never_401() {
    let echo = Echo::start().await;
    let sealed = Arc::new(Guard::new(Arc::new(SystemClock), Vec::new()));
    let world = World::guarded(&config(echo.address), sealed).await;
    for credential in [bearer(TOKEN), signed("GET", "/a", b"")] {
        let answer = get(&world, "/a", &credential).await;
        assert_eq!(answer.status, 503);
        assert!(!answer.header("retry-after").is_empty());
    }
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn reload_changes_routes_and_a_faulty_one_changes_nothing() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    assert_eq!(get(&world, "/open", "").await.status, 401);
    let mut changed = config(echo.address);
    changed.routes = vec![public("/open")];
    world.gateway.reload(&changed).unwrap();
    assert_eq!(get(&world, "/open", "").await.status, 200);
    changed.routes = vec![route("/open", &[], &["no,scope"])];
    assert!(world.gateway.reload(&changed).is_err());
    assert_eq!(get(&world, "/open", "").await.status, 200);
    changed.routes = Vec::new();
    world.gateway.reload(&changed).unwrap();
    assert_eq!(get(&world, "/open", "").await.status, 401);
}

#[tokio::test]
async fn timestamp_of_the_epoch_and_of_the_far_future_are_refused() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    for at in [Timestamp::from_millis(0), Timestamp::MAX, Timestamp::MIN] {
        assert_eq!(get(&world, "/a", &signed_at(at, "GET", "/a", b"")).await.status, 401);
    }
    let late = signed_at(SystemClock.now().plus_millis(-25_000), "GET", "/a", b"");
    assert_eq!(Seen::of(&get(&world, "/a", &late).await).line, "GET /a HTTP/1.1");
}
