//! Upgraded connections.

use super::upstream::{Echo, Seen, each_connection, read_until, says};
use super::wire::{Client, ask};
use super::world::{TOKEN, World, config, public, signed};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WEBSOCKET: &str =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n";

/// Switches, shows the head that it was sent, then says everything back.
async fn switching() -> SocketAddr {
    each_connection(|mut stream| async move {
        let head = read_until(&mut stream, b"\r\n\r\n").await;
        let length = head.len();
        let switch = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             X-Head-Length: {length}\r\n\r\n"
        );
        stream.write_all(switch.as_bytes()).await.unwrap();
        stream.write_all(&head).await.unwrap();
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    })
    .await
}

fn upgrade(credential: &str) -> String {
    format!("GET /chat HTTP/1.1\r\nHost: x\r\n{credential}{WEBSOCKET}\r\n")
}

#[tokio::test]
async fn verified_upgrade_carries_bytes_both_ways_until_one_side_ends() {
    let world = World::before(switching().await).await;
    for credential in [format!("X-API-Key: {TOKEN}\r\n"), signed("GET", "/chat", b"")] {
        let mut client = Client::connect(world.address).await;
        client.send(upgrade(&credential)).await;
        let head = client.head().await;
        assert_eq!((head.status, head.header("upgrade")), (101, vec!["websocket"]));
        assert_eq!(head.header("connection"), ["upgrade"]);
        let length = head.header("x-head-length")[0].parse().unwrap();
        let told = String::from_utf8(client.take(length).await).unwrap();
        assert!(
            told.contains("upgrade: websocket\r\n") && told.contains("sec-websocket-key: k\r\n"),
            "{told}"
        );
        assert!(told.contains("x-rescind-subject: own_") && !told.contains(TOKEN), "{told}");
        for message in ["ping", "\0\u{ff}GET / HTTP/1.1\r\n\r\n"] {
            client.send(message).await;
            assert_eq!(client.take(message.len()).await, message.as_bytes());
        }
    }
}

#[tokio::test]
async fn upgrade_without_a_valid_token_is_refused() {
    let world = World::before(switching().await).await;
    assert_eq!(ask(world.address, upgrade("")).await.status, 401);
    world.revoke_token();
    assert_eq!(ask(world.address, upgrade(&format!("X-API-Key: {TOKEN}\r\n"))).await.status, 401);
}

#[tokio::test]
async fn upgrade_that_is_not_to_be_had_is_an_ordinary_request() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    config.routes = vec![public("/public")];
    let world = World::with(&config).await;
    let key = format!("Host: x\r\nX-API-Key: {TOKEN}\r\n");
    let requests = [
        format!(
            "GET /a HTTP/1.1\r\n{key}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: x\r\n\r\n"
        ),
        // `Connection` does not name it.
        format!("GET /a HTTP/1.1\r\n{key}Upgrade: websocket\r\n\r\n"),
        // RFC 9110 §7.8: ignored in HTTP/1.0.
        format!("GET /a HTTP/1.0\r\n{key}{WEBSOCKET}\r\n"),
        // With a body.
        format!("POST /a HTTP/1.1\r\n{key}{WEBSOCKET}Content-Length: 2\r\n\r\nhi"),
        // Without a name.
        format!("GET /public HTTP/1.1\r\nHost: x\r\n{WEBSOCKET}\r\n"),
    ];
    for request in &requests {
        let seen = Seen::of(&ask(world.address, request).await);
        let names = seen.names();
        assert!(
            !names.contains(&"upgrade") && !names.contains(&"connection"),
            "{request}: {names:?}"
        );
        assert!(!names.contains(&"http2-settings"), "{names:?}");
    }
    config.upgrades = Vec::new();
    world.gateway.reload(&config).unwrap();
    let seen = Seen::of(&ask(world.address, upgrade(&format!("X-API-Key: {TOKEN}\r\n"))).await);
    assert!(!seen.names().contains(&"upgrade"));
}

#[tokio::test]
async fn of_several_protocols_only_the_known_are_asked_for() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let request = format!(
        "GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\nConnection: upgrade\r\n\
         Upgrade: h2c, WebSocket\r\nUpgrade: tls/1.2\r\n\r\n"
    );
    let seen = Seen::of(&ask(world.address, request).await);
    assert_eq!(
        (seen.header("upgrade"), seen.header("connection")),
        (vec!["WebSocket"], vec!["upgrade"])
    );
}

#[tokio::test]
async fn switch_to_another_protocol_than_asked_is_502() {
    for chosen in ["Upgrade: h2c\r\n", ""] {
        let answer =
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{chosen}\r\n");
        let world = World::before(says(answer.leak()).await).await;
        let answer = ask(world.address, upgrade(&format!("X-API-Key: {TOKEN}\r\n"))).await;
        assert_eq!(answer.status, 502, "{chosen:?}");
    }
}

#[tokio::test]
async fn no_byte_passes_before_the_upstream_has_switched() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let told = told.clone();
        async move {
            read_until(&mut stream, b"\r\n\r\n").await;
            // Time for what must not come.
            let mut early = [0; 64];
            let wait = std::time::Duration::from_millis(200);
            let early = tokio::time::timeout(wait, stream.read(&mut early)).await;
            told.send(early.is_ok()).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
            read_until(&mut stream, b"never").await;
        }
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    client.send(format!("{}{smuggled}", upgrade(&format!("X-API-Key: {TOKEN}\r\n")))).await;
    assert_eq!(client.answer().await.status, 403);
    assert_eq!(tells.recv().await, Some(false));
    // What came too early was the next request, and it has no credential.
    assert_eq!(client.answer().await.status, 401);
}
