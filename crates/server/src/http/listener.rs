//! Accepting connections, bounded in number and in time, until told to stop.
//!
//! `axum::serve` gives hyper no timer, and without one hyper's header time-out is silently off: a
//! client that drips its header holds a connection for ever. So connections are served here, with a
//! timer.

use super::site::Site;
use super::{fast_path, head};
use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{HeaderValue, Request, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

/// Most header fields in a request.
pub const HEADERS_MAX: usize = 64;
/// Most bytes of request line and headers together: hyper reads the head into this buffer.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a stopping server waits for requests in flight.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is known of the connection that a request came on.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    pub peer: SocketAddr,
    /// How long a body may take that is read whole before it is acted on.
    pub body_timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections_max: usize,
    /// From the first byte that may be sent to the end of the head; also how long a connection may
    /// idle (on the fast path up to a quarter longer).
    pub header_timeout: Duration,
    pub body_timeout: Duration,
}

#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
}

impl Listener {
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, limits })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves HTTP/1.1 until `stop` turns true, then lets requests in flight finish within
    /// [`DRAIN_TIMEOUT`].
    pub async fn serve(self, site: impl Site, stop: watch::Receiver<bool>) {
        let (site, limits) = (Arc::new(site), self.limits);
        self.serve_each(stop, |accepted| serve_connection(accepted, Arc::clone(&site), limits))
            .await;
    }

    /// As [`Listener::serve`], with another way to serve a connection. It must end by itself soon
    /// after `stop` has turned true.
    pub(crate) async fn serve_each<S, F>(self, stop: watch::Receiver<bool>, serve: S)
    where
        S: Fn(Accepted) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(self.limits.connections_max));
        let connections = TaskTracker::new();
        let mut stopped = std::pin::pin!(turned_true(stop.clone()));
        loop {
            let next = async {
                // Beyond the limit connections wait in the kernel's queue; idle ones time out and
                // make room.
                let place = Arc::clone(&places).acquire_owned().await;
                (self.socket.accept().await, place)
            };
            tokio::select! {
                biased;
                () = &mut stopped => break,
                (accepted, place) = next => match accepted {
                    Ok((stream, peer)) => {
                        // Answers are small and whole; waiting to fill a packet only delays them.
                        let _ = stream.set_nodelay(true);
                        end_if_unread(&stream, self.limits.header_timeout);
                        let serving = serve(Accepted { stream, peer, stop: stop.clone() });
                        connections.spawn(async move {
                            serving.await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        connections.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
            tracing::warn!("requests still in flight were cut off");
        }
    }
}

/// A connection, ready to be served.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) stop: watch::Receiver<bool>,
}

async fn serve_connection<S: Site>(accepted: Accepted, site: Arc<S>, limits: Limits) {
    let Accepted { mut stream, peer, stop } = accepted;
    let on = Connection { peer, body_timeout: limits.body_timeout };
    // In a set of its own it is looked at when it has turned, and not with each byte that comes.
    let mut stop = FuturesUnordered::from_iter([turned_true(stop)]);
    if S::ANSWERS_HEADS {
        let stopped = async { stop.next().await.unwrap_or_default() };
        let Some(read) = fast_path::serve(&mut stream, on, &*site, limits, stopped).await else {
            return;
        };
        let (rest, to) = stream.into_split();
        let stream = tokio::io::join(Cursor::new(read).chain(rest), to);
        serve_with_hyper(stream, on, site, limits, stop).await;
    } else {
        serve_with_hyper(stream, on, site, limits, stop).await;
    }
}

async fn serve_with_hyper<S: Site>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    on: Connection,
    site: Arc<S>,
    limits: Limits,
    mut stop: FuturesUnordered<impl Future<Output = ()>>,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        answer(Arc::clone(&site), on, request.map(body))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .writev(!S::ANSWERS_ARE_SMALL)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        _ = stop.next() => {
            // Finishes the request in flight, if there is one, and takes no further one.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

/// A client that asks and never reads would hold its place for ever: hyper waits for it to take the
/// answer, without a time-out. The kernel ends the connection once what we sent has not been taken
/// for so long (TCP_USER_TIMEOUT).
fn end_if_unread(stream: &TcpStream, timeout: Duration) {
    let millis = timeout.as_millis().try_into().unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(stream, millis) {
        tracing::warn!(%error, "a client that does not read cannot be given up");
    }
}

async fn answer(
    site: Arc<impl Site>,
    on: Connection,
    request: Request<Body>,
) -> Result<Response, Infallible> {
    let Err(fault) = head::check(&request) else {
        return Ok(site.answer(on, request).await);
    };
    let mut refusal = site.refuse_head(request.uri().path(), fault);
    refusal.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(refusal)
}

/// Most requests have no body, and none needs no allocation.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}

/// Also when nobody is left who could turn it.
pub(crate) async fn turned_true(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopped| *stopped).await;
}
