use super::*;
use crate::{Epoch, Mark};

const T: BootInstant = BootInstant::from_millis(1_000);
const EARLY: Timeline = Timeline(1);
const LATE: Timeline = Timeline(2);

type Effects = Vec<Effect<()>>;

/// In the one history there is, unless a test says otherwise.
fn place(epoch: Epoch) -> Position {
    Position { epoch, mark: Some(Mark([1; 32])) }
}

fn read(link: Link, epoch: Epoch) -> Event<()> {
    let (at, holds) = (place(epoch), true);
    Event::Read { link, at, holds, in_recovery: false, timeline: LATE, changes: () }
}

/// Loaded at epoch 4, and in its first round.
fn loaded() -> (Rounds, Link) {
    let mut rounds = Rounds::new(Rules::ALL);
    let effects: Effects = rounds.step(Event::Tick, T);
    let Some(&Effect::Load { link, keep_revoked: false }) = effects.first() else {
        panic!("{effects:?}")
    };
    let effects: Effects = rounds.step(Event::Loaded { link, at: place(4), timeline: LATE }, T);
    assert_eq!(effects.first(), Some(&Effect::Begin { link, after: place(4) }));
    (rounds, link)
}

/// Idle, after its first round.
fn resting() -> (Rounds, Link) {
    let (mut rounds, link) = loaded();
    let effects = rounds.step(read(link, 4), T);
    assert_eq!(
        effects[..2],
        [Effect::Apply { at: place(4), changes: () }, Effect::Decide { round: Round(1) }]
    );
    (rounds, link)
}

fn begins(effects: &Effects) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Begin { .. }))
}

#[test]
fn nothing_is_decided_by_what_was_only_loaded() {
    let (rounds, _) = loaded();
    assert_eq!(rounds.deciding(), Round(2), "not by the first either, which has begun");
}

#[test]
fn whoever_asks_at_rest_begins_a_round_and_is_decided_by_it() {
    let (mut rounds, link) = resting();
    let mine = rounds.deciding();
    let effects: Effects = rounds.step(Event::Asked, T);
    assert_eq!(effects.first(), Some(&Effect::Begin { link, after: place(4) }));
    let effects = rounds.step(read(link, 7), T);
    assert_eq!(
        effects[..2],
        [Effect::Apply { at: place(7), changes: () }, Effect::Decide { round: mine }]
    );
    assert!(!begins(&effects), "nobody waits for another one");
}

#[test]
fn any_number_who_ask_during_a_round_share_the_next_one() {
    let (mut rounds, link) = resting();
    let first = rounds.deciding();
    assert!(begins(&rounds.step(Event::Asked, T)));
    let second = rounds.deciding();
    assert!(second > first);
    for _ in 0..3 {
        assert_eq!(rounds.deciding(), second);
        assert!(!begins(&rounds.step(Event::Asked, T)));
    }
    let effects = rounds.step(read(link, 4), T);
    assert_eq!(
        effects[1..3],
        [Effect::Decide { round: first }, Effect::Begin { link, after: place(4) }]
    );
    let effects = rounds.step(read(link, 4), T);
    assert_eq!(effects[1], Effect::Decide { round: second });
    assert!(!begins(&effects));
}

#[test]
fn round_that_hangs_is_given_up_with_its_connection_and_all_who_wait() {
    let (mut rounds, link) = resting();
    assert!(begins(&rounds.step(Event::Asked, T)));
    let waits = rounds.deciding();
    let _: Effects = rounds.step(Event::Asked, T);
    let late = T.plus_millis(ROUND_MILLIS_MAX);
    let effects: Effects = rounds.step(Event::Tick, late);
    assert_eq!(effects[..2], [Effect::Disconnect { link }, Effect::GiveUp { round: waits }]);
    let effects = rounds.step(read(link, 9), late);
    assert!(matches!(effects[..], [Effect::WakeAt { .. }]), "too late: {effects:?}");
    let effects: Effects = rounds.step(Event::Asked, late);
    assert!(!begins(&effects), "not before the pause is over");
    let Some(&Effect::WakeAt { at }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(at, late.plus_millis(PAUSE_MILLIS_FIRST));
    assert!(begins(&rounds.step(Event::Tick, at)));
}

#[test]
fn pauses_after_failures_are_bounded_and_end_with_the_first_success() {
    let (mut rounds, mut link) = resting();
    let mut now = T;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        now = now.plus_millis(IDLE_MILLIS);
        let effects: Effects = rounds.step(Event::Tick, now);
        assert!(begins(&effects));
        let effects: Effects = rounds.step(Event::Failed { link }, now);
        let Some(&Effect::WakeAt { at }) = effects.last() else { panic!("{effects:?}") };
        pauses.push(at.as_millis() - now.as_millis());
        link = link.next();
    }
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
    now = now.plus_millis(IDLE_MILLIS);
    assert!(begins(&rounds.step(Event::Tick, now)));
    let _ = rounds.step(read(link, 4), now);
    assert!(begins(&rounds.step(Event::Asked, now)));
}

#[test]
fn without_anybody_who_asks_the_log_is_followed_all_the_same() {
    let (mut rounds, _) = resting();
    assert!(!begins(&rounds.step(Event::Tick, T.plus_millis(IDLE_MILLIS - 1))));
    assert!(begins(&rounds.step(Event::Tick, T.plus_millis(IDLE_MILLIS))));
}

#[test]
fn index_that_was_lost_is_sealed_loaded_anew_and_needs_a_round() {
    let (mut rounds, link) = resting();
    let effects: Effects = rounds.step(Event::IndexLost, T);
    assert_eq!(effects[..2], [Effect::Seal, Effect::Disconnect { link }]);
    let effects: Effects = rounds.step(Event::Tick, T.plus_millis(PAUSE_MILLIS_FIRST));
    assert_eq!(effects[0], Effect::Load { link: link.next(), keep_revoked: false });
}

#[test]
fn standby_is_not_believed() {
    let (mut rounds, link) = resting();
    let mut link = link;
    for _ in 0..3 {
        let now = T.plus_millis(IDLE_MILLIS);
        assert!(begins(&rounds.step(Event::Tick, now)));
        let (at, holds, timeline) = (place(9), true, LATE);
        let said = Event::Read { link, at, holds, in_recovery: true, timeline, changes: () };
        let effects = rounds.step(said, T);
        assert!(matches!(effects[1], Effect::GiveUp { .. }), "{effects:?}");
        link = link.next();
    }
}

#[test]
fn truth_that_went_backwards_twice_seals_for_good() {
    for (epoch, holds, timeline) in [(3, false, LATE), (5, false, LATE), (4, true, EARLY)] {
        let (mut rounds, link) = resting();
        let at = place(epoch);
        let said =
            |link| Event::Read { link, at, holds, in_recovery: false, timeline, changes: () };
        let later = |times| T.plus_millis(IDLE_MILLIS * times);
        assert!(begins(&rounds.step(Event::Tick, later(1))));
        let effects: Effects = rounds.step(said(link), later(1));
        assert!(matches!(effects[1], Effect::GiveUp { .. }), "{effects:?}");
        assert!(begins(&rounds.step(Event::Tick, later(2))));
        let effects: Effects = rounds.step(said(link.next()), later(2));
        assert!(matches!(effects[..2], [Effect::Alarm(_), Effect::Seal]), "{effects:?}");
        let effects: Effects = rounds.step(Event::Tick, later(3));
        assert!(matches!(effects[0], Effect::Load { keep_revoked: true, .. }), "{effects:?}");
    }
}

#[test]
fn own_writes_move_the_beginning_of_the_next_reading() {
    let (mut rounds, link) = resting();
    let _: Effects = rounds.step(Event::Applied { at: place(6) }, T);
    let effects: Effects = rounds.step(Event::Asked, T);
    assert_eq!(effects[0], Effect::Begin { link, after: place(6) });
}
