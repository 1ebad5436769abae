//! Bodies on their way: passed on as they come (bearer), or as they were read and verified
//! (signed).
//!
//! While a body streams, two may be slow, and they are told apart by [`Turns`]: a client that pauses
//! is answered 408, an upstream that neither takes a piece nor answers is 504. A body that breaks
//! off breaks off upstream too; it is never ended as if it were complete.

use crate::access::BodyFault;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body as _, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Sleep;

/// Whom a request waits for, turn by turn. Whoever drives the connection drives the body too, and
/// looks here afterwards: nobody has to be woken.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Option<Arc<AtomicUsize>>);

/// One of them: the even ones are the upstream's, as all are of a request without a body to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn(usize);

impl Turns {
    fn of_a_body() -> Self {
        Self(Some(Arc::default()))
    }

    pub(super) fn now(&self) -> Turn {
        Turn(self.0.as_ref().map_or(0, |turn| turn.load(Ordering::Relaxed)))
    }

    /// The client's, which has sent no more.
    fn clients(&self) {
        if let Some(turn) = &self.0 {
            turn.fetch_or(1, Ordering::Relaxed);
        }
    }

    /// A new one of the upstream's.
    fn upstreams(&self) {
        if let Some(turn) = &self.0 {
            turn.fetch_add(2 - (turn.load(Ordering::Relaxed) & 1), Ordering::Relaxed);
        }
    }
}

impl Turn {
    pub(super) fn is_upstreams(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

/// A body as it goes upstream.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) body: Body,
    pub(super) turns: Turns,
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
    pub(super) fn streamed(body: Body, headers: &HeaderMap, pause_max: Duration) -> Self {
        let framing = match body.size_hint().exact() {
            Some(0) if !headers.contains_key(header::CONTENT_LENGTH) => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        };
        if body.is_end_stream() {
            return Self { body: Body::empty(), turns: Turns::default(), framing };
        }
        let turns = Turns::of_a_body();
        let streamed = Streamed { body, pause_max, pause: None, turns: turns.clone() };
        Self { body: Body::new(streamed), turns, framing }
    }

    /// Read already; its length is known, however it was framed before.
    pub(super) fn whole(bytes: Bytes, headers: &HeaderMap) -> Self {
        let announced = headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        let framing = match bytes.len() {
            0 if !announced => Framing::None,
            length => Framing::Length(length.try_into().unwrap_or(u64::MAX)),
        };
        Self { body: Body::from(bytes), turns: Turns::default(), framing }
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
    turns: Turns,
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
        this.turns.upstreams();
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

impl Drop for Streamed {
    /// All that is left to come is the answer.
    fn drop(&mut self) {
        self.turns.upstreams();
    }
}

impl Streamed {
    fn poll_pause(&mut self, context: &mut Context<'_>) -> Poll<BodyFault> {
        let turns = &self.turns;
        let pause = self.pause.get_or_insert_with(|| {
            turns.clients();
            Box::pin(tokio::time::sleep(self.pause_max))
        });
        ready!(pause.as_mut().poll(context));
        Poll::Ready(BodyFault::Slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};

    #[tokio::test]
    async fn trailers_are_not_handed_on_even_by_a_stack_that_would_send_them() {
        let trailers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("evil"))]);
        let frames =
            [Ok::<_, BodyFault>(Frame::data(Bytes::from("hi"))), Ok(Frame::trailers(trailers))];
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        let sent = Outgoing::streamed(body, &HeaderMap::new(), Duration::MAX);
        let sent = sent.body.collect().await.unwrap();
        assert!(sent.trailers().is_none());
        assert_eq!(sent.to_bytes(), "hi");
    }
}
