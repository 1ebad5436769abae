//! The HTTP server around "one look-up a request": set up like Rescind's own listener
//! (`crates/server/src/http/listener.rs`), and nothing besides.
//!
//! `X-API-Key` is who asks, by the SHA-256 of its text: 204 if it is known, 401 if it is not.
//! `DELETE` revokes it. Without a store every answer is 204.

mod postgres;
mod redis;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// 204 for whoever asks
    NoContent {
        #[arg(long)]
        listen: SocketAddr,
    },
    /// One GET for each request
    Redis {
        #[arg(long)]
        listen: SocketAddr,
        /// As `redis://127.0.0.1:6379`
        #[arg(long)]
        store: String,
    },
    /// One SELECT for each request
    Postgres {
        #[arg(long)]
        listen: SocketAddr,
        /// As `host=127.0.0.1 port=5432 user=postgres dbname=bench`
        #[arg(long)]
        store: String,
        /// Connections to it; on each, requests follow one another without waiting
        #[arg(long, default_value_t = 4)]
        connections: usize,
    },
}

/// As many threads as `TOKIO_WORKER_THREADS` says, as for Rescind.
pub fn run(what: What) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match what {
            What::NoContent { listen } => serve(listen, Store::None).await,
            What::Redis { listen, store } => {
                serve(listen, Store::Redis(redis::Store::open(&store).await?)).await
            }
            What::Postgres { listen, store, connections } => {
                serve(listen, Store::Postgres(postgres::Store::open(&store, connections).await?))
                    .await
            }
        }
    })
}

#[derive(Clone)]
enum Store {
    None,
    Redis(redis::Store),
    Postgres(postgres::Store),
}

/// The SHA-256 of a token's text.
type Key = [u8; 32];

async fn serve(listen: SocketAddr, store: Store) -> Result<()> {
    let socket = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = socket.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve_connection(stream, store.clone()));
    }
}

async fn serve_connection(stream: TcpStream, store: Store) {
    let service = hyper::service::service_fn(move |request| answer(store.clone(), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // A client that has gone away is no matter.
    let _ = connection.await;
}

async fn answer(
    store: Store,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let revokes = request.method() == Method::DELETE;
    let done = match (&store, key(request.headers())) {
        (Store::None, _) => Ok(true),
        (_, None) => Ok(false),
        (Store::Redis(redis), Some(key)) if revokes => redis.revoke(key).await,
        (Store::Redis(redis), Some(key)) => redis.knows(key).await,
        (Store::Postgres(postgres), Some(key)) if revokes => postgres.revoke(key).await,
        (Store::Postgres(postgres), Some(key)) => postgres.knows(key).await,
    };
    let mut response = Response::new(Empty::new());
    *response.status_mut() = match done {
        Ok(true) => StatusCode::NO_CONTENT,
        Ok(false) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok(response)
}

fn key(headers: &HeaderMap) -> Option<Key> {
    headers.get("x-api-key").map(|text| Sha256::digest(text.as_bytes()).into())
}
