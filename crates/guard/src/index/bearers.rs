//! Bearer tokens, by their fingerprints: most of what memory is for.
//!
//! The naive way, a map from digest to a shared record, takes five cache misses and 250 bytes. Here
//! a table says in four bytes where a token's row is, and the row says the rest in 48. To grow, a
//! shard copies no row, so that nobody waits long for its lock.

use super::grant::Grant;
use super::rows::Rows;
use super::table::Table;
use super::{Entry, SHARDS};
use crate::usage::{AtomicSecond, Second};
use parking_lot::RwLock;
use rescind_core::{Fingerprint, IdTail, Timestamp};
use std::sync::Arc;

/// One token. See [`Entry`] for the same unpacked.
#[derive(Debug)]
struct Row {
    grant: Arc<Grant>,
    last_used: AtomicSecond,
    id_tail: IdTail,
    fingerprint: Fingerprint,
    issued_at: Moment,
}

/// A [`Timestamp`] in six bytes: its milliseconds from the year 1 on. What lies after August 8920
/// is taken for its end, and so ends earlier.
#[derive(Clone, Copy, Debug)]
struct Moment([u8; 6]);

/// A token as it was found, and where.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) entry: Entry,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    row: u32,
    pub(crate) last_used: Second,
}

#[derive(Debug)]
pub(super) struct Bearers([RwLock<Shard>; SHARDS]);

#[derive(Debug, Default)]
struct Shard {
    rows: Rows<Row>,
    table: Table,
}

impl Bearers {
    #[inline]
    pub(super) fn find(&self, fingerprint: &Fingerprint) -> Option<Found> {
        let shard = self.shard(fingerprint).read();
        let number = shard.find(fingerprint)?;
        let row = shard.rows.get(number)?;
        let place = Place { row: number, last_used: row.last_used.get() };
        Some(Found { fingerprint: row.fingerprint, entry: row.entry(), place })
    }

    /// Unless it is gone, or another one is there.
    pub(super) fn note_use(&self, fingerprint: &Fingerprint, place: Place, second: Second) {
        let shard = self.shard(fingerprint).read();
        if let Some(row) = shard.rows.get(place.row).filter(|row| row.is(fingerprint)) {
            row.last_used.set(second);
        }
    }

    /// Whether it takes another's place.
    pub(super) fn put(&self, fingerprint: Fingerprint, entry: Entry) -> bool {
        let mut shard = self.shard(&fingerprint).write();
        let row = Row::new(fingerprint, entry);
        match shard.find_mut(&fingerprint) {
            Some(known) => {
                *known = row;
                true
            }
            None => {
                shard.insert(row);
                false
            }
        }
    }

    pub(super) fn replace(&self, fingerprint: &Fingerprint, entry: Entry) {
        if let Some(row) = self.shard(fingerprint).write().find_mut(fingerprint) {
            *row = Row::new(*fingerprint, entry);
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
        let is_it = |number| self.rows.get(number).is_some_and(|row| row.is(fingerprint));
        self.table.find(hash(fingerprint), is_it)
    }

    fn find_mut(&mut self, fingerprint: &Fingerprint) -> Option<&mut Row> {
        let number = self.find(fingerprint)?;
        self.rows.get_mut(number)
    }

    fn insert(&mut self, row: Row) {
        let hash_of_row = hash(&row.fingerprint);
        let number = self.rows.insert(row);
        if self.table.has_room() {
            self.table.insert(hash_of_row, number);
        } else {
            let rows = self.rows.iter().map(|(number, row)| (hash(&row.fingerprint), number));
            self.table = self.table.larger(rows);
        }
    }

    fn take(&mut self, fingerprint: &Fingerprint) -> bool {
        let Some(number) = self.find(fingerprint) else { return false };
        let hash_of = |number| self.rows.get(number).map_or(0, |row| hash(&row.fingerprint));
        self.table.remove(hash(fingerprint), number, hash_of);
        self.rows.remove(number);
        true
    }
}

impl Row {
    fn is(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == *fingerprint
    }

    fn new(fingerprint: Fingerprint, entry: Entry) -> Self {
        let Entry { grant, id_tail, issued_at } = entry;
        let (last_used, issued_at) = (AtomicSecond::default(), Moment::from(issued_at));
        Self { grant, last_used, id_tail, fingerprint, issued_at }
    }

    fn entry(&self) -> Entry {
        let Self { grant, id_tail, issued_at, .. } = self;
        Entry { grant: Arc::clone(grant), id_tail: *id_tail, issued_at: (*issued_at).into() }
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let since = time.distance_millis(Timestamp::MIN).min((1 << 48) - 1);
        let [bytes @ .., _, _] = since.to_le_bytes();
        Self(bytes)
    }
}

impl From<Moment> for Timestamp {
    fn from(Moment([a, b, c, d, e, f]): Moment) -> Self {
        Self::MIN.plus_millis(i64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
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
        assert_eq!(size_of::<Option<Row>>(), 48);
    }

    #[test]
    fn moment_is_the_time_that_it_was_made_of_unless_it_is_thousands_of_years_away() {
        let kept = |time: Timestamp| Timestamp::from(Moment::from(time));
        for millis in [0, -1, 1, 1_774_269_296_789, 219_000_000_000_000] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(kept(time), time);
        }
        assert_eq!(kept(Timestamp::MIN), Timestamp::MIN);
        assert_eq!(kept(Timestamp::MAX).to_rfc3339_millis(), "8920-08-03T05:31:50.655Z");
    }
}
