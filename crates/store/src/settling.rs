//! What is committed, and not yet known to hold on every node.
//!
//! Whoever answers "revoked" has waited for it first: a [`Settled`](crate::Settled) is what such an
//! answer is made of, and this is the way to one. It exists apart because a caller may have less
//! patience than a lease is long, and is then told just that.

use crate::{Epoch, Revoked, SetRevoked, Settled, StoreError};
use futures_util::future::BoxFuture;
use std::fmt;

/// A change that takes power away: committed, applied to this node's index, and on its way to the
/// others.
#[must_use = "it is not settled until this was waited for"]
pub struct Settling {
    epoch: Epoch,
    settled: BoxFuture<'static, Result<Settled, StoreError>>,
}

impl Settling {
    pub fn new(
        epoch: Epoch,
        settled: impl Future<Output = Result<Settled, StoreError>> + Send + 'static,
    ) -> Self {
        Self { epoch, settled: Box::pin(settled) }
    }

    /// Nothing is left to wait for.
    pub fn over(settled: Settled) -> Self {
        Self::new(settled.epoch, std::future::ready(Ok(settled)))
    }

    /// Everything up to here is to be settled.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// As [`Settler::settle`](crate::Settler::settle).
    pub async fn settled(self) -> Result<Settled, StoreError> {
        self.settled.await
    }
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settling").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Revoked<Settling> {
    pub async fn settled(self) -> Result<Revoked, StoreError> {
        Ok(match self {
            Self::Now(settling) => Revoked::Now(settling.settled().await?),
            Self::Before { record, settled } => {
                Revoked::Before { record, settled: settled.settled().await? }
            }
            Self::Unknown => Revoked::Unknown,
        })
    }
}

impl Revoked {
    /// Where there is nobody else to wait for.
    pub(crate) fn alone(self) -> Revoked<Settling> {
        match self {
            Self::Now(settled) => Revoked::Now(Settling::over(settled)),
            Self::Before { record, settled } => {
                Revoked::Before { record, settled: Settling::over(settled) }
            }
            Self::Unknown => Revoked::Unknown,
        }
    }
}

impl SetRevoked<Settling> {
    pub async fn settled(self) -> Result<SetRevoked, StoreError> {
        let Self { settled, not_before } = self;
        Ok(SetRevoked { settled: settled.settled().await?, not_before })
    }
}
