//! Values that stay where they are put, by number.
//!
//! A vector would copy all of them to grow, under its shard's lock; here another block is added.

/// Values of a block: of bearer tokens 14 KiB.
const BLOCK: usize = 256;

#[derive(Debug)]
pub(super) struct Rows<T> {
    blocks: Vec<Box<[Option<T>; BLOCK]>>,
    /// Numbers that are not taken, those of values that were taken out among them: the next value
    /// has one of these.
    free: Vec<u32>,
}

impl<T> Rows<T> {
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let number = number as usize;
        self.blocks.get(number / BLOCK)?.get(number % BLOCK)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.slot(number)?.as_mut()
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| self.grow());
        if let Some(slot) = self.slot(number) {
            *slot = Some(value);
        }
        number
    }

    pub(super) fn remove(&mut self, number: u32) {
        if let Some(slot) = self.slot(number)
            && slot.take().is_some()
        {
            self.free.push(number);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.blocks.iter().flat_map(|block| block.iter());
        (0..).zip(slots).filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    fn slot(&mut self, number: u32) -> Option<&mut Option<T>> {
        let number = number as usize;
        self.blocks.get_mut(number / BLOCK)?.get_mut(number % BLOCK)
    }

    /// Another block, and its first number. As many numbers as there are would be 14 TiB.
    fn grow(&mut self) -> u32 {
        let first = (self.blocks.len() * BLOCK) as u32;
        self.blocks.push(Box::new([const { None }; BLOCK]));
        self.free.extend((first + 1..first + BLOCK as u32).rev());
        first
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_found_by_its_number_until_it_is_taken_out() {
        let mut rows = Rows::default();
        let numbers: Vec<u32> = (0..1_000).map(|value| rows.insert(value)).collect();
        assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
        assert_eq!(rows.blocks.len(), 4);
        rows.remove(7);
        rows.remove(7);
        assert_eq!(
            (rows.get(6), rows.get(7), rows.get(1_000), rows.get(4_711)),
            (Some(&6), None, None, None)
        );
        assert_eq!(rows.iter().count(), 999);
        assert_eq!(rows.insert(1_000), 7, "room is taken again");
        assert_eq!(rows.insert(1_001), 1_000);
        assert_eq!(
            rows.iter().map(|(number, _)| number).collect::<Vec<_>>(),
            (0..1_001).collect::<Vec<_>>()
        );
    }
}
