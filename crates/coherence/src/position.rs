//! Where an index stands, so that it can be told from the same number in another history.
//!
//! Epochs count changes, and after a restored backup (or a failover that lost commits) they are given
//! a second time: the naive way, which compares numbers, takes a node that stands at the old fifth
//! change for one that knows the new fifth. So a change is named by its number *and* by a mark of all
//! that led to it, as a replicated log names its entries by index and term (Ongaro and Ousterhout,
//! 2014): who agrees about one of them agrees about everything before it.

use crate::Epoch;

/// A digest over everything that was written up to a change. No two histories have one in common
/// after they have parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub [u8; 32]);

/// One place in one history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub epoch: Epoch,
    /// `None` of one that was written before there were marks, and of the beginning.
    pub mark: Option<Mark>,
}

impl Position {
    /// The later one: within a history, the number says which.
    #[must_use]
    pub const fn later(self, other: Self) -> Self {
        if other.epoch > self.epoch { other } else { self }
    }
}
