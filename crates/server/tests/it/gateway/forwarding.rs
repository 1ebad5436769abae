//! What goes upstream is what was asked; what comes back is what was answered.

use super::upstream::{Echo, Seen, each_connection, read_until, says};
use super::wire::{Client, ask};
use super::world::{TOKEN, World, config};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn target_goes_upstream_byte_for_byte() {
    // Raw, so that no HTTP library has the chance to repair what it is shown.
    let upstream = each_connection(|mut stream| async move {
        let head = read_until(&mut stream, b"\r\n\r\n").await;
        let line = head.split(|&b| b == b'\r').next().unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", line.len());
        stream.write_all(&[answer.as_bytes(), line].concat()).await.unwrap();
    })
    .await;
    let world = World::before(upstream).await;
    let targets = [
        "/",
        "/?",
        "/a?",
        "/a?b=%2F%2f&c=//../;",
        "/%2c%2C,%7e~",
        "/caf%c3%A9/",
        "/a/b%20c?q=%00%zz",
        "/a:b@c!$&'()*+=",
        "/a?q=[]{}|",
        "/a??b?c",
    ];
    for target in targets {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n");
        let answer = ask(world.address, request).await;
        assert_eq!(answer.text(), format!("GET {target} HTTP/1.1"));
    }
}

#[tokio::test]
async fn longest_target_passes_and_one_byte_more_is_refused() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let longest = rescind_core::target::TARGET_BYTES_MAX;
    for (length, status) in [(longest, 200), (longest + 1, 400)] {
        let target = format!("/{}", "a".repeat(length - 1));
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n");
        assert_eq!(ask(world.address, request).await.status, status, "{length} bytes");
    }
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn body_arrives_as_it_was_framed_with_any_method() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let mut client = Client::connect(world.address).await;
    for method in ["POST", "GET", "DELETE", "PURGE"] {
        let head = format!("{method} /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n");
        let sized = client.ask(format!("{head}Content-Length: 5\r\n\r\nhello")).await;
        let sized = Seen::of(&sized);
        assert_eq!(
            (sized.body.as_slice(), sized.header("content-length")),
            (&b"hello"[..], vec!["5"])
        );
        assert!(sized.header("transfer-encoding").is_empty());
        let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        let chunked = client.ask(format!("{head}{chunks}")).await;
        let chunked = Seen::of(&chunked);
        assert_eq!(
            (chunked.body.as_slice(), chunked.header("transfer-encoding")),
            (&b"hello"[..], vec!["chunked"])
        );
        assert!(chunked.header("content-length").is_empty());
        let empty = Seen::of(&client.ask(format!("{head}Content-Length: 0\r\n\r\n")).await);
        assert_eq!((empty.body.as_slice(), empty.header("content-length")), (&b""[..], vec!["0"]));
        let none = Seen::of(&client.ask(format!("{head}\r\n")).await);
        assert!(
            none.header("content-length").is_empty() && none.header("transfer-encoding").is_empty()
        );
    }
}

#[tokio::test]
async fn conflicting_lengths_never_make_two_requests_of_one() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let head = format!("POST /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n");
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let both = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ];
    for framing in both {
        let mut client = Client::connect(world.address).await;
        let seen = Seen::of(&client.ask(format!("{head}{framing}\r\n\r\n{smuggled}")).await);
        assert_eq!(
            (seen.header("content-length"), seen.header("transfer-encoding")),
            (vec![], vec!["chunked"])
        );
        // hyper closes after such a request: what follows is never read.
        assert!(client.is_closed().await, "{framing}");
    }
    let refused = [
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 4",
        "Content-Length: +4",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding : chunked",
    ];
    for framing in refused {
        let answer = ask(world.address, format!("{head}{framing}\r\n\r\n{smuggled}")).await;
        assert_eq!(answer.status, 400, "{framing}");
    }
    assert_eq!(echo.requests(), both.len());
}

#[tokio::test]
async fn trailers_end_at_the_gateway() {
    let echo = each_connection(|mut stream| async move {
        let seen = read_until(&mut stream, b"0\r\n\r\n").await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.len());
        stream.write_all(&[answer.as_bytes(), &seen].concat()).await.unwrap();
    })
    .await;
    let world = World::before(echo).await;
    let request = format!(
        "POST /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\nTrailer: x-rescind-subject\r\n\
         TE: trailers\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Rescind-Subject: own_root\r\n\r\n"
    );
    let answer = ask(world.address, request).await;
    assert!(answer.text().ends_with("2\r\nhi\r\n0\r\n\r\n"), "{}", answer.text());
    assert!(
        !answer.text().contains("own_root") && !answer.text().contains("railer"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn upstream_sees_its_own_host_or_the_clients_if_so_configured() {
    let echo = Echo::start().await;
    let request = format!("GET / HTTP/1.1\r\nHost: api.example:8443\r\nX-API-Key: {TOKEN}\r\n\r\n");
    let world = World::before(echo.address).await;
    let seen = Seen::of(&ask(world.address, &request).await);
    assert_eq!(seen.header("host"), [echo.address.to_string()]);
    assert_eq!(seen.header("x-forwarded-host"), ["api.example:8443"]);
    let mut config = config(echo.address);
    config.preserve_host = true;
    let world = World::with(&config).await;
    assert_eq!(Seen::of(&ask(world.address, &request).await).header("host"), ["api.example:8443"]);
}

#[tokio::test]
async fn old_client_is_served_in_its_version() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let mut client = Client::connect(world.address).await;
    let answer = client.ask(format!("GET /a HTTP/1.0\r\nX-API-Key: {TOKEN}\r\n\r\n")).await;
    assert_eq!(answer.version, "HTTP/1.0");
    assert_eq!(Seen::of(&answer).line, "GET /a HTTP/1.1");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn answer_comes_back_without_the_headers_of_its_connection() {
    let upstream = says(
        "HTTP/1.0 418 Short and stout\r\nConnection: close, X-Secret-Hop\r\nX-Secret-Hop: 1\r\n\
         Keep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nX-Rescind-Note: mine\r\nSet-Cookie: a=1\r\n\
         Set-Cookie: b=2\r\n\
         Content-Length: 3\r\n\r\ntea",
    )
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    let request = format!("GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n");
    // Twice on one connection: that the upstream closes its own is none of the client's business.
    for _ in 0..2 {
        let answer = client.ask(&request).await;
        assert_eq!((answer.status, answer.text()), (418, "tea"));
        assert_eq!(answer.version, "HTTP/1.1");
        assert_eq!(answer.header("set-cookie"), ["a=1", "b=2"]);
        assert_eq!(answer.header("x-rescind-note"), ["mine"]);
        for gone in ["connection", "keep-alive", "x-secret-hop", "proxy-authenticate"] {
            assert!(answer.header(gone).is_empty(), "{gone}");
        }
    }
}

#[tokio::test]
async fn answer_to_head_keeps_its_length_and_has_no_body() {
    let upstream = says("HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n").await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    for _ in 0..2 {
        client.send(format!("HEAD /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!((head.status, head.header("content-length")), (200, vec!["300"]));
    }
}

#[tokio::test]
async fn answer_streams_while_the_upstream_still_writes() {
    let upstream = each_connection(|mut stream| async move {
        read_until(&mut stream, b"\r\n\r\n").await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            .await
            .unwrap();
        // Goes on only once the client has said that it saw the first piece.
        read_until(&mut stream, b"never").await;
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    client.send(format!("GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n")).await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(client.take(10).await, b"5\r\nfirst\r\n");
}

#[tokio::test]
async fn request_streams_while_the_client_still_writes() {
    let (arrived, mut first) = tokio::sync::mpsc::unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let arrived = arrived.clone();
        async move {
            read_until(&mut stream, b"first").await;
            arrived.send(()).unwrap();
            read_until(&mut stream, b"last").await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    let head =
        format!("POST /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\nContent-Length: 9\r\n\r\n");
    client.send(format!("{head}first")).await;
    super::wire::in_time(first.recv()).await.unwrap();
    assert_eq!(client.ask("last").await.status, 204);
}

#[tokio::test]
async fn expectation_is_met_by_the_gateway_and_not_passed_on() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let head =
        format!("POST /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\nContent-Length: 2\r\n");
    let mut client = Client::connect(world.address).await;
    client.send(format!("{head}Expect: 100-continue\r\n\r\n")).await;
    assert_eq!(client.take(25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
    let seen = Seen::of(&client.ask("hi").await);
    assert!(seen.header("expect").is_empty() && seen.body == b"hi");
    let unknown = ask(world.address, format!("{head}Expect: 200-ok\r\n\r\nhi")).await;
    assert_eq!(unknown.status, 417);
    assert_eq!(echo.requests(), 1);
}

#[tokio::test]
async fn without_an_upstream_nothing_is_served() {
    let world = World::with(&rescind_server::config::Gateway::default()).await;
    let answer = ask(world.address, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, vec!["application/problem+json"])
    );
}
