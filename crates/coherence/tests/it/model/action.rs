//! Every step that can be taken next.

use rescind_coherence::Rule;
use stateright::{Model, Property};

use super::database::Entry;
use super::holder::{Holder, Process};
use super::revoker::Stage;
use super::{Bounds, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A tick of true time. Whose clocks follow it?
    Advance,
    AdvanceWhileSlow(usize),
    AdvanceWhileRevokerIsFast,
    WallClockSteps,

    /// A holder's request is carried out, its answer heard, an effect carried out.
    Serve(usize),
    Hear(usize),
    CarryOut(usize),
    Tick(usize),
    Doorbell(usize),
    HearPush(usize),
    Verify(usize),
    /// The token is fetched, and put into the index.
    Fetch(usize),
    Put(usize),
    Crash(usize),
    Start(usize),
    Stop(usize),

    ReadMembersEarly,
    DrawNumber,
    Commit,
    /// As the middle one of three changes in one transaction.
    CommitInBatch,
    LoseCommit,
    ReadBehind,
    HearCommit,
    ReadMembers {
        fenced: bool,
    },
    HearDirectly(usize),
    HearOfRows,
    RevokerTick,
    RevokerCrash,
    Watch,
    Reap,

    CommitOther,
    Replicate,
    FailOver,
    Restore,
}

use Action::*;

impl Model for Bounds {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(self)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.verdict.accepted_late {
            return;
        }
        self.clocks(state, actions);
        (0..self.holders).for_each(|at| self.of_holder(state, at, actions));
        self.of_revoker(state, actions);
        self.of_database(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        match action {
            Advance | AdvanceWhileSlow(_) | AdvanceWhileRevokerIsFast | WallClockSteps => {
                next.clocks(action)
            }
            Serve(at) | Hear(at) | CarryOut(at) | Tick(at) | Doorbell(at) | HearPush(at)
            | Verify(at) | Fetch(at) | Put(at) | Crash(at) | Start(at) | Stop(at) => {
                next.holder(at, action, self)
            }
            CommitOther | Replicate | FailOver | Restore | DrawNumber => {
                next.database(action, self)
            }
            _ => next.revoker(action, self),
        }?;
        next.forget_what_is_over(self);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("P", |_, state: &State| !state.verdict.accepted_late),
            Property::always("P′", |_, state: &State| !state.verdict.decided_late),
            Property::sometimes("accepted before", |_, state: &State| {
                state.holders.iter().enumerate().any(|(at, holder)| {
                    let process = holder.process.as_ref();
                    process.is_some_and(|process| process.may_accept(state.local(at)))
                })
            }),
            Property::sometimes("answered", |_, state: &State| state.verdict.answered),
        ]
    }
}

/// What may come next.
impl Bounds {
    fn clocks(&self, state: &State, actions: &mut Vec<Action>) {
        if state.time < self.horizon {
            actions.push(Advance);
            if self.drift {
                let on_time = |at: &usize| state.holders[*at].lag == 0;
                actions.extend((0..self.holders).filter(on_time).map(AdvanceWhileSlow));
                if state.revoker.ahead == 0 {
                    actions.push(AdvanceWhileRevokerIsFast);
                }
            }
        }
        if !self.keeps(Rule::MonotonicWait) && state.revoker.stepped == 0 {
            actions.push(WallClockSteps);
        }
    }

    fn of_holder(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let Some(process) = &state.holders[at].process else {
            actions.push(Start(at));
            return;
        };
        if process.to_do.is_empty() {
            actions.push(Tick(at));
            if process.answer.is_some() {
                actions.push(Hear(at));
            }
            if state.stops < self.stops {
                actions.push(Stop(at));
            }
            if !process.fenced && state.database.primary.epoch() > process.node.applied().epoch {
                actions.push(Doorbell(at));
            }
            if process.push.is_some() {
                actions.push(HearPush(at));
            }
        } else {
            actions.push(CarryOut(at));
        }
        if process.asked.is_some() {
            actions.push(Serve(at));
        }
        if process.direct.is_some() {
            actions.push(HearDirectly(at));
        }
        if state.crashes < self.crashes {
            actions.push(Crash(at));
        }
        if process.fetched.is_some() {
            actions.push(Put(at));
        } else if state.fetches < self.fetches {
            actions.push(Fetch(at));
        }
        let clock_decides = self.keeps(Rule::DecideByTheClock) && self.keeps(Rule::LeaseBeforeData);
        if !clock_decides || process.may_accept(state.local(at)) || process.verification.is_some() {
            actions.push(Verify(at));
        }
    }

    fn of_revoker(&self, state: &State, actions: &mut Vec<Action>) {
        let revoker = &state.revoker;
        let noticed = |process: &Process| process.knows_restore;
        let all_noticed = state.holders.iter().all(|at| at.process.as_ref().is_none_or(noticed));
        let may_commit = all_noticed || self.overtaken;
        match revoker.stage {
            Stage::Idle if revoker.attempts < self.attempts && may_commit => {
                if self.keeps(Rule::CommitBeforeMembers) || revoker.has_read_early() {
                    actions.push(Commit);
                    if self.batches {
                        actions.push(CommitInBatch);
                    }
                } else {
                    actions.push(ReadMembersEarly);
                }
                if !self.keeps(Rule::KnownOutcome) {
                    actions.push(LoseCommit);
                }
                let drawn = state.database.primary.log.contains(&Entry::Drawn);
                if !self.keeps(Rule::GaplessEpochs) && !drawn {
                    actions.push(DrawNumber);
                }
            }
            Stage::Committed { .. } => {
                actions.push(HearCommit);
                if self.behind && revoker.read_behind.is_none() {
                    actions.push(ReadBehind);
                }
            }
            Stage::Settling => {
                actions.push(RevokerTick);
                if revoker.hint {
                    actions.push(HearOfRows);
                }
                if revoker.asked.is_some() {
                    actions.push(ReadMembers { fenced: false });
                    if state.database.fenced.is_some() {
                        actions.push(ReadMembers { fenced: true });
                    }
                }
            }
            _ => {}
        }
        let working = matches!(revoker.stage, Stage::Committed { .. } | Stage::Settling);
        if working && revoker.attempts < self.attempts {
            actions.push(RevokerCrash);
        }
        if self.reaper {
            actions.push(Watch);
            if !revoker.doomed.is_empty() {
                actions.push(Reap);
            }
        }
    }

    fn of_database(&self, state: &State, actions: &mut Vec<Action>) {
        let database = &state.database;
        if state.others < self.others {
            actions.push(CommitOther);
        }
        if database.standby.as_ref().is_some_and(|standby| *standby != database.primary) {
            actions.push(Replicate);
        }
        if state.failovers < self.failovers {
            actions.push(FailOver);
        }
        // The database was down for so long that every lease and every request is over, unless the
        // backup has the rows; otherwise nodes would hold leases that these know nothing of.
        let over = |(at, holder): (usize, &Holder)| {
            holder.process.as_ref().is_none_or(|process| process.rests(state.local(at)))
        };
        let quiet = state.holders.iter().enumerate().all(over);
        if state.restores < self.restores
            && !database.primary.log.is_empty()
            && (quiet || self.overtaken)
        {
            actions.push(Restore);
        }
    }
}
