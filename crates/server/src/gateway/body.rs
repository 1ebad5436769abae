//! Bodies on their way: passed on as they come (bearer), or as they were read and verified
//! (signed).
//!
//! While a body streams, two may be slow, and they are told apart by [`Turn`]: a client that pauses
//! is answered 408, an upstream that neither takes a piece nor answers is 504. A body that breaks
//! off breaks off upstream too; it is never ended as if it were complete.

use crate::access::{BodyFault, body_timeout};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use http_body::{Body as _, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Sleep;

/// Whom a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Client,
    Upstream,
}

/// A body as it goes upstream.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) body: Body,
    /// Follows the body; closed once it is gone.
    pub(super) turn: watch::Receiver<Turn>,
    framing: Framing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// No body, and none was announced.
    None,
    Length(u64),
    Chunked,
}

impl Outgoing {
    /// Passed on as it comes.
    pub(super) fn streamed(body: Body, parts: &Parts) -> Self {
        let framing = match body.size_hint().exact() {
            Some(0) if !parts.headers.contains_key(header::CONTENT_LENGTH) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        let (turn, follower) = watch::channel(Turn::Upstream);
        if body.is_end_stream() {
            return Self { body: Body::empty(), turn: follower, framing };
        }
        let pause_max = body_timeout(&parts.extensions);
        let body = Body::new(Streamed { body, pause_max, pause: None, turn });
        Self { body, turn: follower, framing }
    }

    /// Read already; its length is known, however it was framed before.
    pub(super) fn whole(bytes: Bytes, headers: &HeaderMap) -> Self {
        let announced = headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        let framing = match bytes.len() {
            0 if !announced => Framing::None,
            length => Framing::Length(length.try_into().unwrap_or(u64::MAX)),
        };
        let (_, turn) = watch::channel(Turn::Upstream);
        Self { body: Body::from(bytes), turn, framing }
    }

    /// Sets the headers that frame this body. Said outright, because hyper drops a chunked body of
    /// a GET.
    pub(super) fn describe(&self, headers: &mut HeaderMap) {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
        match self.framing {
            Framing::None => {}
            Framing::Length(length) => {
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            }
            Framing::Chunked => {
                headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self.framing, Framing::None | Framing::Length(0))
    }
}

/// A client's body that is given up when it pauses for too long, and that ends with its data:
/// trailers would be headers that nobody has looked at.
struct Streamed {
    body: Body,
    pause_max: Duration,
    pause: Option<Pin<Box<Sleep>>>,
    turn: watch::Sender<Turn>,
}

impl http_body::Body for Streamed {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(context) else {
            return this.poll_pause(context).map(|fault| Some(Err(fault)));
        };
        this.pause = None;
        this.turn.send_replace(Turn::Upstream);
        Poll::Ready(match next {
            Some(Ok(frame)) if frame.is_data() => Some(Ok(frame)),
            Some(Ok(_)) | None => None,
            Some(Err(_)) => Some(Err(BodyFault::Broken)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Streamed {
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<BodyFault> {
        let turn = &self.turn;
        let pause = self.pause.get_or_insert_with(|| {
            turn.send_replace(Turn::Client);
            Box::pin(tokio::time::sleep(self.pause_max))
        });
        ready!(pause.as_mut().poll(context));
        Poll::Ready(BodyFault::Slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::{BodyExt, StreamBody};

    #[tokio::test]
    async fn trailers_are_not_handed_on_even_by_a_stack_that_would_send_them() {
        let trailers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("evil"))]);
        let frames =
            [Ok::<_, BodyFault>(Frame::data(Bytes::from("hi"))), Ok(Frame::trailers(trailers))];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        let (parts, body) = Request::new(body).into_parts();
        let sent = Outgoing::streamed(body, &parts).body.collect().await.unwrap();
        assert!(sent.trailers().is_none());
        assert_eq!(sent.to_bytes(), "hi");
    }
}
