//! From hashes to numbers of rows, at four bytes for each and in one cache miss.
//!
//! Open addressing with linear probing. A slot holds a row's number and, in the bits that this
//! leaves, a part of its hash, so that hardly ever a row is looked at that is not the one. A general
//! table keeps the two apart, and a look-up among millions waits for memory twice.

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Empty at first; then two to the power of `bits`, and a quarter of them free at least. 0 is
    /// free.
    slots: Box<[u32]>,
    bits: u32,
    taken: usize,
}

/// Of the smallest table that has any slots.
const BITS_MIN: u32 = 6;
/// Of the largest. As many rows would be a hundred gigabytes.
const BITS_MAX: u32 = 31;

impl Table {
    /// Of `hash`, among those with this hash or one much like it.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let tag = self.tag(hash);
        let mut at = self.home(hash);
        loop {
            let slot = self.slot(at);
            if slot == 0 {
                return None;
            }
            if (slot ^ tag) >> self.bits == 0 && is_it(self.number(slot)) {
                return Some(self.number(slot));
            }
            at = self.after(at);
        }
    }

    /// Whether one more has room; if not, all go to another table.
    pub(super) fn has_room(&self) -> bool {
        self.taken < self.slots.len() / 4 * 3
    }

    /// One of twice the size, with all of `rows`: hashes and numbers, which are less than as many.
    pub(super) fn larger(&self, rows: impl Iterator<Item = (u64, u32)>) -> Self {
        let bits = (self.bits + 1).clamp(BITS_MIN, BITS_MAX);
        let mut table = Self { slots: vec![0; 1 << bits].into(), bits, taken: 0 };
        rows.for_each(|(hash, number)| table.insert(hash, number));
        table
    }

    /// There must be room, and it must not be there.
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        let mut at = self.home(hash);
        while self.slot(at) != 0 {
            at = self.after(at);
        }
        self.set(at, self.tag(hash) | (number + 1));
        self.taken += 1;
    }

    /// Those behind it move up, so that each is found without looking past a free slot.
    pub(super) fn remove(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        let mut hole = self.home(hash);
        while self.slot(hole) != (self.tag(hash) | (number + 1)) {
            if self.slot(hole) == 0 {
                return;
            }
            hole = self.after(hole);
        }
        let mut at = self.after(hole);
        while self.slot(at) != 0 {
            let home = self.home(hash_of(self.number(self.slot(at))));
            if self.distance(home, at) >= self.distance(hole, at) {
                self.set(hole, self.slot(at));
                hole = at;
            }
            at = self.after(at);
        }
        self.set(hole, 0);
        self.taken -= 1;
    }

    fn mask(&self) -> usize {
        self.slots.len().wrapping_sub(1)
    }

    fn home(&self, hash: u64) -> usize {
        hash as usize & self.mask()
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }

    /// How far one walks, in the direction of probing.
    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }

    /// Bits of the hash that do not choose the home.
    fn tag(&self, hash: u64) -> u32 {
        ((hash >> 32) as u32) << self.bits
    }

    fn number(&self, slot: u32) -> u32 {
        (slot & self.mask() as u32) - 1
    }

    /// A table without slots is free everywhere.
    fn slot(&self, at: usize) -> u32 {
        self.slots.get(at).copied().unwrap_or(0)
    }

    fn set(&mut self, at: usize, slot: u32) {
        if let Some(place) = self.slots.get_mut(at) {
            *place = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
    }

    /// Hashes of which many have the same home, the last of a table among them, and some are equal
    /// but for the rows' own.
    fn step() -> impl Strategy<Value = Step> {
        let hash = prop_oneof![0..4_u64, 60..64_u64, any::<u64>()];
        let hash = (hash, 0..3_u64).prop_map(|(low, high)| low ^ (high << 32));
        prop_oneof![3 => hash.prop_map(Step::Insert), 2 => any::<usize>().prop_map(Step::Remove)]
    }

    proptest! {
        #[test]
        fn table_finds_what_is_there_and_nothing_else(
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut table = Table::default();
            let mut hashes: HashMap<u32, u64> = HashMap::new();
            let mut free: Vec<u32> = (0..200).rev().collect();
            for step in steps {
                match step {
                    Step::Insert(hash) => {
                        let number = free.pop().unwrap();
                        hashes.insert(number, hash);
                        if table.has_room() {
                            table.insert(hash, number);
                        } else {
                            table = table.larger(hashes.iter().map(|(number, hash)| (*hash, *number)));
                        }
                    }
                    Step::Remove(at) => {
                        let there: Vec<u32> = hashes.keys().copied().collect();
                        if there.is_empty() {
                            continue;
                        }
                        let number = there[at % there.len()];
                        table.remove(hashes[&number], number, |number| hashes[&number]);
                        hashes.remove(&number);
                        free.push(number);
                    }
                }
                for number in 0..200 {
                    let hash = hashes.get(&number).copied().unwrap_or(4_711);
                    let found = table.find(hash, |found| found == number);
                    prop_assert_eq!(found.is_some(), hashes.contains_key(&number));
                }
                prop_assert_eq!(table.taken, hashes.len());
            }
        }
    }

    #[test]
    fn rows_of_other_hashes_are_not_looked_at() {
        let mut table = Table::default().larger(std::iter::empty());
        (0..32).for_each(|number| table.insert(u64::from(number) << 32, number));
        let looked_at = std::cell::Cell::new(0);
        let found = table.find(31 << 32, |number| {
            looked_at.set(looked_at.get() + 1);
            number == 31
        });
        assert_eq!((found, looked_at.get()), (Some(31), 1));
    }
}
