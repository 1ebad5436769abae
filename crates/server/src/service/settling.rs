//! A revocation that is committed, and whoever asked for it does not wait until it holds everywhere.
//!
//! A silent node is waited for as long as its lease may be, and a caller's patience can end before.
//! It is then told what is so: revoked for good, and not everywhere yet; and where to ask on. The
//! waiting itself goes on without it. The naive way answers "revoked" then, or gives up waiting: the
//! first promises what may not hold, and after the second nobody ever learns whether it does.
//!
//! What came of it is remembered for a while, and that is all that can be lost: whoever asks for an
//! epoch that this node does not know (another node was asked to revoke, or this one has started
//! since) has everything up to it settled anew, from now on, which is always safe.

use super::{Achieved, Services, log_store_error};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rescind_store::{Epoch, Settled, Settling, StoreError};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

/// How long whoever says nothing else waits for its revocation to be settled: longer than for a
/// lease of the usual length, and within what clients wait for an answer.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that anybody can ask to wait: past the end of the longest lease.
pub const PATIENCE_MAX: Duration = Duration::from_mins(6);
/// How long the question how far a revocation is waits for an answer that is nearly there.
pub const STATUS_PATIENCE: Duration = Duration::from_millis(100);
/// Revocations that are settled with nobody waiting. With one more its caller waits after all.
pub const UNATTENDED_MAX: usize = 1_024;
/// Of how many it is remembered what came of them, the latest. Some hundred bytes each.
pub const REMEMBERED_MAX: u64 = 10_000;
/// For how long, from when its caller was told to ask on.
pub const REMEMBERED_FOR: Duration = Duration::from_mins(15);

/// How far a revocation is.
#[derive(Clone, Copy, Debug)]
pub enum Progress {
    /// No node accepts any more what it has taken back.
    Settled(Achieved),
    /// Committed, and not known to hold everywhere.
    Pending(Epoch),
}

/// `None` until it is settled; the sender is gone if that could not be found out.
type Told = watch::Receiver<Option<Achieved>>;

/// Those that nobody waits for.
pub struct Unattended {
    known: Cache<Epoch, Told>,
    places: Arc<Semaphore>,
}

impl Default for Unattended {
    fn default() -> Self {
        let known = Cache::builder()
            .max_capacity(REMEMBERED_MAX)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(REMEMBERED_FOR)
            .build();
        Self { known, places: Arc::new(Semaphore::new(UNATTENDED_MAX)) }
    }
}

impl Services {
    /// Waits, as long as the caller does (`None`: until it is settled), and has the waiting go on
    /// if that was too short. `begun` is when it was asked for.
    pub(super) async fn within(
        self: &Arc<Self>,
        settling: Settling,
        begun: u64,
        patience: Option<Duration>,
    ) -> Result<Progress, StoreError> {
        let epoch = settling.epoch();
        let mut settled = Box::pin(settling.settled());
        if let Some(patience) = patience {
            let place = match timeout(patience, &mut settled).await {
                Ok(settled) => return Ok(Progress::Settled(self.achieved(settled?, begun))),
                Err(_) => Arc::clone(&self.unattended.places).try_acquire_owned(),
            };
            if let Ok(place) = place {
                let services = Arc::clone(self);
                let achieved = async move { Ok(services.achieved(settled.await?, begun)) };
                let _ = self.follow(epoch, place, achieved);
                return Ok(Progress::Pending(epoch));
            }
        }
        Ok(Progress::Settled(self.achieved(settled.await?, begun)))
    }

    /// How far everything up to this epoch is; `None` if there is no such epoch yet.
    pub async fn progress(
        self: &Arc<Self>,
        epoch: Epoch,
        patience: Duration,
    ) -> Result<Option<Progress>, StoreError> {
        let mut told = match self.unattended.known.get(&epoch) {
            Some(told) => told,
            None if epoch > self.store.epoch().await? => return Ok(None),
            None => self.settle_anew(epoch)?,
        };
        match timeout(patience, told.wait_for(Option::is_some)).await {
            Ok(Ok(achieved)) => Ok(achieved.map(Progress::Settled)),
            // Whoever asks again has it begun anew.
            Ok(Err(_)) => Err(StoreError::Unavailable(None)),
            Err(_) => Ok(Some(Progress::Pending(epoch))),
        }
    }

    fn settle_anew(self: &Arc<Self>, epoch: Epoch) -> Result<Told, StoreError> {
        let place = Arc::clone(&self.unattended.places).try_acquire_owned();
        let place = place.map_err(|_| StoreError::Unavailable(None))?;
        let (services, begun) = (Arc::clone(self), self.boottime_millis());
        let achieved = async move {
            let settled: Settled = services.store.settle(epoch).await?;
            Ok(services.measured(settled, begun))
        };
        Ok(self.follow(epoch, place, achieved))
    }

    /// Beside every request. One that is followed already is not followed twice.
    fn follow(
        self: &Arc<Self>,
        epoch: Epoch,
        place: OwnedSemaphorePermit,
        achieved: impl Future<Output = Result<Achieved, StoreError>> + Send + 'static,
    ) -> Told {
        let services = Arc::clone(self);
        self.unattended.known.get_with(epoch, || {
            let (tell, told) = watch::channel(None);
            tokio::spawn(async move {
                let _place = place;
                match achieved.await {
                    Ok(achieved) => drop(tell.send_replace(Some(achieved))),
                    Err(error) => {
                        log_store_error(&error);
                        services.unattended.known.invalidate(&epoch);
                    }
                }
            });
            told
        })
    }
}

impl fmt::Debug for Unattended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unattended")
    }
}
