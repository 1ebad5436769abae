//! The clocks, as an argument. Lifetimes and signature windows go by the wall clock, leases by a
//! monotonic one that counts suspend: `std::time::Instant` stops while a laptop or a virtual
//! machine sleeps, and a lease must not.

use rescind_coherence::BootInstant;
use rescind_core::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// The wall clock as it was a few milliseconds ago, if that costs less than to look at it: for
    /// lifetimes and signature windows, where clocks of different machines differ by as much.
    fn recent(&self) -> Timestamp {
        self.now()
    }
    /// The lease clock.
    fn boottime(&self) -> BootInstant;
}

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(millis(clock_gettime(ClockId::Realtime)))
    }

    /// As of the kernel's last tick (CONFIG_HZ): 1 to 10 ms, behind and never ahead.
    fn recent(&self) -> Timestamp {
        Timestamp::from_millis(millis(clock_gettime(ClockId::RealtimeCoarse)))
    }

    fn boottime(&self) -> BootInstant {
        BootInstant::from_millis(millis(clock_gettime(ClockId::Boottime)).unsigned_abs())
    }
}

fn millis(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000)
}
