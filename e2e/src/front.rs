//! A front that sends each request to a server chosen by lot, whatever connection it came on: what
//! one request has done must hold for the next one everywhere.

use anyhow::Context as _;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::TokioIo;
use rand::seq::IndexedRandom as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Stops when dropped.
pub struct Front {
    address: SocketAddr,
    behind: Arc<Behind>,
    serving: JoinHandle<()>,
}

struct Behind {
    servers: Vec<SocketAddr>,
    /// Requests that each was sent.
    counts: Vec<AtomicUsize>,
}

impl Front {
    pub async fn of(servers: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let counts = servers.iter().map(|_| AtomicUsize::new(0)).collect();
        let behind = Arc::new(Behind { servers, counts });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, Arc::clone(&behind)));
        Ok(Self { address, behind, serving })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests each of them was sent.
    pub fn counts(&self) -> Vec<usize> {
        self.behind.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, behind: Arc<Behind>) {
    while let Ok((stream, _)) = listener.accept().await {
        let behind = Arc::clone(&behind);
        let service = service_fn(move |request| {
            let behind = Arc::clone(&behind);
            async move { forward(&behind, request).await }
        });
        let connection = server::conn::http1::Builder::new()
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

/// On a connection of its own. A server that cannot be reached is a fault of the test: the client's
/// connection ends.
async fn forward(
    behind: &Behind,
    request: Request<Incoming>,
) -> anyhow::Result<Response<BoxBody<Bytes, hyper::Error>>> {
    let lots: Vec<usize> = (0..behind.servers.len()).collect();
    let chosen = *lots.choose(&mut rand::rng()).context("no server")?;
    let address = behind.servers.get(chosen).context("no server")?;
    if let Some(count) = behind.counts.get(chosen) {
        count.fetch_add(1, Ordering::Relaxed);
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
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
