//! Durations as people write them: `30s`, `10m`, `365d`.

use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
use std::time::Duration;

/// Largest unit first. Months and years are read, but never written: they have no one length.
const UNITS: [(u128, &str); 5] =
    [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|_| {
        D::Error::custom(format!("`{text}` is not a duration; they look like 30s, 10m or 365d"))
    })
}

pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&in_words(*value))
}

/// In the largest unit that divides it: 90 seconds are `90s`, not `1m 30s`.
pub(super) fn in_words(value: Duration) -> String {
    let millis = value.as_millis();
    UNITS
        .iter()
        .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit))
        .map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", millis / unit))
}
