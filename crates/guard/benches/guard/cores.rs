//! Which thread runs where. A storm that shares the core of what it is to disturb takes its time
//! from it, and that is the scheduler's doing and not the guard's.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two cores that this process may use, if it has as many.
pub fn two() -> Option<[usize; 2]> {
    let usable = sched_getaffinity(None).unwrap();
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core));
    Some([cores.next()?, cores.next()?])
}

/// Keeps the calling thread on one core, for good.
pub fn stay_on(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only).unwrap();
}
