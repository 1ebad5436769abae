//! Bearer tokens, by their fingerprints: most of what memory is for.
//!
//! The naive way, a map from digest to a shared record, takes five cache misses and 250 bytes. Here
//! a table has four bytes for each token, where its row is, and rows lie in blocks that never move:
//! to grow, a shard copies no row, and keeps nobody waiting for long.

use super::grant::Grant;
use super::{Entry, SHARDS};
use crate::usage::{AtomicSecond, Second};
use hashbrown::HashTable;
use parking_lot::RwLock;
use rescind_core::{Fingerprint, IdTail, Timestamp};
use std::sync::Arc;

/// Rows of a block: 14 KiB.
const BLOCK: usize = 256;

/// One token. See [`Entry`] for the same unpacked.
#[derive(Debug)]
struct Row {
    grant: Arc<Grant>,
    last_used: AtomicSecond,
    fingerprint: Fingerprint,
    id_tail: IdTail,
    issued_at: Timestamp,
}

/// Where a token was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) last_used: Second,
    number: u32,
}

#[derive(Debug)]
pub(super) struct Bearers([RwLock<Shard>; SHARDS]);

#[derive(Debug, Default)]
struct Shard {
    /// Numbers of rows, by their fingerprints.
    table: HashTable<u32>,
    rows: Rows,
}

/// Rows that stay where they are, by number.
#[derive(Debug, Default)]
struct Rows {
    blocks: Vec<Box<[Option<Row>; BLOCK]>>,
    /// Numbers that are not taken. What is there for tokens that are gone is for those to come.
    free: Vec<u32>,
}

impl Bearers {
    pub(super) fn find(&self, fingerprint: &Fingerprint) -> Option<(Entry, Place)> {
        let shard = self.shard(fingerprint).read();
        let number = shard.find(fingerprint)?;
        let row = shard.rows.get(number)?;
        let (fingerprint, last_used) = (row.fingerprint, row.last_used.get());
        Some((row.entry(), Place { fingerprint, last_used, number }))
    }

    /// Unless it is gone, or another one is there.
    pub(super) fn note_use(&self, place: &Place, second: Second) {
        let shard = self.shard(&place.fingerprint).read();
        let row = shard.rows.get(place.number);
        if let Some(row) = row.filter(|row| row.fingerprint == place.fingerprint) {
            row.last_used.set(second);
        }
    }

    /// Whether it takes another's place.
    pub(super) fn put(&self, fingerprint: Fingerprint, entry: Entry) -> bool {
        let mut shard = self.shard(&fingerprint).write();
        let (row, known) = (Row::new(fingerprint, entry), shard.find(&fingerprint));
        match known {
            Some(number) => shard.rows.set(number, Some(row)),
            None => shard.insert(row),
        }
        known.is_some()
    }

    pub(super) fn replace(&self, fingerprint: &Fingerprint, entry: Entry) {
        let mut shard = self.shard(fingerprint).write();
        if let Some(number) = shard.find(fingerprint) {
            shard.rows.set(number, Some(Row::new(*fingerprint, entry)));
        }
    }

    /// Whether it was there.
    pub(super) fn take(&self, fingerprint: &Fingerprint) -> bool {
        self.shard(fingerprint).write().take(fingerprint)
    }

    pub(super) fn clear(&self) {
        self.0.iter().for_each(|shard| *shard.write() = Shard::default());
    }

    /// The first byte picks the shard, the last eight the place within: digests are uniform.
    fn shard(&self, fingerprint: &Fingerprint) -> &RwLock<Shard> {
        let [first, ..] = *fingerprint.as_bytes();
        #[expect(clippy::indexing_slicing, reason = "the remainder is less than the length")]
        &self.0[usize::from(first) % SHARDS]
    }
}

impl Default for Bearers {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl Shard {
    fn find(&self, fingerprint: &Fingerprint) -> Option<u32> {
        let is_it = |number: &u32| self.rows.has(*number, fingerprint);
        self.table.find(hash(fingerprint), is_it).copied()
    }

    fn insert(&mut self, row: Row) {
        let hash_here = hash(&row.fingerprint);
        let number = self.rows.insert(row);
        // Only of rows that there are.
        let hash_of = |number: &u32| self.rows.get(*number).map_or(0, |row| hash(&row.fingerprint));
        self.table.insert_unique(hash_here, number, hash_of);
    }

    fn take(&mut self, fingerprint: &Fingerprint) -> bool {
        let is_it = |number: &u32| self.rows.has(*number, fingerprint);
        let Ok(found) = self.table.find_entry(hash(fingerprint), is_it) else { return false };
        let (number, _) = found.remove();
        self.rows.remove(number);
        true
    }
}

impl Rows {
    fn get(&self, number: u32) -> Option<&Row> {
        let (block, place) = place(number);
        self.blocks.get(block)?.get(place)?.as_ref()
    }

    fn has(&self, number: u32, fingerprint: &Fingerprint) -> bool {
        self.get(number).is_some_and(|row| row.fingerprint == *fingerprint)
    }

    fn set(&mut self, number: u32, row: Option<Row>) {
        let (block, place) = place(number);
        if let Some(slot) = self.blocks.get_mut(block).and_then(|block| block.get_mut(place)) {
            *slot = row;
        }
    }

    fn insert(&mut self, row: Row) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| self.grow());
        self.set(number, Some(row));
        number
    }

    fn remove(&mut self, number: u32) {
        self.set(number, None);
        self.free.push(number);
    }

    /// Another block, and its first number. All numbers together are 14 TiB of rows.
    fn grow(&mut self) -> u32 {
        let first = (self.blocks.len() * BLOCK) as u32;
        self.blocks.push(Box::new([const { None }; BLOCK]));
        self.free.extend((first + 1..first + BLOCK as u32).rev());
        first
    }
}

fn place(number: u32) -> (usize, usize) {
    (number as usize / BLOCK, number as usize % BLOCK)
}

impl Row {
    fn new(fingerprint: Fingerprint, entry: Entry) -> Self {
        let Entry { grant, id_tail, issued_at } = entry;
        Self { grant, last_used: AtomicSecond::default(), fingerprint, id_tail, issued_at }
    }

    fn entry(&self) -> Entry {
        let Self { grant, id_tail, issued_at, .. } = self;
        Entry { grant: Arc::clone(grant), id_tail: *id_tail, issued_at: *issued_at }
    }
}

/// A SHA-256 value is its own hash. Nobody can choose where one lands: that would take a partial
/// preimage for each token, and only tokens that we made are inserted.
fn hash(fingerprint: &Fingerprint) -> u64 {
    let last = fingerprint.as_bytes().last_chunk().copied();
    u64::from_le_bytes(last.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million tokens are a million of these.
    #[test]
    fn row_has_no_room_to_spare() {
        assert_eq!(size_of::<Option<Row>>(), 56);
    }
}
