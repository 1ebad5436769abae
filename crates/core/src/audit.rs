//! The audit chain: each entry's hash covers the one before it, so that a changed, missing or
//! reordered entry shows, and the latest hash, kept elsewhere, shows a truncated end.

use crate::{Actor, Digest, Timestamp};
use alloc::string::String;
use sha2::{Digest as _, Sha256};

/// Binds the hash to this use and this layout.
const DOMAIN: &[u8] = b"rescind-audit-v1";

/// What the first entry follows.
pub const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without gaps.
    pub seq: u64,
    pub at: Timestamp,
    pub actor: Actor,
    /// `token.issued`, `token.revoked`, `owner.created`, ...
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// Further facts as JSON; never a secret.
    pub detail: String,
}

/// Where a chain does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    #[error("entry {expected} is missing; entry {found} follows instead")]
    Gap { expected: u64, found: u64 },
    #[error("entry {seq} does not hash to what was recorded")]
    Changed { seq: u64 },
}

/// The hash of `entry` after `previous`. Every field is preceded by its length, so no two entries
/// read alike.
pub fn link(previous: &Digest, entry: &Entry) -> Digest {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous.as_bytes());
    hash.update(entry.seq.to_be_bytes());
    hash.update(entry.at.as_millis().to_be_bytes());
    for field in [entry.actor.as_str(), &entry.action, &entry.subject, &entry.detail] {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    Digest::from_bytes(hash.finalize().into())
}

/// Walks a chain from its first entry and returns the hash of its last.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    next: u64,
    head: Digest,
}

impl Default for Walk {
    fn default() -> Self {
        Self { next: 1, head: GENESIS }
    }
}

impl Walk {
    pub fn step(&mut self, entry: &Entry, recorded: &Digest) -> Result<(), ChainFault> {
        if entry.seq != self.next {
            return Err(ChainFault::Gap { expected: self.next, found: entry.seq });
        }
        let hash = link(&self.head, entry);
        if hash != *recorded {
            return Err(ChainFault::Changed { seq: entry.seq });
        }
        self.head = hash;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// The hash of the last entry walked: the anchor to keep elsewhere.
    pub fn head(&self) -> &Digest {
        &self.head
    }

    pub fn entries(&self) -> u64 {
        self.next.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};
    use proptest::prelude::*;
    use rstest::rstest;

    type Chain = Vec<(Entry, Digest)>;

    fn entry(seq: u64) -> Entry {
        Entry {
            seq,
            at: Timestamp::from_millis(1_774_269_296_789),
            actor: Actor::system("test"),
            action: "token.issued".into(),
            subject: format!("tok_{seq}"),
            detail: "{}".into(),
        }
    }

    fn chain(length: u64) -> Chain {
        let mut head = GENESIS;
        (1..=length)
            .map(|seq| {
                head = link(&head, &entry(seq));
                (entry(seq), head)
            })
            .collect()
    }

    fn walk(chain: &Chain) -> Result<Walk, ChainFault> {
        let mut walk = Walk::default();
        for (entry, recorded) in chain {
            walk.step(entry, recorded)?;
        }
        Ok(walk)
    }

    #[test]
    fn empty_chain_holds_and_ends_at_its_beginning() {
        let walk = Walk::default();
        assert_eq!((walk.head(), walk.entries()), (&GENESIS, 0));
    }

    #[test]
    fn whole_chain_holds_and_ends_at_its_last_hash() {
        let chain = chain(5);
        let walk = walk(&chain).unwrap();
        assert_eq!((walk.head(), walk.entries()), (&chain[4].1, 5));
    }

    #[rstest]
    #[case::time(|e: &mut Entry| e.at = e.at.plus_millis(1))]
    #[case::actor(|e: &mut Entry| e.actor = Actor::system("other"))]
    #[case::action(|e: &mut Entry| e.action = "token.revoked".into())]
    #[case::subject(|e: &mut Entry| e.subject.push('0'))]
    #[case::detail(|e: &mut Entry| e.detail = "{ }".into())]
    #[case::moved_border(|e: &mut Entry| {
        e.action = "token.issuedtok".into();
        e.subject = "_3".into();
    })]
    fn changed_entry_shows(#[case] change: fn(&mut Entry)) {
        let mut chain = chain(5);
        change(&mut chain[2].0);
        assert_eq!(walk(&chain).unwrap_err(), ChainFault::Changed { seq: 3 });
    }

    #[test]
    fn entry_that_was_hashed_anew_shows_at_the_next() {
        let mut chain = chain(5);
        chain[2].0.subject = "tok_9".into();
        chain[2].1 = link(&chain[1].1, &chain[2].0);
        assert_eq!(walk(&chain).unwrap_err(), ChainFault::Changed { seq: 4 });
    }

    #[test]
    fn missing_entry_shows() {
        let mut first = chain(5);
        first.remove(0);
        assert_eq!(walk(&first).unwrap_err(), ChainFault::Gap { expected: 1, found: 2 });
        let mut inner = chain(5);
        inner.remove(2);
        assert_eq!(walk(&inner).unwrap_err(), ChainFault::Gap { expected: 3, found: 4 });
    }

    #[test]
    fn missing_entry_shows_even_when_the_rest_was_renumbered() {
        let mut chain = chain(5);
        chain.remove(2);
        for (seq, (entry, _)) in (1..).zip(&mut chain) {
            entry.seq = seq;
        }
        assert_eq!(walk(&chain).unwrap_err(), ChainFault::Changed { seq: 3 });
    }

    #[test]
    fn reordered_and_repeated_entries_show() {
        let mut swapped = chain(5);
        swapped.swap(1, 2);
        assert_eq!(walk(&swapped).unwrap_err(), ChainFault::Gap { expected: 2, found: 3 });
        let mut repeated = chain(5);
        repeated.insert(1, repeated[0].clone());
        assert_eq!(walk(&repeated).unwrap_err(), ChainFault::Gap { expected: 2, found: 1 });
    }

    /// The chain alone cannot show it, which is why its head is kept elsewhere.
    #[test]
    fn truncated_end_shows_by_the_head_that_was_kept() {
        let whole = chain(5);
        let kept = *walk(&whole).unwrap().head();
        let cut = walk(&whole[..4].to_vec()).unwrap();
        assert_ne!(*cut.head(), kept);
        assert_eq!(cut.entries(), 4);
    }

    #[test]
    fn refused_entry_does_not_move_the_walk() {
        let chain = chain(2);
        let mut walk = Walk::default();
        walk.step(&chain[1].0, &chain[1].1).unwrap_err();
        walk.step(&chain[0].0, &GENESIS).unwrap_err();
        walk.step(&chain[0].0, &chain[0].1).unwrap();
        assert_eq!((walk.head(), walk.entries()), (&chain[0].1, 1));
    }

    proptest! {
        /// Lengths stand before the fields, so text cannot move from one into the next.
        #[test]
        fn two_entries_never_hash_alike(one in "[ab]{0,3}", two in "[ab]{0,3}", cut in 0..7_usize) {
            let text = format!("{one}{two}");
            prop_assume!(cut <= text.len() && cut != one.len());
            let (action, subject) = text.split_at(cut);
            let left = Entry { action: one.clone(), subject: two.clone(), ..entry(1) };
            let right = Entry { action: action.into(), subject: subject.into(), ..entry(1) };
            prop_assert_ne!(link(&GENESIS, &left), link(&GENESIS, &right));
        }
    }
}
