use alloc::vec::Vec;

use super::*;
use crate::{Incarnation, Mark, NodeId};

const ME: Member = Member { node: NodeId(1), incarnation: Incarnation(0) };
/// A lease of 15 s is held for this long, and renewed every `PERIOD`.
const HELD: u64 = 14_925;
const PERIOD: u64 = 3_000;

type Effects = Vec<Effect<&'static str>>;

fn at(millis: u64) -> BootInstant {
    BootInstant::from_millis(millis)
}

/// In the one history there is, unless a test says otherwise.
fn place(epoch: Epoch) -> Position {
    Position { epoch, mark: Some(Mark([1; 32])) }
}

/// Of another history.
fn elsewhere(epoch: Epoch) -> Position {
    Position { epoch, mark: Some(Mark([2; 32])) }
}

fn fresh() -> Node {
    Node::new(ME, Timing::default(), Rules::ALL)
}

fn log(link: Link, epoch: Epoch) -> Event<&'static str> {
    let (at, holds, timeline) = (place(epoch), epoch >= 4, Timeline(1));
    Event::Log { link, at, holds, in_recovery: false, timeline, changes: "changes" }
}

fn told(node: &mut Node, event: Event<&'static str>, now: u64) -> Effects {
    node.step(event, at(now))
}

/// Loaded at epoch 4, registered from 100 to 110, and open since 120.
fn holder() -> Node {
    let mut node = fresh();
    told(&mut node, Event::Tick, 0);
    told(&mut node, Event::Loaded { link: Link(0), at: place(4), timeline: Timeline(1) }, 100);
    told(&mut node, Event::Registered { link: Link(0) }, 110);
    told(&mut node, log(Link(0), 4), 120);
    assert_eq!(node.lease_end(), Some(at(100 + HELD)));
    node
}

#[test]
fn node_loads_registers_reads_the_log_and_only_then_opens() {
    let mut node = fresh();
    let link = Link(0);
    assert_eq!(
        told(&mut node, Event::Tick, 0),
        [Effect::Load { link, keep_revoked: false }, Effect::WakeAt { at: at(60_000) }]
    );
    assert_eq!(
        told(&mut node, Event::Loaded { link, at: place(4), timeline: Timeline(1) }, 100),
        [
            Effect::Register { link, member: ME, lease_ms: 15_000, applied: place(4) },
            Effect::WakeAt { at: at(100 + PERIOD) }
        ]
    );
    assert_eq!(
        told(&mut node, Event::Registered { link }, 110),
        [Effect::ReadLog { link, after: place(4) }, Effect::WakeAt { at: at(110 + PERIOD) }]
    );
    assert_eq!(node.lease_end(), None);
    assert_eq!(
        told(&mut node, log(link, 6), 120),
        [
            Effect::Apply { at: place(6), changes: "changes" },
            Effect::OpenUntil { end: at(100 + HELD) }, // from before the registration was sent
            Effect::Acknowledge { member: ME, at: place(6) },
            Effect::WakeAt { at: at(100 + PERIOD) }
        ]
    );
}

#[test]
fn load_may_take_any_time_as_long_as_it_gets_on() {
    let mut node = fresh();
    told(&mut node, Event::Tick, 0);
    for now in [50_000, 100_000, 150_000] {
        let goes_on = told(&mut node, Event::Loading { link: Link(0) }, now);
        assert_eq!(goes_on, [Effect::WakeAt { at: at(now + 60_000) }]);
    }
    assert_eq!(told(&mut node, Event::Tick, 210_000)[0], Effect::Disconnect { link: Link(0) });
}

#[test]
fn renewal_writes_reads_applies_and_only_then_extends() {
    let mut node = holder();
    let link = Link(0);
    assert_eq!(told(&mut node, Event::Tick, 3_099), [Effect::WakeAt { at: at(3_100) }]);
    assert_eq!(
        told(&mut node, Event::Tick, 3_100)[0],
        Effect::Renew { link, member: ME, lease_ms: 15_000, applied: place(4) }
    );
    assert_eq!(
        told(&mut node, Event::Renewed { link, found: true }, 3_500)[0],
        Effect::ReadLog { link, after: place(4) }
    );
    assert_eq!(
        told(&mut node, log(link, 4), 4_000),
        [Effect::OpenUntil { end: at(3_100 + HELD) }, Effect::WakeAt { at: at(3_100 + PERIOD) }]
    );
}

#[test]
fn doorbell_reads_at_once_and_acknowledges_after_applying_without_extending() {
    let mut node = holder();
    let read = told(&mut node, Event::Doorbell { epoch: 5 }, 200);
    assert_eq!(read[0], Effect::ReadLog { link: Link(0), after: place(4) });
    assert_eq!(
        told(&mut node, log(Link(0), 5), 201),
        [
            Effect::Apply { at: place(5), changes: "changes" },
            Effect::Acknowledge { member: ME, at: place(5) },
            Effect::WakeAt { at: at(100 + PERIOD) }
        ]
    );
    assert_eq!(node.lease_end(), Some(at(100 + HELD)));
}

#[test]
fn doorbell_for_what_is_applied_is_acknowledged_at_once() {
    let mut node = holder();
    for epoch in [3, 4] {
        let effects = told(&mut node, Event::Doorbell { epoch }, 200);
        assert_eq!(effects[0], Effect::Acknowledge { member: ME, at: place(4) });
    }
}

#[test]
fn doorbell_during_a_reading_is_followed_by_one_more_and_no_further() {
    let mut node = holder();
    told(&mut node, Event::Doorbell { epoch: 5 }, 200);
    told(&mut node, Event::Doorbell { epoch: 9_999 }, 201);
    let again = told(&mut node, log(Link(0), 5), 202);
    assert!(again.contains(&Effect::ReadLog { link: Link(0), after: place(5) }));
    let quiet = told(&mut node, log(Link(0), 5), 203);
    assert_eq!(quiet, [Effect::WakeAt { at: at(100 + PERIOD) }], "a false bell must not spin");
}

#[test]
fn doorbell_that_the_reading_under_way_has_covered_asks_for_no_other() {
    let mut node = holder();
    told(&mut node, Event::Doorbell { epoch: 5 }, 200);
    told(&mut node, Event::Doorbell { epoch: 6 }, 201);
    let effects = told(&mut node, log(Link(0), 6), 202);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::ReadLog { .. })));
}

#[test]
fn renewal_that_is_due_goes_before_a_doorbell() {
    let mut node = holder();
    told(&mut node, Event::Doorbell { epoch: 5 }, 3_000);
    told(&mut node, Event::Doorbell { epoch: 6 }, 3_050);
    let effects = told(&mut node, log(Link(0), 5), 3_200);
    let renews =
        |effect: &_| matches!(effect, Effect::Renew { applied, .. } if *applied == place(5));
    assert!(effects.iter().any(renews));
}

#[test]
fn own_write_that_covers_a_doorbell_acknowledges_it() {
    let mut node = holder();
    told(&mut node, Event::Doorbell { epoch: 5 }, 200);
    told(&mut node, Event::Doorbell { epoch: 6 }, 201);
    let effects = told(&mut node, Event::Applied { at: place(7) }, 202);
    assert_eq!(effects[0], Effect::Acknowledge { member: ME, at: place(7) });
}

#[test]
fn log_that_an_own_write_has_overtaken_is_neither_applied_nor_taken_for_the_past() {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    told(&mut node, Event::Renewed { link: Link(0), found: true }, 3_110);
    told(&mut node, Event::Applied { at: place(6) }, 3_111);
    let effects = told(&mut node, log(Link(0), 5), 3_112);
    assert_eq!(effects[0], Effect::OpenUntil { end: at(3_100 + HELD) });
    assert_eq!(node.applied(), place(6));
}

#[test]
fn answer_over_an_abandoned_link_is_not_taken_for_that_of_the_next_request() {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    told(&mut node, Event::Failed { link: Link(0) }, 3_200);
    told(&mut node, Event::Tick, 3_575);
    for stale in [
        Event::Renewed { link: Link(0), found: true },
        Event::Renewed { link: Link(0), found: false },
        Event::Failed { link: Link(0) },
    ] {
        assert_eq!(told(&mut node, stale, 3_600), [Effect::WakeAt { at: at(3_575 + PERIOD) }]);
    }
    let answer = Event::Renewed { link: Link(1), found: true };
    assert!(matches!(told(&mut node, answer, 3_601)[0], Effect::ReadLog { link: Link(1), .. }));
}

#[test]
fn request_that_takes_too_long_costs_its_connection_and_late_answers_are_ignored() {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    let effects = told(&mut node, Event::Tick, 3_100 + PERIOD);
    assert_eq!(
        effects,
        [Effect::Disconnect { link: Link(0) }, Effect::WakeAt { at: at(6_100 + 375) }]
    );
    let late = told(&mut node, Event::Renewed { link: Link(0), found: true }, 6_200);
    assert_eq!(late, [Effect::WakeAt { at: at(6_475) }]);
    let retry = told(&mut node, Event::Tick, 6_475);
    assert!(matches!(retry[0], Effect::Renew { link: Link(1), .. }));
    assert_eq!(node.lease_end(), Some(at(100 + HELD)), "nothing has extended the lease");
}

#[test]
fn failures_in_a_row_make_the_pauses_longer() {
    let mut node = holder();
    let (mut now, mut pauses) = (3_100, Vec::new());
    for link in 0..6 {
        told(&mut node, Event::Tick, now);
        let effects = told(&mut node, Event::Failed { link: Link(link) }, now);
        let Some(Effect::WakeAt { at }) = effects.last() else { panic!("{effects:?}") };
        pauses.push(at.as_millis() - now);
        now = at.as_millis();
    }
    assert_eq!(pauses, [375, 750, 1_500, 3_000, 3_000, 3_000]);
}

#[test]
fn missing_row_seals_and_registers_under_a_new_incarnation() {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    let effects = told(&mut node, Event::Renewed { link: Link(0), found: false }, 3_110);
    let anew = Member { incarnation: Incarnation(1), ..ME };
    assert_eq!(
        effects[..3],
        [
            Effect::Seal,
            Effect::Alarm(Alarm::RowGone),
            Effect::Register { link: Link(0), member: anew, lease_ms: 15_000, applied: place(4) },
        ]
    );
    assert_eq!((node.lease_end(), node.member()), (None, anew));
}

#[test]
fn registration_of_unknown_outcome_is_tried_again_under_a_new_incarnation() {
    let mut node = fresh();
    told(&mut node, Event::Tick, 0);
    told(&mut node, Event::Loaded { link: Link(0), at: place(4), timeline: Timeline(1) }, 100);
    told(&mut node, Event::Tick, 100 + PERIOD);
    let anew = Member { incarnation: Incarnation(1), ..ME };
    assert_eq!(
        told(&mut node, Event::Tick, 100 + 2 * PERIOD)[0],
        Effect::Register { link: Link(1), member: anew, lease_ms: 15_000, applied: place(4) }
    );
    assert_eq!(
        told(&mut node, Event::Registered { link: Link(1) }, 6_200)[..2],
        [Effect::Forget { member: ME }, Effect::ReadLog { link: Link(1), after: place(4) }]
    );
}

#[test]
fn index_that_was_lost_seals_and_is_loaded_anew_under_a_new_incarnation() {
    let mut node = holder();
    told(&mut node, Event::Doorbell { epoch: 5 }, 200);
    told(&mut node, log(Link(0), 5), 201);
    let effects = told(&mut node, Event::IndexLost, 201);
    assert_eq!(effects[..2], [Effect::Seal, Effect::Disconnect { link: Link(0) }]);
    assert_eq!(node.lease_end(), None);
    assert_ne!(node.member(), ME, "what it acknowledged is gone");
    let load = told(&mut node, Event::Tick, 201 + PERIOD);
    assert_eq!(load[0], Effect::Load { link: Link(1), keep_revoked: false });
    let late = told(&mut node, log(Link(0), 6), 3_202);
    assert!(matches!(late[..], [Effect::WakeAt { .. }]));
}

#[test]
fn truth_that_went_backwards_seals_alarms_and_loads_over_what_was_revoked() {
    let log = |link, epoch, in_recovery, timeline| Event::Log {
        link: Link(link),
        at: place(epoch),
        holds: epoch >= 4,
        in_recovery,
        timeline: Timeline(timeline),
        changes: "changes",
    };
    let known = Timeline(1);
    for (answer, alarm) in [
        (log(0, 9, true, 1), Alarm::InRecovery),
        (log(0, 9, false, 0), Alarm::TimelineWentBack { known, found: Timeline(0) }),
        (log(0, 3, false, 2), Alarm::EpochWentBack { applied: 4, found: 3 }),
    ] {
        let mut node = holder();
        told(&mut node, Event::Tick, 3_100);
        told(&mut node, Event::Renewed { link: Link(0), found: true }, 3_110);
        let effects = told(&mut node, answer, 3_120);
        assert_eq!(effects[..2], [Effect::Seal, Effect::Alarm(alarm)]);
        assert_eq!(node.lease_end(), None);
        let load = told(&mut node, Event::Tick, 3_120 + PERIOD);
        assert_eq!(load[0], Effect::Load { link: Link(1), keep_revoked: true });
        assert_ne!(node.member(), ME, "what it acknowledged belongs to another history");
    }
}

/// Sealed by a log that ends before what was applied, on the timeline that is known.
fn doubter() -> Node {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    told(&mut node, Event::Renewed { link: Link(0), found: true }, 3_110);
    let doubts = told(&mut node, log(Link(0), 3), 3_120);
    assert_eq!(doubts[..2], [Effect::Seal, Effect::Disconnect { link: Link(0) }]);
    assert_eq!((node.lease_end(), node.member()), (None, ME));
    told(&mut node, Event::Tick, 3_495);
    told(&mut node, Event::Renewed { link: Link(1), found: true }, 3_500);
    node
}

#[test]
fn doubt_that_a_newer_timeline_dispels_costs_only_the_time_between() {
    let newer = Event::Log {
        link: Link(1),
        at: place(5),
        holds: true,
        in_recovery: false,
        timeline: Timeline(2),
        changes: "changes",
    };
    let effects = told(&mut doubter(), newer, 3_510);
    assert_eq!(effects[1], Effect::OpenUntil { end: at(3_495 + HELD) });
}

#[test]
fn push_of_another_history_is_not_applied_and_the_log_is_read() {
    let mut node = holder();
    let pushed = |after, at| Event::Pushed { after, at, changes: "changes" };
    let other = told(&mut node, pushed(elsewhere(4), elsewhere(5)), 200);
    assert_eq!(other[0], Effect::ReadLog { link: Link(0), after: place(4) });
    assert_eq!(node.applied(), place(4));
    told(&mut node, log(Link(0), 4), 201);
    let same = told(&mut node, pushed(place(4), place(5)), 202);
    assert_eq!(same[0], Effect::Apply { at: place(5), changes: "changes" });
}

/// It was restored and written on before this node looked.
#[test]
fn log_that_is_longer_and_holds_something_else_seals() {
    let mut node = holder();
    for (link, now) in [(Link(0), 3_100), (Link(1), 3_600)] {
        assert!(matches!(told(&mut node, Event::Tick, now)[0], Effect::Renew { .. }));
        told(&mut node, Event::Renewed { link, found: true }, now + 10);
        let (at, timeline) = (elsewhere(9), Timeline(1));
        let read =
            Event::Log { link, at, holds: false, in_recovery: false, timeline, changes: "changes" };
        assert_eq!(told(&mut node, read, now + 20)[0], Effect::Seal);
        assert_eq!((node.lease_end(), node.applied()), (None, place(4)));
    }
    assert_ne!(node.member(), ME);
}

#[test]
fn doubt_on_the_same_timeline_is_confirmed_even_if_the_epochs_have_caught_up() {
    for epoch in [3, 4, 9] {
        let effects = told(&mut doubter(), log(Link(1), epoch), 3_510);
        assert!(matches!(effects[1], Effect::Alarm(Alarm::EpochWentBack { applied: 4, found: 3 })));
    }
}

#[test]
fn doorbell_answered_by_a_fenced_primary_only_costs_the_connection() {
    let mut node = holder();
    told(&mut node, Event::Doorbell { epoch: 5 }, 200);
    let effects = told(&mut node, log(Link(0), 3), 201);
    assert_eq!(effects[0], Effect::Disconnect { link: Link(0) });
    assert_eq!(node.lease_end(), Some(at(100 + HELD)));
    let renewal = told(&mut node, Event::Tick, 201 + PERIOD);
    assert!(matches!(renewal[0], Effect::Renew { link: Link(1), .. }));
}

#[test]
fn failover_that_lost_nothing_goes_on_without_loading_again() {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    told(&mut node, Event::Renewed { link: Link(0), found: true }, 3_110);
    let later = Event::Log {
        link: Link(0),
        at: place(4),
        holds: true,
        in_recovery: false,
        timeline: Timeline(2),
        changes: "changes",
    };
    assert_eq!(told(&mut node, later, 3_120)[0], Effect::OpenUntil { end: at(3_100 + HELD) });
}

#[test]
fn node_that_stops_seals_before_it_deletes_its_row() {
    let mut node = holder();
    let effects = told(&mut node, Event::Stop, 200);
    assert_eq!(effects[..2], [Effect::Seal, Effect::Unregister { link: Link(0), member: ME }]);
    let gone = told(&mut node, Event::Unregistered { link: Link(0) }, 210);
    assert_eq!(gone, [Effect::Stopped]);
    assert!(told(&mut node, Event::Tick, 99_999).is_empty());
}

#[test]
fn node_that_cannot_delete_its_row_stops_all_the_same() {
    let mut node = holder();
    told(&mut node, Event::Tick, 3_100);
    let effects = told(&mut node, Event::Stop, 3_150);
    assert_eq!(effects[1], Effect::Disconnect { link: Link(0) });
    assert_eq!(told(&mut node, Event::Tick, 3_150 + PERIOD), [Effect::Stopped]);
}

#[test]
fn node_without_a_row_stops_at_once_and_is_deaf_to_doorbells() {
    let mut node = fresh();
    assert_eq!(told(&mut node, Event::Doorbell { epoch: 1 }, 0), [Effect::WakeAt { at: at(0) }]);
    assert_eq!(told(&mut node, Event::Stop, 0), [Effect::Seal, Effect::Stopped]);
}
