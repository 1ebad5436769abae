//! An upstream that is down, slow or dies, and a client that pauses or goes.

use super::upstream::{Echo, each_connection, read_until, says};
use super::wire::{Client, ask, in_time};
use super::world::{SHORT, TOKEN, World, config, signed};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

fn get() -> String {
    format!("GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n")
}

fn post(length: usize) -> String {
    format!("POST /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\nContent-Length: {length}\r\n\r\n")
}

async fn impatient(upstream: SocketAddr) -> World {
    let mut config = config(upstream);
    config.response_timeout = SHORT;
    World::with(&config).await
}

#[tokio::test]
async fn upstream_that_is_down_is_502_and_back_is_200() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::before(address).await;
    let mut client = Client::connect(world.address).await;
    let answer = client.ask(get()).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (502, vec!["application/problem+json"])
    );
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_until(&mut stream, b"\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    });
    assert_eq!(client.ask(get()).await.status, 204);
}

#[tokio::test]
async fn upstream_that_does_not_answer_in_time_is_504() {
    let upstream = each_connection(|mut stream| async move {
        read_until(&mut stream, b"never").await;
    })
    .await;
    let world = impatient(upstream).await;
    assert_eq!(ask(world.address, get()).await.status, 504);
    assert_eq!(ask(world.address, format!("{}hello", post(5))).await.status, 504);
    let signed = signed("POST", "/a", b"hello");
    let request = format!("POST /a HTTP/1.1\r\nHost: x\r\n{signed}Content-Length: 5\r\n\r\nhello");
    assert_eq!(ask(world.address, request).await.status, 504);
}

#[tokio::test]
async fn upstream_that_takes_no_body_is_504() {
    let upstream = each_connection(|stream| async move {
        // Open, and never read from.
        tokio::time::sleep(Duration::from_secs(30)).await;
        drop(stream);
    })
    .await;
    let world = impatient(upstream).await;
    let mut client = Client::connect(world.address).await;
    const MANY: usize = 64 * 1024 * 1024;
    client.send(post(MANY)).await;
    let piece = vec![b'x'; 1024 * 1024];
    let upload = async {
        for _ in 0..MANY / piece.len() {
            client.send(&piece).await;
        }
    };
    let _ = tokio::time::timeout(SHORT * 4, upload).await;
    assert_eq!(client.answer().await.status, 504);
}

#[tokio::test]
async fn upstream_that_cannot_be_connected_to_in_time_is_504() {
    // A full accept queue: the kernel leaves further connections unanswered.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let waiting: Vec<_> = (0..8).map(|_| tokio::spawn(TcpStream::connect(address))).collect();
    tokio::time::sleep(SHORT).await;
    // This one accepts, and never says a word of TLS.
    let mute = each_connection(|mut stream| async move {
        read_until(&mut stream, b"never").await;
    })
    .await;
    for upstream in [format!("http://{address}"), format!("https://{mute}")] {
        let mut config = config(address);
        config.upstream = Some(upstream);
        config.connect_timeout = SHORT;
        let world = World::with(&config).await;
        assert_eq!(ask(world.address, get()).await.status, 504);
    }
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn slow_client_is_no_reason_to_blame_the_upstream() {
    let echo = Echo::start().await;
    let mut config = config(echo.address);
    // The client may pause for longer than the upstream.
    config.response_timeout = SHORT / 3;
    let world = World::with(&config).await;
    let mut client = Client::connect(world.address).await;
    client.send(post(3)).await;
    for piece in ["a", "b", "c"] {
        tokio::time::sleep(SHORT / 2).await;
        client.send(piece).await;
    }
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn body_that_never_comes_is_408() {
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let mut client = Client::connect(world.address).await;
    client.send(format!("{}he", post(5))).await;
    assert_eq!(client.answer().await.status, 408);
    assert!(client.is_closed().await);
    assert_eq!(ask(world.address, get()).await.status, 200);
}

#[tokio::test]
async fn answer_that_breaks_off_is_never_passed_on_as_complete() {
    let broken = [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nxx\r\n",
    ];
    for answer in broken {
        let world = World::before(says(answer).await).await;
        let mut client = Client::connect(world.address).await;
        let answer = client.ask(get()).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.complete, "{answer:?}");
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn answer_that_is_not_http_is_502() {
    let answers = [
        "",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ];
    for answer in answers {
        let world = World::before(says(answer).await).await;
        assert_eq!(ask(world.address, get()).await.status, 502, "{answer:?}");
    }
}

/// Tells when a connection ends, and what came on it after the head.
async fn watched() -> (SocketAddr, mpsc::UnboundedReceiver<Vec<u8>>) {
    let (ended, ends) = mpsc::unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let ended = ended.clone();
        async move {
            read_until(&mut stream, b"\r\n\r\n").await;
            let early = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
            let _ = stream.write_all(early).await;
            let mut body = Vec::new();
            let _ = stream.read_to_end(&mut body).await;
            let _ = ended.send(body);
        }
    })
    .await;
    (upstream, ends)
}

#[tokio::test]
async fn client_that_goes_while_it_sends_takes_the_upstream_connection_with_it() {
    let (upstream, mut ends) = watched().await;
    let world = World::before(upstream).await;
    let chunked = post(8).replace("Content-Length: 8", "Transfer-Encoding: chunked");
    // The upstream sees a body that breaks off, not one that ends.
    for (head, piece) in [(post(8), "half"), (chunked, "4\r\nhalf\r\n")] {
        let mut client = Client::connect(world.address).await;
        client.send(format!("{head}{piece}")).await;
        assert_eq!(client.head().await.status, 200);
        drop(client);
        assert_eq!(in_time(ends.recv()).await.unwrap(), piece.as_bytes());
    }
}

#[tokio::test]
async fn client_that_goes_while_it_reads_takes_the_upstream_connection_with_it() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let ended = ended.clone();
        async move {
            read_until(&mut stream, b"\r\n\r\n").await;
            let mut said =
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            while said.is_ok() {
                said = stream.write_all(b"1\r\nx\r\n").await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let _ = ended.send(());
        }
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    client.send(get()).await;
    assert_eq!(client.head().await.status, 200);
    drop(client);
    in_time(ends.recv()).await.unwrap();
}

#[tokio::test]
async fn request_that_may_have_been_seen_is_never_sent_again() {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    // Answers one request on each connection, reads the next and dies without a word.
    let upstream = each_connection(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""] {
                if read_until(&mut stream, b"hello").await.is_empty() {
                    return;
                }
                seen.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    assert_eq!(client.ask(format!("{}hello", post(5))).await.status, 200);
    assert_eq!(client.ask(format!("{}hello", post(5))).await.status, 502);
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn pooled_connection_that_the_upstream_closed_costs_no_request() {
    // Each connection serves one request and is closed, although its answer does not say so.
    let upstream = says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    for _ in 0..20 {
        assert_eq!(client.ask(get()).await.status, 200);
        // The close has to arrive; a request that crosses it on the wire is 502 by design.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
