//! Bodies that a signature covers: read whole before anything is decided, bounded in bytes each,
//! together, and in time.

use crate::{BodyFault, Refusal};
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What all of them may take together, in KiB, before their signatures are known: key ids are no
/// secret, so whoever has one could make us hold a body for each connection.
const KIB_MAX: u32 = 128 * 1024;

#[derive(Debug)]
pub(super) struct SignedBodies {
    /// KiB that are still to be had.
    room: Semaphore,
    /// Most bytes of one. Changes when the configuration is read again.
    bytes_max: AtomicUsize,
}

impl SignedBodies {
    pub(super) fn at_most(bytes_max: u64) -> Self {
        let bytes_max = AtomicUsize::new(bytes_max.try_into().unwrap_or(usize::MAX));
        Self { room: Semaphore::new(KIB_MAX as usize), bytes_max }
    }

    pub(super) fn set_max(&self, bytes_max: u64) {
        let bytes_max = bytes_max.try_into().unwrap_or(usize::MAX);
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// The whole body. What is announced to be too long is refused unread.
    pub(super) async fn read<B>(&self, patience: Duration, body: B) -> Result<Bytes, Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        let room = kib_at_most(&body, bytes_max).min(KIB_MAX);
        let _room = self.room.try_acquire_many(room).map_err(|_| Refusal::NoRoom)?;
        let too_large = Refusal::BodyTooLarge { bytes_max };
        if body.size_hint().lower() > bytes_max.try_into().unwrap_or(u64::MAX) {
            return Err(too_large);
        }
        let whole = Limited::new(body, bytes_max).collect();
        match tokio::time::timeout(patience, whole).await {
            Err(_) => Err(Refusal::Body(BodyFault::Slow)),
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large),
            Ok(Err(_)) => Err(Refusal::Body(BodyFault::Broken)),
        }
    }
}

/// What a body may come to take, in KiB: as announced, or else as much as it may have.
fn kib_at_most(body: &impl Body, bytes_max: usize) -> u32 {
    let bytes_max = bytes_max.try_into().unwrap_or(u64::MAX);
    let bytes = body.size_hint().upper().map_or(bytes_max, |announced| announced.min(bytes_max));
    bytes.div_ceil(1_024).try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[tokio::test]
    async fn bodies_that_would_take_too_much_together_are_refused_until_others_have_ended() {
        let bodies = SignedBodies::at_most(u64::from(KIB_MAX) * 1_024);
        let body = || Full::new(Bytes::from_static(b"b"));
        let patience = Duration::from_secs(5);
        let others = bodies.room.try_acquire_many(KIB_MAX).unwrap();
        let refused = bodies.read(patience, body()).await;
        assert!(matches!(refused, Err(Refusal::NoRoom)));
        drop(others);
        assert_eq!(bodies.read(patience, body()).await.unwrap(), "b");
        assert_eq!(bodies.room.available_permits(), KIB_MAX as usize);
    }
}
