//! One HTTP/2 connection: what it may cost, and when it is given up.
//!
//! In HTTP/2 a peer opens streams for nothing, resets them for nothing, and need never send the
//! rest of a request. A server that only bounds connections is held by one of them. So streams,
//! header lists, windows and resets are bounded; a request must have arrived whole after
//! `header_timeout`; and a connection without an open stream is closed after `idle_timeout`, the
//! first one due after `header_timeout`. hyper has no timer for any of these but the ping.

use super::Limits;
use super::room::{Metered, Room};
use crate::http::Connection;
use crate::http::listener::{Accepted, DRAIN_TIMEOUT, turned_true};
use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tonic::Status;
use tower::ServiceExt;

/// Most requests at once on one connection. Envoy opens another connection beyond it.
pub const STREAMS_MAX: u32 = 256;
/// Most bytes of one request's gRPC headers. Those of the client's request are in the message.
pub const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// Most bytes that a peer may send ahead of us, on one stream and on all of a connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Most bytes of an answer that wait for a peer to take them; answers have a few thousand.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Most streams that a peer may open and reset before we look at them; then the connection ends
/// (CVE-2023-44487). As many as it may have open: a client that leaves takes all of its requests
/// back at once, and must not take the connection from all the others behind the same proxy.
const RESETS_MAX: usize = STREAMS_MAX as usize;
/// Most streams that we reset for an error of the peer's, while a connection lives (CVE-2025-8671).
const ERRORS_MAX: usize = 1_024;
/// A connection whose peer has vanished without a word is found out after both together.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to agree that a connection without requests is over.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What all connections share.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) router: Router,
    pub(super) room: Arc<Room>,
    pub(super) limits: Limits,
}

pub(super) async fn serve(accepted: Accepted, site: Site) {
    let Accepted { stream, peer, stop } = accepted;
    let limits = site.limits;
    let about = Connection { peer, body_timeout: limits.header_timeout };
    let (open, opened) = watch::channel(0);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(about);
        answer(site.clone(), request, Open::new(&open))
    });
    let connection = builder().serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = until_idle(opened.clone(), limits) => close(connection, opened).await,
        () = turned_true(stop) => close(connection, opened).await,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

fn builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(ERRORS_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

type Served<S> = http2::Connection<TokioIo<tokio::net::TcpStream>, S, TokioExecutor>;

/// Finishes the requests in flight and takes no further ones. A peer that does not go along is cut
/// off: hyper would wait for the rest of its handshake, or for its answer to a ping, for ever.
async fn close<S>(
    mut connection: Pin<&mut Served<S>>,
    mut open: watch::Receiver<usize>,
) -> hyper::Result<()>
where
    S: hyper::service::HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    connection.as_mut().graceful_shutdown();
    let finished = async {
        let _ = open.wait_for(|streams| *streams == 0).await;
        tokio::time::sleep(GOODBYE_TIMEOUT).await;
    };
    tokio::select! {
        ended = connection => ended,
        () = finished => Ok(()),
        () = tokio::time::sleep(DRAIN_TIMEOUT) => Ok(()),
    }
}

/// Ends when no stream has been open for long enough.
async fn until_idle(mut open: watch::Receiver<usize>, limits: Limits) {
    let mut patience = limits.header_timeout;
    loop {
        let streams = *open.borrow_and_update();
        let changed = if streams > 0 {
            open.changed().await
        } else {
            match tokio::time::timeout(patience, open.changed()).await {
                Err(_) => return,
                Ok(changed) => changed,
            }
        };
        if changed.is_err() {
            // The connection ends by itself.
            return std::future::pending().await;
        }
        patience = limits.idle_timeout;
    }
}

async fn answer(
    site: Site,
    request: Request<Incoming>,
    open: Open,
) -> Result<Response<Body>, Infallible> {
    let place = site.room.place();
    let metered = Arc::clone(&place);
    let request = request.map(|body| Body::new(Metered::new(body, metered)));
    let answered = site.router.oneshot(request);
    let response = match tokio::time::timeout(site.limits.header_timeout, answered).await {
        Ok(Ok(response)) => response,
        Err(_) => Status::deadline_exceeded("the message did not arrive in time").into_http(),
    };
    // The message is held until here.
    drop(place);
    Ok(response.map(|body| Body::new(Answered { body, _open: open })))
}

/// One more open stream, until it is dropped.
#[derive(Debug)]
struct Open(watch::Sender<usize>);

impl Open {
    fn new(streams: &watch::Sender<usize>) -> Self {
        streams.send_modify(|open| *open += 1);
        Self(streams.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// A stream is open until its answer has been taken.
struct Answered {
    body: Body,
    _open: Open,
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
