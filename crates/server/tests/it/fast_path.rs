//! What is answered past hyper is answered as hyper would have it, whatever comes.

use crate::server::{Server, listen};
use crate::shortcuts::{TOLD, asked_by_proxies, lines};
use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::Request;
use reqwest::Method;
use rescind_server::http::{Connection, HeadFault, Limits, Listener, Site};
use rescind_server::inside;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Two servers of the same answers: past hyper where that is possible, and never.
struct Both {
    server: Server,
    token: String,
    hyper: String,
    _stop: watch::Sender<bool>,
}

struct ByHyper<S>(S);

impl<S: Site> Site for ByHyper<S> {
    async fn answer(&self, on: Connection, request: Request<Body>) -> Response {
        self.0.answer(on, request).await
    }

    fn refuse_head(&self, path: &str, fault: HeadFault) -> Response {
        self.0.refuse_head(path, fault)
    }
}

/// The verify listener's, once more.
fn inside(server: &Server) -> impl Site {
    let (gatekeeper, forward_auth) = asked_by_proxies(server);
    inside::site(Arc::clone(&server.services), gatekeeper, forward_auth)
}

impl Both {
    async fn start() -> Self {
        let server = Server::start().await;
        let token = server.user_token().await;
        let (stop, stopped) = watch::channel(false);
        let hyper = listen(ByHyper(inside(&server)), &stopped).await;
        Self { server, token, hyper, _stop: stop }
    }

    /// A question without any field that is hyper's.
    fn question(&self) -> String {
        format!(
            "GET /v1/forward-auth/nginx HTTP/1.1\r\nHost: h\r\n{TOLD}X-API-Key: {}\r\n\r\n",
            self.token
        )
    }

    /// What both say to these bytes, when nothing comes after them.
    async fn agree(&self, bytes: &[u8]) -> Vec<String> {
        let (past, hyper) =
            tokio::join!(alone(&self.server.verify, bytes), alone(&self.hyper, bytes));
        let (past, hyper) = (lines(&past), lines(&hyper));
        assert_eq!(past, hyper, "{}", String::from_utf8_lossy(bytes));
        past
    }
}

/// Sends, and reads to the end. Who is told that this was all while it answers may leave the answer
/// unsaid, so it is told when it has begun, or is silent.
async fn alone(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(3), stream.read_buf(&mut answer)).await;
    let _ = stream.shutdown().await;
    let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    // To be cut off is an answer too.
    let _ = read.expect("it waits for more");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Each byte left out, doubled, and replaced by each that means something somewhere.
#[tokio::test(flavor = "multi_thread")]
async fn any_wrong_byte_is_answered_the_same() {
    const MEANINGFUL: &[u8] = b"\0\t\n\r !\"#%+,/0:;?@A\\\x7f\x80\xff";
    let both = Both::start().await;
    let question = both.question();
    let question = question.as_bytes();
    let wrong = |at: usize| {
        let (before, one, after) = (&question[..at], &question[at..=at], &question[at + 1..]);
        let instead = MEANINGFUL.chunks(1).filter(|other| *other != one).map(<[u8]>::to_vec);
        let instead = instead.chain([vec![], [one, one].concat()]);
        instead.map(|other| [before, &other, after].concat()).collect::<Vec<_>>()
    };
    let classes = stream::iter((0..question.len()).flat_map(wrong))
        .map(async |bytes| {
            let lines = both.agree(&bytes).await;
            let status = lines.iter().find_map(|line| line.strip_prefix("HTTP/1.1 "));
            status.map(|status| status.as_bytes()[0])
        })
        .buffer_unordered(64)
        .collect::<Vec<_>>()
        .await;
    // Some of each kind, or this would hold nothing against anything.
    for class in [Some(b'2'), Some(b'4')] {
        let count = classes.iter().filter(|found| **found == class).count();
        assert!(count > 20, "{class:?}: {count} of {}", classes.len());
    }
}

#[tokio::test]
async fn what_is_hypers_is_answered_the_same() {
    let both = Both::start().await;
    let question = both.question();
    let with = |field: &str| question.replace("Host: h\r\n", &format!("Host: h\r\n{field}\r\n"));
    let instead = |what: &str, other: &str| question.replacen(what, other, 1);
    let many: String = (0..58).map(|n| format!("x-{n}: y\r\n")).collect();
    let cases = [
        with("Content-Length: 0"),
        with("Content-Length: 3") + "abc",
        with("Content-Length: 1\r\nContent-Length: 1") + "a",
        with("Transfer-Encoding: chunked") + "1\r\na\r\n0\r\n\r\n",
        with("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n",
        with("Content-Length: 3\r\nTransfer-Encoding: chunked") + "0\r\n\r\n",
        with("Expect: 100-continue"),
        with("Expect: a-miracle"),
        with("Connection: keep-alive"),
        with("Connection: close"),
        with("connection: x-api-key"),
        with("Upgrade: websocket\r\nConnection: upgrade"),
        with("Host: h"),
        with(" folded"),
        with("X-Real-IP: 198.51.100.8"),
        with("X-API-Key: other"),
        with("Authorization: Bearer other"),
        with("lmts-api-key: other"),
        with(&many),
        with(&format!("x-long: {}", "y".repeat(5_000))),
        with(&format!("x-too-long: {}", "y".repeat(17_000))),
        with("x-bytes: \u{e9}\u{20ac}"),
        instead("Host: h\r\n", ""),
        instead("GET", "HEAD"),
        instead("GET", "POST"),
        instead("GET", "OPTIONS"),
        instead("GET", "CONNECT"),
        instead("GET", "G\u{eb}T"),
        instead("HTTP/1.1", "HTTP/1.0"),
        instead("HTTP/1.1", "HTTP/2.0"),
        instead("/v1/", "http://h/v1/"),
        instead("/nginx", "/nginx#x"),
        instead("/nginx", "/nginx?x=/require/y"),
        instead("/nginx", "/nginx/require/trading"),
        instead("/nginx", "/nginx/require/"),
        instead("/nginx", "/apache"),
        instead("/nginx", "/traefik"),
        instead("/nginx", "/envoy/any/a%20b?c"),
        instead("/nginx", "/envoy/any/../b"),
        instead("/nginx", ""),
        question.replace("\r\n", "\n"),
        format!("\r\n\r\n{question}"),
        question[..question.len() - 2].to_owned(),
        String::new(),
    ];
    for case in &cases {
        both.agree(case.as_bytes()).await;
    }
    // Those that a connection was handed on for have not moved where the next request begins.
    for case in cases.iter().take(3) {
        let lines = both.agree(format!("{question}{case}{question}").as_bytes()).await;
        assert!(lines.iter().any(|line| line.starts_with("HTTP/1.1 ")), "{lines:?}");
    }
}

#[tokio::test]
async fn questions_that_come_together_or_in_pieces_are_all_answered() {
    let both = Both::start().await;
    let question = both.question();
    let unknown = question.replace("X-API-Key: ", "X-API-Key: x");
    let all = [&*question, &unknown, &question, &question].concat();
    let together = both.agree(all.as_bytes()).await;
    let of = |status: &str| together.concat().matches(status).count();
    assert_eq!((of("HTTP/1.1 200"), of("HTTP/1.1 401")), (3, 1), "{together:?}");
    let address = both.server.verify.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in all.as_bytes().chunks(100) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(lines(&answer), together);
}

#[tokio::test]
async fn revoked_token_is_refused_on_an_open_connection_past_hyper() {
    let both = Both::start().await;
    let address = both.server.verify.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut ask = async || {
        stream.write_all(both.question().as_bytes()).await.unwrap();
        let mut read = [0; 4_096];
        let count = stream.read(&mut read).await.unwrap();
        String::from_utf8_lossy(&read[..count]).into_owned()
    };
    assert!(ask().await.starts_with("HTTP/1.1 200"));
    let token = json!({ "token": both.token });
    both.server.admin(Method::POST, "/v1/tokens/revoke", token).await.expect(200);
    assert!(ask().await.starts_with("HTTP/1.1 401"));
}

/// Of a listener that gives up who is idle after so long.
async fn served(both: &Both, header_timeout: Duration) -> (SocketAddr, watch::Sender<bool>) {
    let limits = Limits { connections_max: 10, header_timeout, body_timeout: header_timeout };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let address = listener.address().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(listener.serve(inside(&both.server), stopped));
    (address, stop)
}

#[tokio::test]
async fn idle_connection_is_given_up_and_one_that_asks_is_not() {
    let both = Both::start().await;
    let idle = Duration::from_millis(1_600);
    let (address, _stop) = served(&both, idle).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut asking = TcpStream::connect(address).await.unwrap();
    let mut read = [0; 4_096];
    for _ in 0..6 {
        asking.write_all(both.question().as_bytes()).await.unwrap();
        assert_ne!(asking.read(&mut read).await.unwrap(), 0);
        tokio::time::sleep(idle / 4).await;
    }
    assert_eq!(timeout(idle, silent.read(&mut read)).await.unwrap().unwrap(), 0);
    assert_eq!(timeout(idle * 3, asking.read(&mut read)).await.unwrap().unwrap(), 0);
    // One who begins, and does not go on.
    let mut dripping = TcpStream::connect(address).await.unwrap();
    dripping.write_all(b"GET /v1/forward-auth/nginx HTTP/1.1\r\n").await.unwrap();
    let ended = timeout(idle * 3, dripping.read(&mut read)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn idle_connection_ends_with_its_server() {
    let both = Both::start().await;
    let (address, stop) = served(&both, Duration::from_secs(30)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(both.question().as_bytes()).await.unwrap();
    let mut read = [0; 4_096];
    assert_ne!(stream.read(&mut read).await.unwrap(), 0);
    stop.send(true).unwrap();
    assert_eq!(timeout(Duration::from_secs(5), stream.read(&mut read)).await.unwrap().unwrap(), 0);
}
