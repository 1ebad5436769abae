//! What a build for tests of tests lets its environment say: rules of the lease protocol that this
//! node does not follow, and how late a verification reads the clock.
//!
//! Without the feature `ablation` nothing here reads anything: all rules are kept, and the clock is
//! the machine's.

use crate::failure::Failure;
use rescind_guard::Clock;
use rescind_guard::clock::SystemClock;
use rescind_node::cluster::Rules;
use std::sync::Arc;

#[cfg(not(feature = "ablation"))]
pub(crate) fn rules() -> Result<Rules, Failure> {
    Ok(Rules::ALL)
}

#[cfg(not(feature = "ablation"))]
pub(crate) fn clock(_: Rules) -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[cfg(feature = "ablation")]
pub(crate) use wrong::clock;

#[cfg(feature = "ablation")]
pub(crate) fn rules() -> Result<Rules, Failure> {
    let Ok(names) = std::env::var("ABLATED_RULES") else { return Ok(Rules::ALL) };
    tracing::error!(names, "rules of the lease protocol are switched off");
    let unknown = || Failure::usage("ABLATED_RULES names a rule that there is not");
    Rules::ALL.without_named(&names).ok_or_else(unknown)
}

#[cfg(feature = "ablation")]
mod wrong {
    use super::{Arc, Clock, Rules, SystemClock};
    use rescind_core::Timestamp;
    use rescind_node::cluster::{BootInstant, Rule};
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    const LOOK_EVERY: Duration = Duration::from_millis(5);
    /// Whoever keeps the lease is never held up.
    const LEASE_THREAD: &str = "rescind-lease";

    pub(crate) fn clock(rules: Rules) -> Arc<dyn Clock> {
        let late = std::env::var_os("ABLATION_LATE_CLOCK");
        if late.is_none() && rules.keeps(Rule::MonotonicWait) {
            return Arc::new(SystemClock);
        }
        let clock = Arc::new(Wrong { rules, late_ms: AtomicU64::new(0) });
        let looking = Arc::clone(&clock);
        let look = move |file: std::ffi::OsString| loop {
            looking.look(Path::new(&file));
            std::thread::sleep(LOOK_EVERY);
        };
        late.map(|file| std::thread::spawn(move || look(file)));
        clock
    }

    struct Wrong {
        rules: Rules,
        /// A verification reads the boot clock last of all. So long before it does, it has looked
        /// the token up: as if its thread had not been given the processor meanwhile.
        late_ms: AtomicU64,
    }

    impl Wrong {
        /// A file with one number, which may change. What cannot be read changes nothing.
        fn look(&self, file: &Path) {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if let Ok(late) = text.trim().parse() {
                self.late_ms.store(late, Ordering::Relaxed);
            }
        }
    }

    impl Clock for Wrong {
        fn now(&self) -> Timestamp {
            SystemClock.now()
        }

        fn boottime(&self) -> BootInstant {
            let late = self.late_ms.load(Ordering::Relaxed);
            if late > 0 && std::thread::current().name() != Some(LEASE_THREAD) {
                std::thread::sleep(Duration::from_millis(late));
            }
            if self.rules.keeps(Rule::MonotonicWait) {
                SystemClock.boottime()
            } else {
                BootInstant::from_millis(SystemClock.now().as_millis().unsigned_abs())
            }
        }
    }
}
