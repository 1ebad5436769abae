//! Blocks of texts, and the time that verifying them takes.

use crate::house::House;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Texts in a block: 50 kB, read from front to back. Short enough that they are in the second cache
/// when they are read, long enough that reading the clock twice is nothing.
pub const BLOCK: u64 = 1_024;

/// Texts of the same length, one after the other in one piece.
pub struct Texts {
    joined: String,
    length: usize,
}

impl Texts {
    pub fn of(house: &House, numbers: impl Iterator<Item = u64>) -> Self {
        let (mut joined, mut length) = (String::new(), 0);
        for number in numbers {
            let text = house.text(number);
            joined.push_str(text.expose());
            length = text.expose().len();
        }
        Self { joined, length }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let count = self.joined.len().checked_div(self.length).unwrap_or(0);
        (0..count).map(|at| &self.joined[at * self.length..][..self.length])
    }
}

/// The time of as many calls as `count` says, made block by block.
pub fn in_blocks(count: u64, mut block: impl FnMut(u64) -> Duration) -> Duration {
    let mut spent = Duration::ZERO;
    for begin in (0..count).step_by(BLOCK as usize) {
        spent += block(BLOCK.min(count - begin));
    }
    spent
}

/// The time of verifying them all; each must be answered like this.
pub fn verified(house: &House, texts: &Texts, expected: bool) -> Duration {
    let (spent, all) = asked(house, texts, expected);
    assert!(all, "each is answered as it should be");
    spent
}

/// The same for a thread that others wait for, which must not end before it has said so.
pub fn asked(house: &House, texts: &Texts, expected: bool) -> (Duration, bool) {
    let mut all = true;
    let begun = Instant::now();
    for text in texts.iter() {
        all &= house.bearer(black_box(text)) == expected;
    }
    (begun.elapsed(), all)
}
