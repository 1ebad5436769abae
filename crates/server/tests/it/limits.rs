//! Every bound of the HTTP side, at its most and one past it.

use crate::callers::Answer;
use crate::server::Server;
use reqwest::Method;
use rescind_guard::Clock;
use rescind_server::http::listener::{HEAD_BYTES_MAX, HEADERS_MAX};
use rescind_server::http::{BODY_BYTES_MAX, Limits, Listener, Routed};
use rescind_server::service::identity::{IDENTITY_BYTES_MAX, KEYS_MAX, KeySet};
use rescind_server::verify::VERIFY_BYTES_MAX;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A question that may be padded with blanks to any length.
fn padded(bytes: usize) -> String {
    blank_to(&json!({ "token": "x" }).to_string(), bytes)
}

fn blank_to(json: &str, bytes: usize) -> String {
    json.to_owned() + &" ".repeat(bytes - json.len())
}

async fn ask(server: &Server, body: reqwest::Body) -> Answer {
    let request = server.http.post(format!("{}/v1/verify", server.verify));
    server.send(request.header("content-type", "application/json").body(body)).await
}

#[tokio::test]
async fn body_of_the_greatest_size_is_read_and_one_byte_more_is_not() {
    let server = Server::start().await;
    ask(&server, padded(VERIFY_BYTES_MAX).into()).await.expect(200);
    ask(&server, padded(VERIFY_BYTES_MAX + 1).into()).await.expect(413);
    let chunked =
        |bytes| reqwest::Body::wrap(http_body_util::Full::<bytes::Bytes>::from(padded(bytes)));
    ask(&server, chunked(VERIFY_BYTES_MAX)).await.expect(200);
    ask(&server, chunked(VERIFY_BYTES_MAX + 1)).await.expect(413);
    let derive = |bytes| {
        let request = server.http.post(format!("{}/auth/api-tokens/derive", server.base));
        let request = request.header("identity", format!("Bearer {}", server.identity("did:x:1")));
        server.send(request.header("content-type", "application/json").body(blank_to("{}", bytes)))
    };
    derive(BODY_BYTES_MAX).await.expect(201);
    let refused = derive(BODY_BYTES_MAX + 1).await.expect(413);
    assert_eq!(refused.json["statusCode"], 413);
}

#[tokio::test]
async fn body_that_never_comes_is_given_up() {
    let server = Server::start().await;
    let head = "POST /v1/verify HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    let answer = raw(&server.verify, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn head_has_at_most_so_many_fields() {
    let server = Server::start().await;
    let head = |fields: usize| {
        let others: String = (0..fields - 2).map(|n| format!("x-{n}: y\r\n")).collect();
        format!("GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{others}\r\n")
    };
    let most = raw(&server.verify, head(HEADERS_MAX).as_bytes()).await;
    assert!(most.starts_with("HTTP/1.1 200"), "{most}");
    let more = raw(&server.verify, head(HEADERS_MAX + 1).as_bytes()).await;
    assert!(more.starts_with("HTTP/1.1 431"), "{more}");
}

#[tokio::test]
async fn head_has_at_most_so_many_bytes() {
    let server = Server::start().await;
    let head = |bytes: usize| {
        let frame = "GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\nx: \r\n\r\n";
        frame.replace("x: ", &format!("x: {}", "y".repeat(bytes - frame.len())))
    };
    assert_eq!(head(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX);
    let most = raw(&server.verify, head(HEAD_BYTES_MAX - 1).as_bytes()).await;
    assert!(most.starts_with("HTTP/1.1 200"), "{most}");
    let more = raw(&server.verify, head(HEAD_BYTES_MAX + 1).as_bytes()).await;
    assert!(more.starts_with("HTTP/1.1 431"), "{more}");
}

#[tokio::test]
async fn connections_beyond_the_most_wait_until_one_ends() {
    let limits = Limits {
        connections_max: 2,
        header_timeout: Duration::from_secs(30),
        body_timeout: Duration::from_secs(30),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let address = listener.address().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let router = axum::Router::new().fallback(async || "well");
    tokio::spawn(listener.serve(Routed::with_problems(router), stopped));
    let idle = TcpStream::connect(address).await.unwrap();
    let _other = TcpStream::connect(address).await.unwrap();
    let mut third = TcpStream::connect(address).await.unwrap();
    third.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let soon = Duration::from_millis(300);
    assert!(
        tokio::time::timeout(soon, third.read(&mut byte)).await.is_err(),
        "served beyond the limit"
    );
    drop(idle);
    let read = tokio::time::timeout(Duration::from_secs(5), third.read(&mut byte)).await;
    assert_eq!(read.unwrap().unwrap(), 1);
}

/// Asks again and again and takes no answer: the answers fill every buffer on the way.
#[tokio::test]
async fn client_that_never_reads_gives_its_place_back() {
    let second = Duration::from_secs(1);
    let limits = Limits { connections_max: 1, header_timeout: second, body_timeout: second };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let address = listener.address().unwrap();
    let (_stop, stopped) = watch::channel(false);
    let router = axum::Router::new().fallback(async || "x".repeat(100_000));
    tokio::spawn(listener.serve(Routed::with_problems(router), stopped));
    let mut deaf = TcpStream::connect(address).await.unwrap();
    let requests = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500);
    deaf.write_all(requests.as_bytes()).await.unwrap();
    let mut next = TcpStream::connect(address).await.unwrap();
    next.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let read = tokio::time::timeout(second * 15, next.read(&mut [0])).await;
    assert_eq!(read.expect("the place is still taken").unwrap(), 1);
    drop(deaf);
}

#[tokio::test]
async fn identity_token_of_the_greatest_length_is_read() {
    let server = Server::start().await;
    let now = server.clock.now();
    let of_length = |bytes: usize| {
        // Base64 grows by a third; the rest is found by trying.
        (0..bytes * 3 / 4).rev().find_map(|padding| {
            let token = server.issuer.sign("did:x:1", now, json!({ "x": "y".repeat(padding) }));
            (token.len() <= bytes).then_some(token)
        })
    };
    let most = of_length(IDENTITY_BYTES_MAX).unwrap();
    assert!(most.len() > IDENTITY_BYTES_MAX - 4);
    let more = format!("{most}{}", "A".repeat(IDENTITY_BYTES_MAX + 1 - most.len()));
    let path = "/auth/api-tokens/capabilities";
    server.with_identity(Method::GET, path, &most, Value::Null).await.expect(200);
    server.with_identity(Method::GET, path, &more, Value::Null).await.expect(401);
}

#[test]
fn key_set_has_at_most_so_many_keys() {
    let set = |count: usize| {
        let key = |n: usize| {
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": n.to_string(),
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
        };
        json!({ "keys": (0..count).map(key).collect::<Vec<_>>() }).to_string()
    };
    assert!(KeySet::parse(set(KEYS_MAX).as_bytes()).is_ok());
    assert!(KeySet::parse(set(KEYS_MAX + 1).as_bytes()).is_err());
    let twice = set(1).replace("]", ",").trim_end_matches('}').to_owned();
    let twice = format!("{}]}}", twice + set(1).split_once('[').unwrap().1.trim_end_matches("]}"));
    assert!(KeySet::parse(twice.as_bytes()).is_err(), "two keys of one kid: {twice}");
}

/// Sends bytes and reads until the other side closes, or has answered and waits.
pub async fn raw(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        let mut chunk = [0; 4_096];
        while let Ok(read @ 1..) = stream.read(&mut chunk).await {
            answer.extend_from_slice(&chunk[..read]);
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), reading).await;
    String::from_utf8_lossy(&answer).into_owned()
}
