//! An accepted path has one reading: no empty or dot segment, nothing that ends or splits it
//! elsewhere, and encoding it again changes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_core::target::{TARGET_BYTES_MAX, unambiguous_path};

fuzz_target!(|data: &[u8]| {
    let Ok(target) = str::from_utf8(data) else { return };
    let Ok(path) = unambiguous_path(target) else { return };

    assert!(target.len() <= TARGET_BYTES_MAX && path.len() <= target.len());
    let inner = path.strip_prefix('/').expect("an absolute path");
    let segments: Vec<&str> = inner.split('/').collect();
    let (_, before) = segments.split_last().expect("split gives one at least");
    assert!(before.iter().all(|segment| !segment.is_empty()));
    assert!(!segments.iter().any(|segment| matches!(*segment, "." | "..")));
    assert!(!path.contains(['\\', ';', '%', '?', '#']) && !path.contains(char::is_control));

    // Decoding moved no border between segments.
    let sent = target.split('?').next().unwrap_or_default();
    assert_eq!(sent.split('/').count(), path.split('/').count());
    // Decoding twice, as careless programs do, gives the same.
    let again: String = path
        .bytes()
        .map(|byte| match byte {
            b'/' => String::from("/"),
            _ => format!("%{byte:02x}"),
        })
        .collect();
    if again.len() <= TARGET_BYTES_MAX {
        assert_eq!(unambiguous_path(&again).as_deref(), Ok(&*path));
    }
});
