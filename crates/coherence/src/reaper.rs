//! When a node is given up for dead.
//!
//! A row whose node has crashed makes each revocation wait for a lease that nobody holds. Any node
//! may delete it, but no row says when its lease ends: that would be a time by somebody else's
//! clock. So the [`Reaper`] watches: if `renewals` has stood still for as long as a lease is surely
//! over, by its own clock and counted from *after* the reading that first saw this number, then the
//! last lease of this row has ended. A renewal later than that would have raised the number, and
//! the deletion asks for it once more (`… WHERE node AND incarnation AND renewals = …`), so that
//! a renewal in between saves the row.
//!
//! A node that was only slow finds no row at its next renewal and registers anew ([`Node`]). A
//! reaper that was just started knows nothing and watches from the beginning.
//!
//! [`Node`]: crate::Node

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::{BootInstant, Member, MemberRow, Rule, Rules, Timing};

/// A row to delete, if it still says this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeadRow {
    pub member: Member,
    pub renewals: u64,
}

/// What one node has seen of the others' renewals. Give it every reading of the member rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reaper {
    timing: Timing,
    rules: Rules,
    /// For each row the number of its renewals, and since when it has been that.
    watched: BTreeMap<Member, (u64, BootInstant)>,
}

impl Reaper {
    pub fn new(timing: Timing, rules: Rules) -> Self {
        Self { timing: timing.under(rules), rules, watched: BTreeMap::new() }
    }

    /// All rows, read before `now`; back come those that may be deleted. Never the own one: its
    /// owner knows better.
    pub fn saw(&mut self, rows: &[MemberRow], own: Member, now: BootInstant) -> Vec<DeadRow> {
        self.watched.retain(|member, _| rows.iter().any(|row| row.member == *member));
        rows.iter().filter(|row| row.member != own).filter_map(|row| self.watch(row, now)).collect()
    }

    fn watch(&mut self, row: &MemberRow, now: BootInstant) -> Option<DeadRow> {
        let watched = self.watched.entry(row.member).or_insert((row.renewals, now));
        if watched.0 != row.renewals {
            *watched = (row.renewals, now);
        }
        let over = now >= self.timing.surely_over(watched.1, row.lease_ms);
        let dead = over || !self.rules.keeps(Rule::WatchBeforeReaping);
        dead.then_some(DeadRow { member: row.member, renewals: row.renewals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, NodeId};

    const ME: Member = Member { node: NodeId(1), incarnation: Incarnation(10) };
    const OTHER: Member = Member { node: NodeId(2), incarnation: Incarnation(20) };
    /// Of a lease of 15 s, with its margins.
    const OVER: u64 = 15_325;

    fn row(member: Member, renewals: u64) -> MemberRow {
        MemberRow { member, lease_ms: 15_000, applied: 0, renewals }
    }

    fn at(millis: u64) -> BootInstant {
        BootInstant::from_millis(millis)
    }

    fn reaper() -> Reaper {
        Reaper::new(Timing::default(), Rules::ALL)
    }

    #[test]
    fn silent_row_is_dead_after_its_lease_and_margins_and_not_before() {
        let mut reaper = reaper();
        assert!(reaper.saw(&[row(OTHER, 4)], ME, at(1_000)).is_empty());
        assert!(reaper.saw(&[row(OTHER, 4)], ME, at(1_000 + OVER - 1)).is_empty());
        let dead = reaper.saw(&[row(OTHER, 4)], ME, at(1_000 + OVER));
        assert_eq!(dead, [DeadRow { member: OTHER, renewals: 4 }]);
    }

    #[test]
    fn each_renewal_starts_the_watch_again() {
        let mut reaper = reaper();
        reaper.saw(&[row(OTHER, 4)], ME, at(0));
        reaper.saw(&[row(OTHER, 5)], ME, at(OVER - 1));
        assert!(reaper.saw(&[row(OTHER, 5)], ME, at(OVER)).is_empty());
        assert_eq!(reaper.saw(&[row(OTHER, 5)], ME, at(2 * OVER - 1)).len(), 1);
    }

    #[test]
    fn row_that_went_and_came_back_is_watched_from_the_beginning() {
        let mut reaper = reaper();
        reaper.saw(&[row(OTHER, 4)], ME, at(0));
        reaper.saw(&[], ME, at(1));
        assert!(reaper.saw(&[row(OTHER, 4)], ME, at(OVER)).is_empty());
    }

    #[test]
    fn own_row_is_never_reaped() {
        let mut reaper = reaper();
        reaper.saw(&[row(ME, 4)], ME, at(0));
        assert!(reaper.saw(&[row(ME, 4)], ME, at(10 * OVER)).is_empty());
    }

    #[test]
    fn length_that_counts_is_the_one_in_the_row() {
        let mut reaper = reaper();
        let long = MemberRow { lease_ms: 300_000, ..row(OTHER, 1) };
        reaper.saw(&[long], ME, at(0));
        assert!(reaper.saw(&[long], ME, at(301_749)).is_empty());
        assert_eq!(reaper.saw(&[long], ME, at(301_750)).len(), 1);
    }
}
