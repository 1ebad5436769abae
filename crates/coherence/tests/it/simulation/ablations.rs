//! Without any one of the rules, some seed breaks the promise.
//!
//! The seeds are tried one after the other; `--no-capture` shows which one it was. Three rules are
//! left to the model. What [`Rule::RegisterOnce`] prevents takes a coincidence of four; and the
//! database here never goes back in time ([`Rule::NoticeTheTruthGoingBack`],
//! [`Rule::PushOfOneHistory`]).

use rescind_coherence::{Rule, Rules};

use super::judge::Promise;
use super::world::World;

/// Far more than any of them needs.
const SEEDS: u64 = 1_500;

fn breaks(promise: Promise, rules: Rules) {
    let broken = |seed: &u64| {
        let judge = World::new(*seed, rules, false).run_until(&[promise]);
        judge.broken.contains_key(&promise)
    };
    let seed = (0..SEEDS).find(broken);
    println!("seed {}", seed.expect("some seed finds it"));
}

macro_rules! ablations {
    ($($name:ident: $rule:ident;)*) => { $(
        #[test]
        fn $name() {
            breaks(Promise::NoLateAccept, Rules::ALL.without(Rule::$rule));
        }
    )* };
}

ablations! {
    lease_that_never_ends: LeaseRunsOut;
    answer_at_the_commit: RevokerWaits;
    silent_node_given_up: WaitForTheSilent;
    flag_cleared_by_a_timer: DecideByTheClock;
    lease_from_the_answer: CountBeforeTheAnswer;
    lease_from_the_reading: CountBeforeTheRead;
    no_margin_for_drift: DriftMargin;
    read_before_registration: RegisterBeforeRead;
    members_read_before_the_commit: CommitBeforeMembers;
    lease_extended_before_applying: ApplyBeforeExtend;
    acknowledgement_before_applying: ApplyBeforeAcknowledge;
    repeat_answered_at_once: SettleRepeats;
    wait_on_a_wall_clock: MonotonicWait;
    asynchronous_standby: SynchronousReplication;
    renewal_that_only_reads: RenewalWrites;
    notification_trusted: RenewalReadsTheLog;
    numbers_from_a_sequence: GaplessEpochs;
    one_row_for_one_name: RowPerIncarnation;
    members_from_a_fenced_primary: MembersKnowTheEpoch;
    reaped_unwatched: WatchBeforeReaping;
    row_deleted_before_sealing: SealBeforeLeaving;
    unknown_outcome_answered: KnownOutcome;
    older_record_put_into_the_index: FetchedIsNotOlder;
    push_that_does_not_follow: PushFollows;
}

#[test]
fn generation_not_read_again() {
    breaks(Promise::NoLateDecision, Rules::ALL.without(Rule::GenerationAgain));
}

/// The generation hides it: what is stale has changed.
#[test]
fn current_lease_end_decides_and_the_generation_is_not_read_again() {
    let rules = Rules::ALL.without(Rule::GenerationAgain);
    breaks(Promise::NoLateAccept, rules.without(Rule::LeaseBeforeData));
    for seed in 0..50 {
        let judge = World::new(seed, rules, false).run_until(&[Promise::NoLateAccept]);
        assert!(!judge.broken.contains_key(&Promise::NoLateAccept), "seed {seed}");
    }
}
