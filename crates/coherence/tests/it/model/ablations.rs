//! Without any one of the rules, the promise breaks.
//!
//! Each test says which faults it needs for that. None needs more than one of the whole spaces in
//! `full.rs` has, where the same faults break nothing. `--no-capture` shows the counterexamples.

use rescind_coherence::Rule;

use super::check::{breaks, keep};
use super::{Bounds, LEAST};

macro_rules! ablations {
    ($($name:ident: $rule:ident, $promise:literal, $bounds:expr;)*) => { $(
        #[test]
        fn $name() {
            breaks($promise, Bounds::without($bounds, Rule::$rule));
        }
    )* };
}

ablations! {
    lease_that_never_ends: LeaseRunsOut, "P", LEAST;
    answer_at_the_commit: RevokerWaits, "P", LEAST;
    silent_node_given_up: WaitForTheSilent, "P", Bounds { drift: true, ..LEAST };
    flag_cleared_by_a_timer: DecideByTheClock, "P", LEAST;
    lease_from_the_answer: CountBeforeTheAnswer, "P", LEAST;
    lease_from_the_reading: CountBeforeTheRead, "P", Bounds { failovers: 1, ..LEAST };
    no_margin_for_drift: DriftMargin, "P", Bounds { drift: true, ..LEAST };
    read_before_registration: RegisterBeforeRead, "P", LEAST;
    members_read_before_the_commit: CommitBeforeMembers, "P", LEAST;
    lease_extended_before_applying: ApplyBeforeExtend, "P", LEAST;
    acknowledgement_before_applying: ApplyBeforeAcknowledge, "P", LEAST.without(Rule::AcknowledgeOfOneHistory);
    repeat_answered_at_once: SettleRepeats, "P", Bounds { attempts: 2, ..LEAST };
    wait_on_a_wall_clock: MonotonicWait, "P", LEAST;
    asynchronous_standby: SynchronousReplication, "P", Bounds { failovers: 1, ..LEAST };
    renewal_that_only_reads: RenewalWrites, "P", Bounds { failovers: 1, ..LEAST };
    current_lease_end_decides: LeaseBeforeData, "P", LEAST.without(Rule::GenerationAgain);
    notification_trusted: RenewalReadsTheLog, "P", LEAST;
    numbers_from_a_sequence: GaplessEpochs, "P", Bounds { others: 1, ..LEAST };
    generation_not_read_again: GenerationAgain, "P′", LEAST;
    one_row_for_one_name: RowPerIncarnation, "P", Bounds { holders: 2, same_name: true, ..Bounds::least(2) };
    members_from_a_fenced_primary: MembersKnowTheEpoch, "P", Bounds { failovers: 1, crashes: 1, ..LEAST };
    reaped_unwatched: WatchBeforeReaping, "P", Bounds { reaper: true, ..LEAST };
    row_deleted_before_sealing: SealBeforeLeaving, "P", Bounds { stops: 1, ..LEAST };
    truth_going_back_unnoticed: NoticeTheTruthGoingBack, "P", Bounds { restores: 1, overtaken: true, others: 1, ..LEAST };
    registered_twice: RegisterOnce, "P", Bounds { reaper: true, timeouts: 1, ..LEAST };
    older_record_put_into_the_index: FetchedIsNotOlder, "P", Bounds { fetches: 1, ..Bounds::least(3) };
    push_that_does_not_follow: PushFollows, "P", Bounds { pushes: true, others: 1, ..LEAST };
    push_of_another_history: PushOfOneHistory, "P", Bounds { pushes: true, restores: 1, overtaken: true, others: 2, ..Bounds::least(3) };
    acknowledgement_from_before_a_restore: AcknowledgeOfOneHistory, "P", Bounds { restores: 1, overtaken: true, direct: true, others: 1, ..Bounds::least(3) };
    unknown_outcome_answered: KnownOutcome, "P", LEAST;
}

/// Whoever has not read the log does not know the mark that an acknowledgement needs. So it takes this
/// rule away too to see that one; by itself it does nothing there.
#[test]
fn marks_are_compared_for_histories_only() {
    let states = keep(&["P"], LEAST.without(Rule::AcknowledgeOfOneHistory));
    println!("{states} states");
}

/// So what `current_lease_end_decides` finds is due to the lease end.
#[test]
fn generation_is_read_again_for_the_stronger_promise_only() {
    let states = keep(&["P"], Bounds::without(LEAST, Rule::GenerationAgain));
    println!("{states} states");
}
