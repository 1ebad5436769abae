//! How long revocations took, from being asked for to being answered.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use std::time::Duration;

/// Upper bounds, in seconds: from one commit on a good disk to the longest wait for a lease of 15 s.
const BOUNDS: [f64; 15] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 16.0, 60.0];

/// By outcome.
pub type ByOutcome = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

#[derive(Clone, Debug)]
pub struct RevocationTimes(ByOutcome);

impl Default for RevocationTimes {
    /// With each outcome from the start: what has not happened is a zero, not a gap.
    fn default() -> Self {
        let times = ByOutcome::new_with_constructor(|| Histogram::new(BOUNDS));
        for outcome in ["acknowledged", "waited_out"] {
            drop(times.get_or_create(&[("outcome", outcome)]));
        }
        Self(times)
    }
}

impl RevocationTimes {
    pub(super) fn took(&self, took: Duration, waited_out: u32) {
        let outcome = if waited_out == 0 { "acknowledged" } else { "waited_out" };
        self.0.get_or_create(&[("outcome", outcome)]).observe(took.as_secs_f64());
    }

    pub fn by_outcome(&self) -> ByOutcome {
        self.0.clone()
    }
}
