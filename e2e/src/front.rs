//! A front that sends each request to a server chosen by lot, whatever connection it came on: what
//! one request has done must hold for the next one everywhere.
//!
//! It reads the requests for that, so it would repair or refuse what hostile tests are about. For
//! them the lot is drawn for each connection, and not a byte is looked at.

use anyhow::Context as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rand::seq::IndexedRandom as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What goes to a server chosen by lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Over HTTP/1.1.
    Request,
    /// A request over HTTP/2: gRPC.
    Stream,
    /// As it is, byte for byte.
    Connection,
}

/// Stops when dropped.
pub struct Front {
    address: SocketAddr,
    behind: Arc<Behind>,
    serving: JoinHandle<()>,
}

struct Behind {
    servers: Vec<SocketAddr>,
    each: Each,
    /// How often the lot fell on each.
    counts: Vec<AtomicUsize>,
}

impl Front {
    pub async fn of(servers: Vec<SocketAddr>, each: Each) -> anyhow::Result<Self> {
        let counts = servers.iter().map(|_| AtomicUsize::new(0)).collect();
        let behind = Arc::new(Behind { servers, each, counts });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, Arc::clone(&behind)));
        Ok(Self { address, behind, serving })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests, or connections, each of them was sent.
    pub fn counts(&self) -> Vec<usize> {
        self.behind.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Behind {
    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let lots: Vec<usize> = (0..self.servers.len()).collect();
        let chosen = *lots.choose(&mut rand::rng()).context("no server")?;
        let address = self.servers.get(chosen).context("no server")?;
        if let Some(count) = self.counts.get(chosen) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn serve(listener: TcpListener, behind: Arc<Behind>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(attend(client, Arc::clone(&behind)));
    }
}

/// A server that cannot be reached is a fault of the test, or what it is about: the client's
/// connection ends.
async fn attend(client: TcpStream, behind: Arc<Behind>) -> anyhow::Result<()> {
    client.set_nodelay(true)?;
    let each = behind.each;
    let service = service_fn(|request| forward(Arc::clone(&behind), request));
    match each {
        Each::Request => {
            let http = server::conn::http1::Builder::new().preserve_header_case(true).clone();
            http.serve_connection(TokioIo::new(client), service).await?;
        }
        Each::Stream => {
            let http = server::conn::http2::Builder::new(TokioExecutor::new());
            http.serve_connection(TokioIo::new(client), service).await?;
        }
        Each::Connection => join(client, behind.connect().await?).await,
    }
    Ok(())
}

/// Each way until it ends, whatever has become of the other: a server that has heard enough still
/// has its answer to give.
async fn join(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = async {
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let back = async {
        let _ = copy(&mut from_server, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::join!(there, back);
}

/// On a connection of its own.
async fn forward(
    behind: Arc<Behind>,
    request: Request<Incoming>,
) -> anyhow::Result<Response<BoxBody<Bytes, hyper::Error>>> {
    let stream = TokioIo::new(behind.connect().await?);
    let response = if behind.each == Each::Stream {
        let (mut sender, connection) =
            client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    } else {
        let (mut sender, connection) = client::conn::http1::Builder::new()
            .preserve_header_case(true)
            .handshake(stream)
            .await?;
        tokio::spawn(connection);
        sender.send_request(request).await?
    };
    let (mut head, body) = response.into_parts();
    // The server speaks of its connection, not of the client's.
    head.headers.remove("connection");
    let body = if head.status == 204 {
        Full::default().map_err(|e| match e {}).boxed()
    } else {
        body.boxed()
    };
    Ok(Response::from_parts(head, body))
}
