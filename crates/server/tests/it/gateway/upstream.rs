//! Programs behind the gateway: one that shows what it was sent, and ones that misbehave.

use super::wire::{Answer, in_time};
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers with the request that it got, as text.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Echo {
    pub(crate) async fn start() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&requests);
        let address = each_connection(move |stream| {
            let seen = Arc::clone(&seen);
            let service = hyper::service::service_fn(move |request| {
                seen.fetch_add(1, Ordering::SeqCst);
                show(request)
            });
            let http = hyper::server::conn::http1::Builder::new();
            async move { drop(http.serve_connection(TokioIo::new(stream), service).await) }
        })
        .await;
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn show(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", parts.method, parts.uri, parts.version).into_bytes();
    for (name, value) in &parts.headers {
        text.extend_from_slice(format!("{name}: ").as_bytes());
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(&body.collect().await?.to_bytes());
    Ok(Response::new(Body::from(text)))
}

/// What an [`Echo`] was sent.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (head, body) = answer.text().split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let line = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { line, headers, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(other, _)| other == name);
        same.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// An upstream that does with each connection what `act` says, and its address.
pub(crate) async fn each_connection<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(stream));
        }
    });
    address
}

/// Reads a request up to `end`, which is enough where the request is known.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end) {
        match in_time(stream.read_u8()).await {
            Ok(byte) => bytes.push(byte),
            Err(_) => break,
        }
    }
    bytes
}

/// Reads a request's head, then says `answer`, and closes.
pub(crate) async fn says(answer: &'static str) -> SocketAddr {
    each_connection(move |mut stream| async move {
        read_until(&mut stream, b"\r\n\r\n").await;
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}
