//! A host's boot clock: it began at any time, and gains or loses up to ρ.

use rescind_coherence::BootInstant;

use super::MILLISECOND;

#[derive(Clone, Debug)]
pub struct Clock {
    /// When the rate was changed last, in true time and on this clock.
    since: u64,
    shown: u64,
    /// Gained in a million.
    ppm: i64,
}

/// ρ in millionths.
pub const DRIFT: i64 = 5_000;

const MILLION: i64 = 1_000_000;

impl Clock {
    pub fn new(shown: u64, ppm: i64) -> Self {
        Self { since: 0, shown, ppm }
    }

    fn micros(&self, now: u64) -> u64 {
        let passed = now - self.since;
        self.shown + passed * (MILLION + self.ppm) as u64 / MILLION as u64
    }

    pub fn read(&self, now: u64) -> BootInstant {
        BootInstant::from_millis(self.micros(now) / MILLISECOND)
    }

    pub fn drift(&mut self, now: u64, ppm: i64) {
        (self.shown, self.since, self.ppm) = (self.micros(now), now, ppm);
    }

    /// When this clock will show that, in true time, if its rate stays.
    pub fn when(&self, shows: BootInstant) -> u64 {
        let ahead = shows.as_millis().saturating_mul(MILLISECOND).saturating_sub(self.shown);
        let passes = u128::from(ahead) * MILLION as u128 / (MILLION + self.ppm) as u128;
        self.since.saturating_add(passes.try_into().unwrap_or(u64::MAX)).saturating_add(1)
    }
}
