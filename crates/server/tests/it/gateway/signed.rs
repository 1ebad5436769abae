//! Signed requests: the body is read and verified whole before the first byte goes upstream.

use super::upstream::{Echo, Seen};
use super::wire::{Answer, Client, ask};
use super::world::{KEY_ID, SHORT, World, config, digest_signed, signed};

fn post(target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

async fn small_world(echo: &Echo, bytes_max: u64) -> World {
    let mut config = config(echo.address);
    config.signed_body_bytes_max = bytes_max;
    World::with(&config).await
}

#[tokio::test]
async fn signature_over_target_query_and_body_passes_as_it_was_sent() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    for target in ["/orders", "/orders?", "/caf%c3%a9?x=%2c&y=%2C", "/a%20b?q=a+b"] {
        let body = "{\"amount\": 1}\r\n";
        let answer =
            ask(world.address, post(target, &signed("POST", target, body.as_bytes()), body)).await;
        let seen = Seen::of(&answer);
        assert_eq!(seen.line, format!("POST {target} HTTP/1.1"));
        assert_eq!(seen.body, body.as_bytes());
        assert_eq!(seen.header("content-length"), [body.len().to_string()]);
    }
}

#[tokio::test]
async fn nothing_that_is_signed_can_be_changed() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let headers = signed("POST", "/orders?a=%2c", b"body");
    assert_eq!(ask(world.address, post("/orders?a=%2c", &headers, "body")).await.status, 200);
    let changed = [
        post("/orders?a=%2c", &headers, "Body"),
        post("/orders?a=%2c", &headers, "body\n"),
        post("/orders?a=%2c", &headers, ""),
        post("/orders?a=%2C", &headers, "body"),
        post("/orders?a=,", &headers, "body"),
        post("/orders", &headers, "body"),
        post("/orders?a=%2c", &headers, "body").replace("POST", "PUT"),
    ];
    for request in changed {
        assert_eq!(ask(world.address, &request).await.status, 401, "{request}");
    }
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn digest_that_is_signed_is_compared_with_the_body_before_it_goes_upstream() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let headers = digest_signed("POST", "/a?b", b"hello");
    let seen = Seen::of(&ask(world.address, post("/a?b", &headers, "hello")).await);
    assert_eq!(
        (seen.body.as_slice(), seen.header("x-rescind-body")),
        (&b"hello"[..], vec!["verified"])
    );
    let changed = [
        post("/a?b", &headers, "Hello"),
        post("/a?b", &headers, ""),
        post("/a?c", &headers, "hello"),
        post("/a?b", &headers.replace("lmts-covers: content-digest\r\n", ""), "hello"),
        post("/a?b", &headers.replace("content-digest", "body"), "hello"),
    ];
    for request in changed {
        assert_eq!(ask(world.address, &request).await.status, 401, "{request}");
    }
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn chunked_signed_body_goes_upstream_with_a_length() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let headers = signed("POST", "/a", b"hello");
    let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
    let request = format!("POST /a HTTP/1.1\r\nHost: x\r\n{headers}{chunks}");
    let seen = Seen::of(&ask(world.address, request).await);
    assert_eq!((seen.body.as_slice(), seen.header("content-length")), (&b"hello"[..], vec!["5"]));
    assert!(seen.header("transfer-encoding").is_empty());
}

#[tokio::test]
async fn longest_signed_body_passes_and_one_byte_more_is_too_large() {
    const MAX: usize = 1024 * 1024;
    let echo = Echo::start().await;
    let world = small_world(&echo, MAX as u64).await;
    let longest = "b".repeat(MAX);
    let answer =
        ask(world.address, post("/a", &signed("POST", "/a", longest.as_bytes()), &longest)).await;
    assert_eq!(Seen::of(&answer).body.len(), MAX);
    let longer = "b".repeat(MAX + 1);
    let headers = signed("POST", "/a", longer.as_bytes());
    assert_eq!(ask(world.address, post("/a", &headers, &longer)).await.status, 413);
    let chunked = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\n{headers}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n\
         {longer}\r\n0\r\n\r\n",
        longer.len()
    );
    assert_eq!(ask(world.address, chunked).await.status, 413);
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn announced_length_is_refused_before_a_byte_of_the_body() {
    let echo = Echo::start().await;
    let world = small_world(&echo, 10).await;
    let head = |headers: &str, length: u64| {
        format!(
            "POST /a HTTP/1.1\r\nHost: x\r\n{headers}Expect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut client = Client::connect(world.address).await;
    client.send(head(&signed("POST", "/a", b"hello world"), 11)).await;
    // Not even invited: `head` would skip the `100 Continue`.
    assert_eq!(client.take(12).await, b"HTTP/1.1 413");
}

#[tokio::test]
async fn hopeless_signature_is_refused_before_its_body_is_read() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let unknown = signed("POST", "/a", b"hello").replace(KEY_ID, "tok_nobody");
    let mut client = Client::connect(world.address).await;
    let head = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\n{unknown}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    );
    client.send(head).await;
    assert_eq!(client.take(12).await, b"HTTP/1.1 401");
}

#[tokio::test]
async fn dripping_signed_body_is_given_up() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let mut client = Client::connect(world.address).await;
    let headers = signed("POST", "/a", &[b'x'; 100]);
    client
        .send(format!("POST /a HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 100\r\n\r\n"))
        .await;
    let drip = async {
        loop {
            client.send("x").await;
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    // Each pause is short enough; the whole is not.
    let _ = tokio::time::timeout(SHORT * 2, drip).await;
    assert_eq!(client.answer().await.status, 408);
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn token_revoked_while_its_body_is_read_is_refused() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let mut client = Client::connect(world.address).await;
    let headers = signed("POST", "/a", b"hello");
    let head = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\n{headers}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    );
    client.send(head).await;
    // The invitation shows that the gateway has found the key and waits for the body.
    assert_eq!(client.take(25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
    world.revoke_signer();
    assert_eq!(client.ask("hello").await.status, 401);
    assert_eq!(echo.requests(), 0);
}

#[tokio::test]
async fn content_coding_of_a_signed_body_is_refused() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let headers = format!("{}Content-Encoding: gzip\r\n", signed("POST", "/a", b"hello"));
    let answer: Answer = ask(world.address, post("/a", &headers, "hello")).await;
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, vec!["identity"]));
    assert_eq!(echo.requests(), 0);
}
