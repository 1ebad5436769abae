//! One connection to the upstream, and the request that is on it.
//!
//! The usual way has a task for each connection, to which requests are handed over, and which hands
//! the answers back: each request then wakes a task of another connection, and is woken by it. Here
//! a connection belongs to the request that uses it, and is driven by the task that waits for the
//! answer: first for its head, then for its body ([`Answered`]). At its end it goes back to the
//! [`Pool`].

use super::body::Turns;
use super::pool::Pool;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

pub(super) struct Link {
    sender: SendRequest<Body>,
    /// Reads and writes whenever it is polled.
    connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    /// The connection is over, and must not be asked again.
    ended: bool,
    /// Moved from request to request: to set up a timer takes longer than to move its end.
    silence: Pin<Box<Sleep>>,
}

/// Why there is no answer.
pub(super) enum Failed {
    /// The connection was closed before a byte of the request was written: here it is again.
    Unsent(Box<Request<Body>>),
    Broken(hyper::Error),
    /// The connection ended without a word.
    Ended,
    /// The upstream had its turn, and did nothing.
    Silent,
}

impl Link {
    pub(super) async fn over(stream: Stream) -> hyper::Result<Box<Self>> {
        let (sender, connection) = http1::Builder::new().handshake(stream).await?;
        let connection = Box::pin(connection.with_upgrades());
        let silence = Box::pin(tokio::time::sleep(Duration::ZERO));
        Ok(Box::new(Self { sender, connection, ended: false, silence }))
    }

    /// Whether it can take a request, as far as is known by now.
    pub(super) fn is_idle(&mut self) -> bool {
        // Nobody waits: whoever goes on to use it asks again.
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.ended && self.sender.is_ready()
    }

    /// Waits for the answer's head. `deadline` is for the upstream's first turn, and each further
    /// one may take `patience`.
    pub(super) async fn ask(
        &mut self,
        request: Request<Body>,
        turns: &Turns,
        deadline: Instant,
        patience: Duration,
    ) -> Result<Response<Incoming>, Failed> {
        // Not interrupted for the sake of other tasks: it would have to be woken again.
        let mut answer = pin!(unconstrained(self.sender.try_send_request(request)));
        self.silence.as_mut().reset(deadline);
        let mut seen = turns.now();
        poll_fn(|cx| {
            self.drive(cx);
            // The answer comes from the connection, which has just been asked: nobody is to be
            // woken.
            let answered = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(answered) = answered {
                return Poll::Ready(answered.map_err(|mut error| match error.take_message() {
                    Some(request) => Failed::Unsent(Box::new(request)),
                    None => Failed::Broken(error.into_error()),
                }));
            }
            if self.ended {
                return Poll::Ready(Err(Failed::Ended));
            }
            let now = turns.now();
            if now != seen {
                seen = now;
                self.silence.as_mut().reset(Instant::now() + patience);
            }
            match now.is_upstreams() && self.silence.as_mut().poll(cx).is_ready() {
                true => Poll::Ready(Err(Failed::Silent)),
                false => Poll::Pending,
            }
        })
        .await
    }

    /// Goes on as what both sides have switched to.
    pub(super) fn switch(self) {
        if !self.ended {
            tokio::spawn(self.connection);
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.ended {
            // How it ended is told with the answer, or with its body.
            self.ended = self.connection.as_mut().poll(cx).is_ready();
        }
    }

    fn is_free(&self) -> bool {
        self.ended || self.sender.is_ready()
    }

    /// After the end of an answer.
    fn release(mut self: Box<Self>, pool: Arc<Pool>) {
        if self.is_free() {
            return pool.put(self);
        }
        // The answer came before the end of the request, which is still on its way.
        tokio::spawn(async move {
            poll_fn(|cx| {
                self.drive(cx);
                if self.is_free() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            pool.put(self);
        });
    }
}

/// An answer's body, on the link that it comes on. Dropped before its end it takes the connection
/// with it.
pub(super) struct Answered {
    body: Incoming,
    link: Option<(Box<Link>, Arc<Pool>)>,
    /// It broke off, which is yet to be said.
    broken: Option<hyper::Error>,
}

impl Answered {
    pub(super) fn body(body: Incoming, link: Box<Link>, pool: &Arc<Pool>) -> Body {
        if body.is_end_stream() {
            link.release(Arc::clone(pool));
            return Body::empty();
        }
        Body::new(Self { body, link: Some((link, Arc::clone(pool))), broken: None })
    }
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let mut next = Pin::new(&mut this.body).poll_frame(cx);
        if next.is_pending()
            && let Some((link, _)) = &mut this.link
        {
            link.drive(cx);
            // What it left unsaid the body learns when it is dropped.
            if link.has_ended() {
                this.link = None;
            }
            next = Pin::new(&mut this.body).poll_frame(cx);
        }
        let is_over = matches!(next, Poll::Ready(None)) || this.body.is_end_stream();
        if is_over && let Some((link, pool)) = this.link.take() {
            link.release(pool);
        }
        if let Poll::Ready(Some(Err(error))) = next {
            // A moment later, because hyper drops with the connection what it has not sent yet of
            // what came before: the client would not even see the answer's head.
            this.broken = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
