//! Values that many have in common, kept once.

use hashbrown::HashSet;
use parking_lot::Mutex;
use std::hash::Hash;
use std::sync::Arc;

#[derive(Debug)]
pub(super) struct Shared<T>(Mutex<HashSet<Arc<T>>>);

impl<T: Clone + Eq + Hash> Shared<T> {
    pub(super) fn share(&self, value: &T) -> Arc<T> {
        let mut values = self.0.lock();
        if let Some(shared) = values.get(value) {
            return Arc::clone(shared);
        }
        // Those that nobody has any more go, or whoever asks for tokens with ever other scopes, and
        // ends them again, would fill the memory. Room for as many again, so that this is rare.
        if values.len() == values.capacity() {
            values.retain(|shared| Arc::strong_count(shared) > 1);
            let kept = values.len();
            values.reserve(kept);
        }
        let shared = Arc::new(value.clone());
        values.insert(Arc::clone(&shared));
        shared
    }

    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
