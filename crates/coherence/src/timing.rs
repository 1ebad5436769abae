//! How long a lease is, how long its holder trusts it, and how long a revoker waits for it.
//!
//! Two clocks measure the same lease, the holder's and the revoker's, and they never agree. Each is
//! assumed to gain or lose no more than ρ over a lease; nothing is assumed about what they *say*.
//!
//! ```text
//! holder    t0 ──────────── L·(1−ρ) by its own clock ─────────┤ stops: at most L after t0
//! commit         c
//! revoker          tw ──────────── L·(1+ρ) + ε by its own clock ─────────────────┤ answers
//!                                                       at least L after tw ──┘
//! ```
//!
//! A lease that does not know of the commit `c` was asked for before it: `t0 ≤ c ≤ tw`. In true
//! time its holder stops before `t0 + L`: a clock that loses ρ shows `L·(1−ρ)` when `L` has passed.
//! The revoker answers after `tw + L`: a clock that gains ρ shows `L·(1+ρ)` when `L` has passed.
//! So the holder has stopped when the revoker answers, and this file answers the room's question:
//! **a revoked token can be accepted for no longer than [`Timing::surely_over`] after its commit,
//! and never once the revocation was answered.**
//!
//! ε covers what is not drift: both clocks are read in whole milliseconds, rounded down, and a
//! decision takes a moment after it has read the clock. Everything is rounded against us: the
//! holder's end down, the revoker's wait up.

use core::time::Duration;

use crate::{BootInstant, Rule, Rules};

/// ρ in thousandths: how much a clock may gain or lose over a lease. Crystals drift below 0.1 ‰,
/// and NTP slews by at most 0.5 ‰; ten times that is left for virtual machines.
pub const DRIFT_PER_MILLE: u64 = 5;

/// ε in milliseconds: two readings rounded down, and the way from the last reading of the clock in
/// a verification to its answer.
pub const MARGIN_MILLIS: u64 = 250;

/// Renewals in one lease. The database may be away for four of five before a node seals.
pub const RENEWALS_PER_LEASE: u64 = 5;

/// Below, a hiccup of the database seals every node.
pub const LEASE_MILLIS_MIN: u64 = 1_000;

/// Above, a revocation would wait for a dead node longer than any caller does.
pub const LEASE_MILLIS_MAX: u64 = 300_000;

/// Long enough to ride out a restart of PostgreSQL.
pub const LEASE_MILLIS_DEFAULT: u64 = 15_000;

/// How long a load of the whole set may give no sign of life, in milliseconds. Longer than a request,
/// because a million records take their time, and harmless: a node that loads has no row, so nobody
/// waits for it.
pub const LOAD_SILENCE_MILLIS_MAX: u64 = 60_000;

/// Failed attempts double the pause up to a renewal period; more would not fit into a lease.
const DOUBLINGS_MAX: u32 = 3;

const fn held(lease_ms: u64, drift_per_mille: u64) -> u64 {
    lease_ms.saturating_sub(lease_ms.saturating_mul(drift_per_mille).div_ceil(1_000))
}

const fn waited(lease_ms: u64, drift_per_mille: u64, margin_ms: u64) -> u64 {
    let drift = lease_ms.saturating_mul(drift_per_mille).div_ceil(1_000);
    lease_ms.saturating_add(drift).saturating_add(margin_ms)
}

const fn renewal(lease_ms: u64) -> u64 {
    let period = lease_ms / RENEWALS_PER_LEASE;
    if period == 0 { 1 } else { period }
}

const fn relations_hold(lease: u64) -> bool {
    let (held, waited) =
        (held(lease, DRIFT_PER_MILLE), waited(lease, DRIFT_PER_MILLE, MARGIN_MILLIS));
    // The holder's slowest clock against the revoker's fastest, in true time: held ÷ (1−ρ) must not
    // exceed (waited − two readings rounded down) ÷ (1+ρ).
    held * (1_000 + DRIFT_PER_MILLE) <= (waited - 2) * (1_000 - DRIFT_PER_MILLE)
        // After a renewal that failed, a second and a third still fit into what is held.
        && 3 * renewal(lease) < held
        // A healthy node is never sealed by its own pace.
        && 2 * renewal(lease) + MARGIN_MILLIS < held
}

const _: () = assert!(relations_hold(LEASE_MILLIS_MIN));
const _: () = assert!(relations_hold(LEASE_MILLIS_DEFAULT));
const _: () = assert!(relations_hold(LEASE_MILLIS_MAX));
const _: () = assert!(2 < MARGIN_MILLIS, "two readings, each rounded down by a millisecond");

/// The length of a node's leases, and all that follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timing {
    lease_ms: u64,
    drift_per_mille: u64,
    margin_ms: u64,
}

/// A lease shorter than a second or longer than five minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseOutOfRange {
    pub millis: u128,
}

impl core::fmt::Display for LeaseOutOfRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (min, max) = (LEASE_MILLIS_MIN, LEASE_MILLIS_MAX);
        write!(f, "a lease lasts from {min} ms to {max} ms, not {} ms", self.millis)
    }
}

impl core::error::Error for LeaseOutOfRange {}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease_ms: LEASE_MILLIS_DEFAULT,
            drift_per_mille: DRIFT_PER_MILLE,
            margin_ms: MARGIN_MILLIS,
        }
    }
}

impl Timing {
    pub fn new(lease: Duration) -> Result<Self, LeaseOutOfRange> {
        let out_of_range = LeaseOutOfRange { millis: lease.as_millis() };
        let lease_ms = u64::try_from(lease.as_millis()).map_err(|_| out_of_range)?;
        if !(LEASE_MILLIS_MIN..=LEASE_MILLIS_MAX).contains(&lease_ms) {
            return Err(out_of_range);
        }
        Ok(Self { lease_ms, ..Self::default() })
    }

    /// Any numbers, for a model that counts time in few ticks.
    #[cfg(feature = "ablation")]
    pub const fn coarse(lease_ms: u64, drift_per_mille: u64, margin_ms: u64) -> Self {
        Self { lease_ms, drift_per_mille, margin_ms }
    }

    pub(crate) fn under(self, rules: Rules) -> Self {
        if rules.keeps(Rule::DriftMargin) {
            self
        } else {
            Self { drift_per_mille: 0, margin_ms: 0, ..self }
        }
    }

    /// What goes into this node's member row.
    pub const fn lease_ms(self) -> u64 {
        self.lease_ms
    }

    /// The end of a lease that was asked for at `t0`, by the holder's clock.
    pub fn held_until(self, t0: BootInstant) -> BootInstant {
        t0.plus_millis(held(self.lease_ms, self.drift_per_mille))
    }

    /// From when on no lease of this length that was asked for before `tw` is held any more, by the
    /// clock that read `tw`. The length is the other node's, from its row.
    pub fn surely_over(self, tw: BootInstant, lease_ms: u64) -> BootInstant {
        tw.plus_millis(waited(lease_ms, self.drift_per_mille, self.margin_ms))
    }

    /// From the beginning of one renewal to that of the next; also how long a request may take.
    pub const fn renewal_ms(self) -> u64 {
        renewal(self.lease_ms)
    }

    /// The pause after so many failures in a row: an eighth of a renewal period, doubled up to a
    /// whole one. `spread` takes up to half of it away, so that nodes do not come back as one.
    pub(crate) fn pause_ms(self, failures: u32, spread: u64) -> u64 {
        let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
        let whole = (self.renewal_ms() >> DOUBLINGS_MAX) << doublings;
        whole.saturating_sub(spread.checked_rem(whole / 2).unwrap_or(0))
    }

    /// The pause before the member rows are read again: short at first, while acknowledgements are
    /// on their way, and never longer than a tenth of a lease.
    pub(crate) fn look_again_ms(self, looks: u32) -> u64 {
        let longest = self.lease_ms / 10;
        (self.lease_ms / 500).saturating_mul(1 << looks.min(10)).min(longest).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: BootInstant = BootInstant::from_millis(10_000);

    fn seconds(lease: u64) -> Timing {
        Timing::new(Duration::from_secs(lease)).unwrap()
    }

    #[test]
    fn lease_is_bounded_on_both_sides() {
        for (millis, good) in
            [(0, false), (999, false), (1_000, true), (300_000, true), (300_001, false)]
        {
            assert_eq!(Timing::new(Duration::from_millis(millis)).is_ok(), good, "{millis} ms");
        }
        assert!(Timing::new(Duration::MAX).is_err());
    }

    #[test]
    fn holder_stops_early_and_revoker_waits_late() {
        // lease, held, waited
        for (lease, held, waited) in
            [(1, 995, 1_255), (15, 14_925, 15_325), (300, 298_500, 301_750)]
        {
            let timing = seconds(lease);
            assert_eq!(timing.held_until(T), BootInstant::from_millis(10_000 + held));
            assert_eq!(
                timing.surely_over(T, timing.lease_ms()),
                BootInstant::from_millis(10_000 + waited)
            );
        }
    }

    #[test]
    fn fractions_of_a_millisecond_are_rounded_against_us() {
        let timing = Timing::new(Duration::from_millis(1_001)).unwrap();
        assert_eq!(timing.held_until(T), BootInstant::from_millis(10_000 + 1_001 - 6));
        assert_eq!(
            timing.surely_over(T, 1_001),
            BootInstant::from_millis(10_000 + 1_001 + 6 + 250)
        );
    }

    #[test]
    fn slowest_holder_has_stopped_before_the_fastest_revoker_answers() {
        for lease_ms in (LEASE_MILLIS_MIN..=LEASE_MILLIS_MAX).step_by(997) {
            assert!(relations_hold(lease_ms), "{lease_ms} ms");
        }
    }

    #[test]
    fn absurd_lengths_from_a_row_wait_for_ever_instead_of_wrapping() {
        let timing = seconds(15);
        assert_eq!(timing.surely_over(T, u64::MAX), BootInstant::NEVER);
        assert_eq!(timing.held_until(BootInstant::NEVER), BootInstant::NEVER);
    }

    #[test]
    fn pauses_double_up_to_one_renewal_period() {
        let timing = seconds(15);
        let pauses: alloc::vec::Vec<_> = (1..7).map(|n| timing.pause_ms(n, 0)).collect();
        assert_eq!(pauses, [375, 750, 1_500, 3_000, 3_000, 3_000]);
        assert!((0..5_000).all(|spread| (1_501..=3_000).contains(&timing.pause_ms(9, spread))));
    }

    #[test]
    fn rows_are_read_again_soon_and_then_more_seldom() {
        let timing = seconds(15);
        let pauses: alloc::vec::Vec<_> = (0..8).map(|n| timing.look_again_ms(n)).collect();
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_500, 1_500]);
    }
}
