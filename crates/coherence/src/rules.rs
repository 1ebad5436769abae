//! Each rule of the protocol by name, so that a test can take one away.
//!
//! A protocol whose rules cannot be switched off cannot be shown to need them: a check that finds
//! nothing may be a check that cannot find anything. So every rule has a name here, the machines
//! ask [`Rules::keeps`] where they follow it, and the model, the simulator and a real binary built
//! with the feature `ablation` must each *find* what breaks when one is missing.
//!
//! In a normal build nothing can be switched off: [`Rules`] has no fields, `keeps` is the constant
//! `true`, and the compiler removes the other branch.

/// One rule, and what happens without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A node answers under a lease. Without: a partitioned node goes on accepting for ever.
    LeaseRunsOut,
    /// A revocation waits after its commit. Without: every node is a little late.
    RevokerWaits,
    /// It waits for the silent as well. Without: a paused node wakes up and accepts.
    WaitForTheSilent,
    /// Each verification compares the clock with the lease end. Without, by a flag that a timer
    /// clears: a paused process wakes up and serves before its timer runs.
    DecideByTheClock,
    /// The lease counts from before the renewal was sent. Without, from its answer: it outlives
    /// the revoker's wait.
    CountBeforeTheAnswer,
    /// As above. Without, from the reading of the log.
    CountBeforeTheRead,
    /// Holder and revoker leave a margin for clocks of different speed. Without: a slow clock
    /// outlives the wait.
    DriftMargin,
    /// The member row is written before the log is read. Without: the revocation falls between.
    RegisterBeforeRead,
    /// The members are read after the commit. Without: a node joins unseen with the old state.
    CommitBeforeMembers,
    /// What was read is applied before the lease is extended. Without: accepted in between.
    ApplyBeforeExtend,
    /// What was read is applied before it is acknowledged. Without: accepted in between.
    ApplyBeforeAcknowledge,
    /// "Already revoked" waits like the first answer. Without: the first revoker crashed before
    /// anybody applied it.
    SettleRepeats,
    /// The wait is measured on the revoker's own monotonic clock. Without, on a wall clock: the
    /// clock steps.
    MonotonicWait,
    /// A commit counts once the standby has it. Without: a failover forgets the revocation.
    SynchronousReplication,
    /// A renewal is a write. Without: a fenced old primary keeps a node alive on a dead truth.
    RenewalWrites,
    /// The lease end that decides is the one read before the look-up. Without, the current one: a
    /// renewal in between hides a stale look-up.
    LeaseBeforeData,
    /// A renewal reads the log. Without, trusting NOTIFY to come first: a commit is visible before
    /// it is signalled, and a backend can stop in between.
    RenewalReadsTheLog,
    /// Epochs are numbered under one row lock. Without, by a sequence: they commit out of order,
    /// and one is skipped for ever.
    GaplessEpochs,
    /// The generation is read again at the end. Without, P holds and P′ does not: an accept is
    /// decided after the revocation was answered.
    GenerationAgain,
    /// Each incarnation has a row of its own. Without: a successor with the same name hides its
    /// paused predecessor, for whom nobody waits.
    RowPerIncarnation,
    /// Member rows are believed only with an epoch that covers the revocation. Without: rows read
    /// from a fenced old primary lack a node that joined on the new one.
    MembersKnowTheEpoch,
    /// A row is deleted only after its lease was watched to its end. Without: a slow node is
    /// forgotten while it still holds a lease.
    WatchBeforeReaping,
    /// A node seals before it deletes its row. Without: it accepts when nobody waits for it.
    SealBeforeLeaving,
    /// A log that does not hold what was applied seals the node. Without: it goes on with epochs that
    /// mean something else.
    NoticeTheTruthGoingBack,
    /// An unknown outcome is never answered as success. Without: a revocation that was rolled back
    /// is answered.
    KnownOutcome,
    /// A registration that may have failed is not tried again under the same incarnation. Without:
    /// a row that was reaped comes back with a number that somebody has watched for long, and is
    /// reaped again at once, lease or not.
    RegisterOnce,
    /// A record that was fetched goes into the index only if the index has not moved past the
    /// snapshot that it was fetched from. Without: what was revoked meanwhile comes back.
    FetchedIsNotOlder,
    /// What was pushed is applied only if it follows on what was applied. Without: what lies in
    /// between is skipped, and acknowledged.
    PushFollows,
    /// And only if it is of the history that the index follows. Without: the database was restored and
    /// written on, and a node that has not noticed yet takes the next change, and never hears of what
    /// the number before it means now.
    PushOfOneHistory,
    /// An acknowledgement counts only in the history that it was given in. Without: the database was
    /// restored and written on, and a node that has not noticed yet says of the number of a lost
    /// change that it has applied it.
    AcknowledgeOfOneHistory,
    /// On a node without leases, a verification is decided by a round that began after it was
    /// invoked. Without: the round read the log before the revocation was answered.
    RoundAfterAsking,
}

impl Rule {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 31] = [
        Self::LeaseRunsOut,
        Self::RevokerWaits,
        Self::WaitForTheSilent,
        Self::DecideByTheClock,
        Self::CountBeforeTheAnswer,
        Self::CountBeforeTheRead,
        Self::DriftMargin,
        Self::RegisterBeforeRead,
        Self::CommitBeforeMembers,
        Self::ApplyBeforeExtend,
        Self::ApplyBeforeAcknowledge,
        Self::SettleRepeats,
        Self::MonotonicWait,
        Self::SynchronousReplication,
        Self::RenewalWrites,
        Self::LeaseBeforeData,
        Self::RenewalReadsTheLog,
        Self::GaplessEpochs,
        Self::GenerationAgain,
        Self::RowPerIncarnation,
        Self::MembersKnowTheEpoch,
        Self::WatchBeforeReaping,
        Self::SealBeforeLeaving,
        Self::NoticeTheTruthGoingBack,
        Self::KnownOutcome,
        Self::RegisterOnce,
        Self::FetchedIsNotOlder,
        Self::PushFollows,
        Self::PushOfOneHistory,
        Self::AcknowledgeOfOneHistory,
        Self::RoundAfterAsking,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::LeaseRunsOut => "lease-runs-out",
            Self::RevokerWaits => "revoker-waits",
            Self::WaitForTheSilent => "wait-for-the-silent",
            Self::DecideByTheClock => "decide-by-the-clock",
            Self::CountBeforeTheAnswer => "count-before-the-answer",
            Self::CountBeforeTheRead => "count-before-the-read",
            Self::DriftMargin => "drift-margin",
            Self::RegisterBeforeRead => "register-before-read",
            Self::CommitBeforeMembers => "commit-before-members",
            Self::ApplyBeforeExtend => "apply-before-extend",
            Self::ApplyBeforeAcknowledge => "apply-before-acknowledge",
            Self::SettleRepeats => "settle-repeats",
            Self::MonotonicWait => "monotonic-wait",
            Self::SynchronousReplication => "synchronous-replication",
            Self::RenewalWrites => "renewal-writes",
            Self::LeaseBeforeData => "lease-before-data",
            Self::RenewalReadsTheLog => "renewal-reads-the-log",
            Self::GaplessEpochs => "gapless-epochs",
            Self::GenerationAgain => "generation-again",
            Self::RowPerIncarnation => "row-per-incarnation",
            Self::MembersKnowTheEpoch => "members-know-the-epoch",
            Self::WatchBeforeReaping => "watch-before-reaping",
            Self::SealBeforeLeaving => "seal-before-leaving",
            Self::NoticeTheTruthGoingBack => "notice-the-truth-going-back",
            Self::KnownOutcome => "known-outcome",
            Self::RegisterOnce => "register-once",
            Self::FetchedIsNotOlder => "fetched-is-not-older",
            Self::PushFollows => "push-follows",
            Self::PushOfOneHistory => "push-of-one-history",
            Self::AcknowledgeOfOneHistory => "acknowledge-of-one-history",
            Self::RoundAfterAsking => "round-after-asking",
        }
    }
}

/// Which rules are kept: all, unless the feature `ablation` is on and a test takes one away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rules {
    /// A bit for each rule that is switched off.
    #[cfg(feature = "ablation")]
    off: u32,
}

impl Rules {
    pub const ALL: Self = Self {
        #[cfg(feature = "ablation")]
        off: 0,
    };

    #[cfg(not(feature = "ablation"))]
    #[inline(always)]
    pub const fn keeps(self, _: Rule) -> bool {
        true
    }

    #[cfg(feature = "ablation")]
    pub const fn keeps(self, rule: Rule) -> bool {
        self.off & (1 << rule as u32) == 0
    }

    /// The same without this rule.
    #[cfg(feature = "ablation")]
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self { off: self.off | (1 << rule as u32) }
    }

    /// The same without the rules named here, separated by commas: what a binary built for tests
    /// takes from its environment. `None` if a name is unknown, because a rule that was meant to be
    /// off and is not would be taken for one that is not needed.
    #[cfg(feature = "ablation")]
    pub fn without_named(self, names: &str) -> Option<Self> {
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(
            self,
            |rules, name| {
                let rule = Rule::ALL.into_iter().find(|rule| rule.name() == name)?;
                Some(rules.without(rule))
            },
        )
    }
}

#[cfg(not(feature = "ablation"))]
const _: () = assert!(core::mem::size_of::<Rules>() == 0, "a normal build pays nothing");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_kept_unless_said_otherwise() {
        assert!(Rule::ALL.into_iter().all(|rule| Rules::ALL.keeps(rule)));
        assert_eq!(Rules::default(), Rules::ALL);
    }

    #[test]
    fn list_of_all_rules_is_whole_and_names_are_unique() {
        for (at, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, at);
            let same = Rule::ALL.into_iter().filter(|other| other.name() == rule.name());
            assert_eq!(same.count(), 1, "{}", rule.name());
        }
        assert_eq!(Rule::ALL.len(), Rule::RoundAfterAsking as usize + 1);
    }

    #[cfg(feature = "ablation")]
    #[test]
    fn rule_switched_off_by_name_is_the_only_one_off() {
        let rules = Rules::ALL.without_named("drift-margin").unwrap();
        for rule in Rule::ALL {
            assert_eq!(rules.keeps(rule), rule != Rule::DriftMargin);
        }
        let two = Rules::ALL.without_named("drift-margin, settle-repeats").unwrap();
        assert!(!two.keeps(Rule::SettleRepeats) && !two.keeps(Rule::DriftMargin));
        assert_eq!(Rules::ALL.without_named(""), Some(Rules::ALL));
        assert_eq!(Rules::ALL.without_named("drift-margins"), None);
    }
}
