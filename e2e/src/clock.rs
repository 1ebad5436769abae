//! The one place of this crate that reads a clock.

use rustix::time::{ClockId, clock_gettime};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC` in nanoseconds: one order for all clients of this machine.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Counted from boot, so neither part is ever negative.
    now.tv_sec.unsigned_abs() * NANOS_PER_SECOND + now.tv_nsec.unsigned_abs()
}

/// The wall clock as every official SDK writes it: `2026-03-23T12:34:56.789Z`.
pub fn timestamp_text() -> String {
    timestamp_text_shifted(jiff::SignedDuration::ZERO)
}

/// The same, `by` later.
pub fn timestamp_text_shifted(by: jiff::SignedDuration) -> String {
    let moment = jiff::Timestamp::now().saturating_add(by).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
