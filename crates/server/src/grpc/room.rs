//! Room for messages: what all of them together may take while they are read and decided about.
//!
//! gRPC does not announce a message's length, and a limit for each message times all streams of all
//! connections is more memory than there is. So the bytes are counted as they come, over all
//! connections, and the message that finds no room is refused.

use axum::body::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tonic::Status;

#[derive(Debug)]
pub(super) struct Room {
    free: AtomicUsize,
}

/// What one message takes of it; given back when nobody holds it any more.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    bytes: AtomicUsize,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { free: AtomicUsize::new(bytes) })
    }

    pub(super) fn place(self: &Arc<Self>) -> Arc<Place> {
        Arc::new(Place { room: Arc::clone(self), bytes: AtomicUsize::new(0) })
    }
}

impl Place {
    /// Whether there was room for so many bytes more.
    fn grow(&self, bytes: usize) -> bool {
        let less = |free: usize| free.checked_sub(bytes);
        let taken = self.room.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if taken {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.free.fetch_add(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

/// A message on its way in.
pub(super) struct Metered<B = Incoming> {
    body: B,
    place: Arc<Place>,
}

impl<B> Metered<B> {
    pub(super) fn new(body: B, place: Arc<Place>) -> Self {
        Self { body, place }
    }
}

impl<B> http_body::Body for Metered<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match self.place.grow(bytes) {
                    true => Some(Ok(frame)),
                    false => Some(Err(Status::resource_exhausted("no room for the message now"))),
                }
            }
            Some(Err(error)) => Some(Err(Status::from_error(Box::new(error)))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    async fn read(bytes: &'static str, place: Arc<Place>) -> Result<Bytes, tonic::Code> {
        let body = Metered::new(Full::new(Bytes::from_static(bytes.as_bytes())), place);
        body.collect().await.map(|whole| whole.to_bytes()).map_err(|status| status.code())
    }

    #[tokio::test]
    async fn message_is_refused_while_others_take_the_room_and_read_once_they_have_gone() {
        let room = Room::new(8);
        let first = room.place();
        assert_eq!(read("12345", Arc::clone(&first)).await.unwrap(), "12345");
        let refused = read("1234", room.place()).await.unwrap_err();
        assert_eq!(refused, tonic::Code::ResourceExhausted);
        assert_eq!(read("123", room.place()).await.unwrap(), "123");
        drop(first);
        assert_eq!(read("12345678", room.place()).await.unwrap(), "12345678");
    }
}
