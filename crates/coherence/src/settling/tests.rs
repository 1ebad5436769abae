use super::*;
use crate::{Incarnation, Mark, NodeId};

const ME: Member = Member { node: NodeId(1), incarnation: Incarnation(10) };
const OTHER: Member = Member { node: NodeId(2), incarnation: Incarnation(20) };
/// The same node after a restart.
const ANEW: Member = Member { node: NodeId(2), incarnation: Incarnation(21) };
/// Of a lease of 15 s, with its margins.
const OVER: u64 = 15_325;

fn at(millis: u64) -> BootInstant {
    BootInstant::from_millis(millis)
}

/// In the one history there is, unless a test says otherwise.
fn place(epoch: Epoch) -> Position {
    Position { epoch, mark: Some(Mark([1; 32])) }
}

fn row(member: Member, applied: Epoch) -> MemberRow {
    MemberRow { member, lease_ms: 15_000, applied, renewals: 1 }
}

fn told(settler: &mut Settler, event: Event, now: u64) -> Vec<Effect> {
    settler.step(event, at(now))
}

fn rows(covers: Epoch, rows: &[MemberRow]) -> Event {
    Event::Members { covers, epoch: covers, rows: rows.to_vec() }
}

fn settled(effects: &[Effect]) -> Vec<Settled> {
    let settled = effects.iter().filter_map(|effect| match effect {
        Effect::Settled(settled) => Some(*settled),
        _ => None,
    });
    settled.collect()
}

fn reads(effects: &[Effect]) -> Vec<Epoch> {
    let reads = effects.iter().filter_map(|effect| match effect {
        Effect::ReadMembers { covers } => Some(*covers),
        _ => None,
    });
    reads.collect()
}

/// Has committed and applied epoch 7 at 1,000, and asked for the rows.
fn revoker() -> Settler {
    let mut settler = Settler::new(Timing::default(), Rules::ALL);
    told(&mut settler, Event::Applied { by: ME, at: place(7) }, 999);
    let effects = told(&mut settler, Event::Committed { epoch: 7 }, 1_000);
    assert_eq!(effects[0], Effect::ReadMembers { covers: 7 });
    settler
}

#[test]
fn nothing_settles_before_the_rows_are_read() {
    let mut settler = revoker();
    assert!(settled(&told(&mut settler, Event::Tick, 1_000 + 10 * OVER)).is_empty());
    let alone = told(&mut settler, rows(7, &[row(ME, 3)]), 1_001);
    assert_eq!(settled(&alone), [Settled::alone(7)]);
}

#[test]
fn row_that_has_applied_the_epoch_is_not_waited_for() {
    let mut settler = revoker();
    let effects = told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 7)]), 1_001);
    assert_eq!(settled(&effects), [Settled { epoch: 7, acknowledged: 2, waited_out: 0 }]);
    assert_eq!(settler.waiting(), 0);
}

#[test]
fn silent_node_is_waited_for_until_its_lease_is_surely_over() {
    let mut settler = revoker();
    let silent = rows(7, &[row(ME, 3), row(OTHER, 6)]);
    assert!(settled(&told(&mut settler, silent, 1_001)).is_empty());
    assert!(settled(&told(&mut settler, Event::Tick, 1_000 + OVER - 1)).is_empty());
    let effects = told(&mut settler, Event::Tick, 1_000 + OVER);
    assert_eq!(settled(&effects), [Settled { epoch: 7, acknowledged: 1, waited_out: 1 }]);
}

#[test]
fn longest_lease_of_those_missing_counts() {
    let mut settler = revoker();
    let long = MemberRow { lease_ms: 300_000, ..row(OTHER, 6) };
    told(&mut settler, rows(7, &[row(ANEW, 6), long]), 1_001);
    assert!(settled(&told(&mut settler, Event::Tick, 1_000 + OVER)).is_empty());
    told(&mut settler, Event::Acknowledged { by: OTHER, at: place(7) }, 20_000);
    assert_eq!(settler.waiting(), 0, "the rest had only a short one");
}

#[test]
fn direct_acknowledgement_counts_even_if_it_comes_before_the_rows_and_the_commit() {
    let mut settler = Settler::new(Timing::default(), Rules::ALL);
    told(&mut settler, Event::Acknowledged { by: OTHER, at: place(7) }, 998);
    told(&mut settler, Event::Applied { by: ME, at: place(7) }, 999);
    told(&mut settler, Event::Committed { epoch: 7 }, 1_000);
    let effects = told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    assert_eq!(settled(&effects), [Settled { epoch: 7, acknowledged: 2, waited_out: 0 }]);
}

#[test]
fn acknowledgement_of_an_earlier_epoch_or_another_incarnation_counts_for_nothing() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(ANEW, 6)]), 1_001);
    told(&mut settler, Event::Acknowledged { by: OTHER, at: place(7) }, 1_002);
    told(&mut settler, Event::Acknowledged { by: ANEW, at: place(6) }, 1_003);
    assert_eq!(settler.waiting(), 1);
    told(&mut settler, Event::Acknowledged { by: ANEW, at: place(7) }, 1_004);
    assert_eq!(settler.waiting(), 0);
}

#[test]
fn acknowledgement_of_what_is_not_here_yet_counts_once_it_is() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    told(&mut settler, Event::Acknowledged { by: OTHER, at: place(9) }, 1_002);
    assert_eq!(settler.waiting(), 1, "it may be of another history");
    told(&mut settler, Event::Applied { by: ME, at: place(9) }, 1_003);
    assert_eq!(settler.waiting(), 0);
}

#[test]
fn acknowledgement_of_another_history_counts_for_nothing() {
    let elsewhere = |epoch| Position { epoch, mark: Some(Mark([2; 32])) };
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    for epoch in [7, 9] {
        told(&mut settler, Event::Acknowledged { by: OTHER, at: elsewhere(epoch) }, 1_002);
    }
    told(&mut settler, Event::Applied { by: ME, at: place(9) }, 1_003);
    assert_eq!(settler.waiting(), 1);
    let effects = told(&mut settler, Event::Tick, 1_000 + OVER);
    assert_eq!(settled(&effects), [Settled { epoch: 7, acknowledged: 1, waited_out: 1 }]);
}

#[test]
fn own_commit_is_known_before_the_index_has_applied_it() {
    let mut settler = revoker();
    let behind = Event::MembersBehind { at: place(8), rows: [row(ME, 3), row(OTHER, 6)].to_vec() };
    told(&mut settler, behind, 1_001);
    told(&mut settler, Event::Acknowledged { by: OTHER, at: place(8) }, 1_002);
    assert_eq!(settler.waiting(), 0);
}

#[test]
fn places_that_are_remembered_are_bounded() {
    let mut settler = revoker();
    for epoch in 8..9 + 2 * PASSED_MAX as Epoch {
        told(&mut settler, Event::Applied { by: ME, at: place(epoch) }, 1_001);
    }
    assert_eq!(settler.passed.len(), PASSED_MAX);
}

#[test]
fn row_that_is_gone_is_waited_for_no_longer() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    let effects = told(&mut settler, rows(7, &[row(ME, 3)]), 1_040);
    assert_eq!(settled(&effects), [Settled { epoch: 7, acknowledged: 1, waited_out: 1 }]);
}

#[test]
fn own_index_has_to_have_applied_it_too() {
    let mut settler = Settler::new(Timing::default(), Rules::ALL);
    told(&mut settler, Event::Committed { epoch: 7 }, 1_000);
    assert!(settled(&told(&mut settler, rows(7, &[row(OTHER, 7)]), 1_001)).is_empty());
    let effects = told(&mut settler, Event::Applied { by: ME, at: place(7) }, 1_002);
    assert_eq!(settled(&effects).len(), 1);
}

#[test]
fn rows_from_a_server_that_does_not_know_of_the_commit_are_not_believed() {
    let mut settler = revoker();
    let old = Event::Members { covers: 7, epoch: 6, rows: alloc::vec![row(ME, 6)] };
    assert!(settled(&told(&mut settler, old, 1_001)).is_empty());
    assert_eq!(reads(&told(&mut settler, Event::Tick, 1_031)), [7], "they are read again");
}

#[test]
fn reading_that_began_before_a_commit_does_not_cover_it() {
    let mut settler = revoker();
    told(&mut settler, Event::Applied { by: ME, at: place(8) }, 1_001);
    assert!(reads(&told(&mut settler, Event::Committed { epoch: 8 }, 1_002)).is_empty());
    let effects = told(&mut settler, rows(7, &[row(ME, 3)]), 1_003);
    assert_eq!(
        (settled(&effects), reads(&effects)),
        (alloc::vec![Settled::alone(7)], alloc::vec![8])
    );
    assert_eq!(settled(&told(&mut settler, rows(8, &[row(ME, 3)]), 1_004)), [Settled::alone(8)]);
}

#[test]
fn one_acknowledgement_settles_all_that_came_before_in_order() {
    let mut settler = revoker();
    for epoch in [9, 8, 10] {
        told(&mut settler, Event::Committed { epoch }, 1_001);
    }
    for epoch in [9, 10] {
        told(&mut settler, Event::Applied { by: ME, at: place(epoch) }, 1_002);
    }
    told(&mut settler, rows(10, &[row(ME, 3), row(OTHER, 6)]), 1_003);
    let effects = told(&mut settler, Event::Acknowledged { by: OTHER, at: place(9) }, 1_004);
    let epochs: Vec<_> = settled(&effects).iter().map(|settled| settled.epoch).collect();
    assert_eq!((epochs, settler.waiting()), (alloc::vec![7, 8, 9], 1));
}

#[test]
fn repeat_of_what_has_settled_is_answered_at_once_and_others_wait() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3)]), 1_001);
    let repeat = told(&mut settler, Event::Committed { epoch: 5 }, 1_002);
    assert_eq!(settled(&repeat), [Settled::alone(5)]);
    let newer = told(&mut settler, Event::Committed { epoch: 8 }, 1_003);
    assert!(settled(&newer).is_empty());
}

#[test]
fn what_was_waited_out_once_is_not_waited_out_again() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    told(&mut settler, Event::Tick, 1_000 + OVER);
    let repeat = told(&mut settler, Event::Committed { epoch: 7 }, 1_001 + OVER);
    assert_eq!(settled(&repeat), [Settled { epoch: 7, acknowledged: 1, waited_out: 1 }]);
}

/// By another node, which has watched it for longer.
#[test]
fn node_that_is_buried_was_waited_for_by_whatever_it_was_missing_from() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    told(&mut settler, Event::Committed { epoch: 8 }, 4_000);
    told(&mut settler, rows(8, &[row(ME, 3)]), 9_000);
    let effects = told(&mut settler, Event::Applied { by: ME, at: place(8) }, 9_001);
    let nobody = Settled { epoch: 8, acknowledged: 1, waited_out: 0 };
    assert_eq!(settled(&effects), [nobody], "its rows were read when that one was gone");
}

#[test]
fn node_that_has_acknowledged_before_its_row_went_away_was_not_waited_for() {
    let mut settler = Settler::new(Timing::default(), Rules::ALL);
    let rows_behind = [row(ME, 7), row(OTHER, 6)].to_vec();
    told(&mut settler, Event::MembersBehind { at: place(7), rows: rows_behind }, 999);
    told(&mut settler, Event::Committed { epoch: 7 }, 1_000);
    told(&mut settler, Event::Acknowledged { by: OTHER, at: place(7) }, 1_002);
    told(&mut settler, rows(7, &[row(ME, 7)]), 1_003);
    let effects = told(&mut settler, Event::Applied { by: ME, at: place(7) }, 1_004);
    assert_eq!(settled(&effects), [Settled { epoch: 7, acknowledged: 1, waited_out: 0 }]);
}

#[test]
fn earlier_epoch_that_is_told_later_waits_no_longer_than_the_later_one() {
    let mut settler = revoker();
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 2)]), 1_001);
    told(&mut settler, Event::Committed { epoch: 5 }, 9_000);
    let effects = told(&mut settler, Event::Tick, 1_000 + OVER);
    let epochs: Vec<_> = settled(&effects).iter().map(|settled| settled.epoch).collect();
    assert_eq!(epochs, [5, 7]);
}

#[test]
fn late_answer_does_not_replace_a_newer_one() {
    let mut settler = revoker();
    told(&mut settler, Event::Committed { epoch: 9 }, 1_001);
    told(&mut settler, Event::Tick, 4_000);
    told(&mut settler, rows(9, &[row(ME, 3), row(OTHER, 6)]), 4_001);
    told(&mut settler, rows(7, &[row(ME, 3)]), 4_002);
    told(&mut settler, Event::Applied { by: ME, at: place(9) }, 4_003);
    assert_eq!(settler.waiting(), 2, "the other is waited for");
}

#[test]
fn rows_are_read_again_after_a_while_a_hint_a_failure_and_a_silence() {
    let mut settler = revoker();
    let missing = || rows(7, &[row(ME, 3), row(OTHER, 6)]);
    let wait = told(&mut settler, missing(), 1_000);
    assert_eq!(wait, [Effect::WakeAt { at: at(1_030) }]);
    assert_eq!(reads(&told(&mut settler, Event::Tick, 1_030)), [7]);
    assert!(reads(&told(&mut settler, Event::RowsChanged, 1_031)).is_empty(), "one at a time");
    assert_eq!(reads(&told(&mut settler, missing(), 1_032)), [7], "but then once more");
    told(&mut settler, Event::Failed, 1_033);
    assert_eq!(reads(&told(&mut settler, Event::Tick, 1_200)), [7]);
    assert!(reads(&told(&mut settler, Event::Tick, 4_199)).is_empty());
    assert_eq!(reads(&told(&mut settler, Event::Tick, 4_200)), [7], "no answer in a period");
}

#[test]
fn acknowledgements_of_strangers_do_not_fill_the_memory() {
    let mut settler = revoker();
    for stranger in 0..2 * HEARD_MAX as u128 {
        let by = Member { node: NodeId(9), incarnation: Incarnation(stranger) };
        told(&mut settler, Event::Acknowledged { by, at: place(7) }, 1_001);
    }
    assert_eq!(settler.heard.len(), HEARD_MAX);
    told(&mut settler, rows(7, &[row(OTHER, 6)]), 1_002);
    assert!(settler.heard.is_empty());
}

#[test]
fn rows_read_behind_the_commit_are_not_read_again_at_once() {
    let mut settler = Settler::new(Timing::default(), Rules::ALL);
    let behind = vec![row(ME, 3), row(OTHER, 6)];
    told(&mut settler, Event::MembersBehind { at: place(7), rows: behind }, 999);
    told(&mut settler, Event::Applied { by: ME, at: place(7) }, 999);
    let effects = told(&mut settler, Event::Committed { epoch: 7 }, 1_000);
    assert_eq!(effects, [Effect::WakeAt { at: at(1_030) }]);
    assert_eq!(reads(&told(&mut settler, Event::Tick, 1_030)), [7]);
    // What comes after them is not covered by them.
    let effects = told(&mut settler, Event::Committed { epoch: 8 }, 1_031);
    assert_eq!(
        effects,
        [Effect::WakeAt { at: at(4_030) }],
        "the reading that is under way ends first"
    );
    assert_eq!(reads(&told(&mut settler, rows(7, &[row(ME, 7)]), 1_032)), [8]);
}

#[test]
fn nobody_is_woken_for_a_moment_that_is_over() {
    let mut settler = Settler::new(Timing::default(), Rules::ALL);
    told(&mut settler, Event::Committed { epoch: 7 }, 1_000);
    told(&mut settler, rows(7, &[row(ME, 3), row(OTHER, 6)]), 1_001);
    let late = 1_000 + 2 * OVER;
    let effects = told(&mut settler, Event::Tick, late);
    let effects = [effects, told(&mut settler, Event::Failed, late)].concat();
    let woken = effects.iter().filter_map(|effect| match effect {
        Effect::WakeAt { at } => Some(*at),
        _ => None,
    });
    assert!(
        woken.min().is_some_and(|first| first > at(late)),
        "this node is late, and nobody else"
    );
}
