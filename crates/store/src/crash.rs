//! Named points at which a debug build can be made to die, as `kill -9` would have it.
//!
//! `RESCIND_CRASH_POINT=after_commit:3` aborts the process at the third passage of `after_commit`.
//! A crash test walks every point and every passage, and checks what a restart finds. A release
//! build has none of this.

/// Dies here if this point was named.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(debug_assertions)]
        $crate::crash::pass($name);
    };
}

pub(crate) use crash_point;

#[cfg(debug_assertions)]
pub(crate) fn pass(name: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };

    static CHOSEN: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSAGES: AtomicU64 = AtomicU64::new(0);

    let chosen = CHOSEN.get_or_init(|| parse(&std::env::var("RESCIND_CRASH_POINT").ok()?));
    let Some((point, passage)) = chosen else { return };
    if point == name && PASSAGES.fetch_add(1, Ordering::Relaxed) + 1 == *passage {
        std::process::abort();
    }
}

/// `name` or `name:n`, where n counts from 1.
#[cfg(debug_assertions)]
fn parse(text: &str) -> Option<(String, u64)> {
    match text.split_once(':') {
        Some((name, passage)) => Some((name.into(), passage.parse().ok()?)),
        None => Some((text.into(), 1)),
    }
}
