//! Signing tokens, by their ids.

use super::{Entry, SHARDS};
use crate::usage::AtomicSecond;
use hashbrown::{DefaultHashBuilder, HashTable};
use parking_lot::RwLock;
use rescind_core::TokenId;
use rescind_core::signature::SigningKey;
use std::hash::BuildHasher;
use std::sync::Arc;

/// A signing token: found by its id, proven by its key.
#[derive(Debug)]
pub(crate) struct Signer {
    id: TokenId,
    pub(crate) entry: Entry,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) last_used: AtomicSecond,
}

#[derive(Debug)]
pub(super) struct Signers {
    shards: [RwLock<HashTable<Arc<Signer>>>; SHARDS],
    /// Ids are chosen by whoever imports tokens: nobody must be able to have them collide.
    hasher: DefaultHashBuilder,
}

impl Default for Signers {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Signer {
    pub(super) fn new(id: TokenId, key: SigningKey, entry: Entry) -> Self {
        Self { id, entry, key: Arc::new(key), last_used: AtomicSecond::default() }
    }
}

impl Signers {
    pub(super) fn find(&self, id: &str) -> Option<Arc<Signer>> {
        let (hash, shard) = self.place(id);
        shard.read().find(hash, |signer| signer.id.as_str() == id).cloned()
    }

    /// Whether it takes another's place.
    pub(super) fn put(&self, signer: Signer) -> bool {
        let (hash, shard) = self.place(signer.id.as_str());
        let mut shard = shard.write();
        let known = shard.find_mut(hash, |known| known.id == signer.id);
        if let Some(known) = known {
            *known = Arc::new(signer);
            return true;
        }
        shard.insert_unique(hash, Arc::new(signer), |signer| self.hash(signer.id.as_str()));
        false
    }

    pub(super) fn replace(&self, id: &str, entry: Entry) {
        let (hash, shard) = self.place(id);
        if let Some(signer) = shard.write().find_mut(hash, |signer| signer.id.as_str() == id) {
            *signer = Arc::new(Signer {
                id: signer.id.clone(),
                key: Arc::clone(&signer.key),
                entry,
                last_used: AtomicSecond::default(),
            });
        }
    }

    /// Whether it was there.
    pub(super) fn take(&self, id: &str) -> bool {
        let (hash, shard) = self.place(id);
        let mut shard = shard.write();
        shard
            .find_entry(hash, |signer| signer.id.as_str() == id)
            .map(|found| found.remove())
            .is_ok()
    }

    pub(super) fn clear(&self) {
        self.shards.iter().for_each(|shard| shard.write().clear());
    }

    fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// The table goes by the lowest and the highest bits, the shard by some between.
    fn place(&self, id: &str) -> (u64, &RwLock<HashTable<Arc<Signer>>>) {
        let hash = self.hash(id);
        #[expect(clippy::indexing_slicing, reason = "the remainder is less than the length")]
        let shard = &self.shards[(hash >> 32) as usize % SHARDS];
        (hash, shard)
    }
}
