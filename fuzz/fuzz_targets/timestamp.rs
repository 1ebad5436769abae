//! A timestamp that is read lies within the range that can be written, and reads back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_core::{TIMESTAMP_BYTES_MAX, Timestamp};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(time) = Timestamp::parse(text) else { return };

    assert!(text.len() <= TIMESTAMP_BYTES_MAX);
    assert!((Timestamp::MIN..=Timestamp::MAX).contains(&time));
    assert_eq!(Timestamp::parse(&time.to_rfc3339_millis()), Ok(time));
    let second = Timestamp::parse(&time.to_rfc3339_seconds()).expect("our own form is read");
    assert!(second <= time && second.distance_millis(time) < 1000);

    // A point in time needs an offset.
    let (_, clock) = text.split_once(['T', 't', ' ']).expect("a date and a time of day");
    assert!(clock.ends_with(['Z', 'z']) || clock.contains(['+', '-']));
    // Joined headers are never one timestamp.
    assert!(Timestamp::parse(&format!("{text},{text}")).is_err());
    assert!(Timestamp::parse(&format!("{text}\n")).is_err());
});
