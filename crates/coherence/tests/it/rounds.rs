//! A node without a lease and one token that is revoked, small enough for every order of its steps
//! to be tried: verifications that are invoked at any time, rounds that take as long as they like,
//! requests that fail.
//!
//! The machine is the one that ships. Whatever takes time is a step of its own, and a step that is
//! never taken is a pause: nothing here has a clock.

use rescind_coherence::rounds::{Effect, Event, Round, Rounds};
use rescind_coherence::{BootInstant, Link, Position, Rule, Rules, Timeline};
use stateright::{Checker, HasDiscoveries, Model, Property};

/// Far from any deadline; and past all of them.
const NOW: BootInstant = BootInstant::from_millis(0);
const LATER: BootInstant = BootInstant::from_millis(10_000_000);
const VERIFICATIONS: usize = 2;
const FAILURES: u8 = 1;
/// One that is under way when the last comes, one for it, and one after a failure; and one idle.
const ROUNDS: u8 = 4;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    rounds: Rounds,
    request: Option<Request>,
    /// The revocation is committed; this node's revoker waits for nobody, so it is answered as well.
    revoked: bool,
    /// What this node's memory knows of it.
    index_knows: bool,
    verifications: Vec<Verification>,
    failures: u8,
    begun: u8,
    late_accept: bool,
    accepted: bool,
    refused: bool,
}

/// What is under way to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Request {
    link: Link,
    loads: bool,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Sent,
    /// Of a round: the write has committed.
    Written,
    /// What the snapshot knew.
    Read {
        revoked: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Verification {
    round: Round,
    /// Invoked after the revocation was answered.
    after: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Invoke,
    Revoke,
    /// The database gets on with the request.
    GetOn,
    Deliver,
    Fail,
    Tick,
}

struct World(Rules);

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            rounds: Rounds::new(self.0),
            request: None,
            revoked: false,
            index_knows: false,
            verifications: Vec::new(),
            failures: 0,
            begun: 0,
            late_accept: false,
            accepted: false,
            refused: false,
        };
        state.tell(Event::Tick, NOW);
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.verifications.len() < VERIFICATIONS {
            actions.push(Action::Invoke);
        }
        if !state.revoked {
            actions.push(Action::Revoke);
        }
        match state.request {
            Some(Request { stage: Stage::Read { .. }, .. }) => actions.push(Action::Deliver),
            Some(_) => actions.push(Action::GetOn),
            None => actions.push(Action::Tick),
        }
        if state.request.is_some() && state.failures < FAILURES {
            actions.push(Action::Fail);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut state = state.clone();
        match action {
            Action::Revoke => state.revoked = true,
            Action::Tick => state.tell(Event::Tick, LATER),
            Action::Invoke => {
                let round = state.rounds.deciding();
                state.verifications.push(Verification { round, after: state.revoked });
                state.tell(Event::Asked, NOW);
            }
            Action::GetOn => {
                let read = Stage::Read { revoked: state.revoked };
                let request = state.request.as_mut()?;
                request.stage = match request.stage {
                    Stage::Sent if !request.loads => Stage::Written,
                    _ => read,
                };
            }
            Action::Deliver => {
                let Request { link, loads, stage: Stage::Read { revoked } } =
                    state.request.take()?
                else {
                    return None;
                };
                let (at, timeline) = (place(u64::from(revoked)), Timeline(1));
                if loads {
                    state.index_knows = revoked;
                    state.tell(Event::Loaded { link, at, timeline }, NOW);
                } else {
                    let in_recovery = false;
                    let changes = revoked;
                    let holds = true;
                    state
                        .tell(Event::Read { link, at, holds, in_recovery, timeline, changes }, NOW);
                }
            }
            Action::Fail => {
                let link = state.request.take()?.link;
                state.failures += 1;
                state.tell(Event::Failed { link }, NOW);
            }
        }
        Some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.begun <= ROUNDS
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("P", |_, state: &State| !state.late_accept),
            Property::sometimes("accepted before", |_, state: &State| state.accepted),
            Property::sometimes("refused after", |_, state: &State| state.refused),
        ]
    }
}

impl State {
    fn tell(&mut self, event: Event<bool>, now: BootInstant) {
        for effect in self.rounds.step(event, now) {
            match effect {
                Effect::Load { link, .. } => self.send(link, true),
                Effect::Begin { link, .. } => {
                    self.begun += 1;
                    self.send(link, false);
                }
                Effect::Apply { changes, .. } => self.index_knows |= changes,
                Effect::Decide { round } => self.decide(round),
                Effect::GiveUp { round } => {
                    self.verifications.retain(|waiting| waiting.round > round);
                }
                Effect::Disconnect { .. } => self.request = None,
                Effect::Seal | Effect::WakeAt { .. } | Effect::Alarm(_) => {}
            }
        }
    }

    fn send(&mut self, link: Link, loads: bool) {
        self.request = Some(Request { link, loads, stage: Stage::Sent });
    }

    fn decide(&mut self, round: Round) {
        let decided = self.verifications.extract_if(.., |waiting| waiting.round <= round);
        for Verification { after, .. } in decided {
            self.late_accept |= after && !self.index_knows;
            self.accepted |= !self.index_knows;
            self.refused |= after && self.index_knows;
        }
    }
}

#[test]
fn verification_without_a_lease_is_never_late_in_any_order_of_steps() {
    let checker = World(Rules::ALL).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    println!("{} states", checker.unique_state_count());
}

/// Whoever comes during a round is then decided by what was read before he came.
#[test]
fn round_that_began_before_the_question_accepts_late() {
    let rules = Rules::ALL.without(Rule::RoundAfterAsking);
    let failure = HasDiscoveries::AnyOf(["P"].into());
    let checker = World(rules).checker().threads(2).finish_when(failure).spawn_bfs().join();
    let path = checker.discovery("P").expect("a late accept");
    println!("{:?}", path.into_actions());
}

/// There is one history.
fn place(epoch: u64) -> Position {
    Position { epoch, mark: None }
}
