//! Runs the checker and says what it found.

use stateright::{Checker, HasDiscoveries, Model};

use super::Bounds;

/// The whole space: P and P′ hold, and it is not empty of what matters. How many states it has.
pub fn holds(bounds: Bounds) -> usize {
    keep(&["P", "P′"], bounds)
}

/// The whole space keeps at least these promises.
pub fn keep(promises: &[&'static str], bounds: Bounds) -> usize {
    let checker = bounds.checker().threads(2).spawn_bfs().join();
    for promise in promises {
        if let Some(path) = checker.discovery(promise) {
            panic!("{promise} is broken: {:?}", path.into_actions());
        }
    }
    for sanity in ["accepted before", "answered"] {
        assert!(checker.discovery(sanity).is_some(), "never {sanity}");
    }
    checker.unique_state_count()
}

/// A short way to break this promise.
pub fn breaks(promise: &'static str, bounds: Bounds) {
    let failure = HasDiscoveries::AnyOf([promise].into());
    let checker = bounds.checker().threads(2).finish_when(failure).spawn_bfs().join();
    let states = checker.unique_state_count();
    let path = checker.discovery(promise);
    let path = path.unwrap_or_else(|| panic!("{promise} holds over {states} states"));
    println!("{states} states, {:?}", path.into_actions());
}
