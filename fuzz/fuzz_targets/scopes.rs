//! A set holds exactly the names that were given, in order and once, and can be written and read
//! back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_core::{SCOPE_BYTES_MAX, SCOPES_MAX, ScopeSet};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let names: Vec<&str> = text.split(' ').collect();
    let Ok(set) = ScopeSet::parse(names.iter().copied()) else {
        let clean = |name: &&str| {
            (1..=SCOPE_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_graphic() && !b",\"'\\".contains(&b))
        };
        assert!(names.len() > SCOPES_MAX || !names.iter().all(clean), "refused without cause");
        return;
    };

    let held: Vec<&str> = set.iter().collect();
    assert!(held.len() <= SCOPES_MAX && held.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(names.iter().all(|name| set.contains(name)));
    assert!(held.iter().all(|name| names.contains(name)));
    for separator in [" ", ","] {
        let again = ScopeSet::parse(set.join(separator).split(separator));
        assert_eq!(again.as_ref(), Ok(&set));
    }
    assert!(set.contains_all(&set));
    // A set that lacks one of them does not hold all.
    let less = ScopeSet::parse(held.iter().skip(1).copied()).expect("a part of a set");
    assert!(set.contains_all(&less) && !less.contains_all(&set));
});
