//! What a node makes of the answers that it gets, and of those that it does not get.

use alloc::vec;
use alloc::vec::Vec;

use super::{Alarm, Asked, Doing, Effect, Event, Node, Timeline};
use crate::{BootInstant, Incarnation, Position, Rule};

/// One reading of the log: see [`Event::Log`].
struct Reading<C> {
    at: Position,
    holds: bool,
    in_recovery: bool,
    timeline: Timeline,
    changes: C,
}

impl Node {
    pub(super) fn answer<C>(&mut self, answer: Event<C>, now: BootInstant) -> Vec<Effect<C>> {
        let Doing::Asking { what, .. } = self.doing else { return vec![] };
        if answer.link() != Some(self.link) {
            return vec![]; // From a connection that was abandoned.
        }
        match (what, answer) {
            (Asked::Unregister, Event::Unregistered { .. } | Event::Failed { .. }) => {
                self.stopped()
            }
            (_, Event::Failed { .. }) => self.fail(now),
            (Asked::Load, Event::Loaded { at, timeline, .. }) => {
                (self.loaded, self.applied, self.timeline) = (true, at, Some(timeline));
                self.begin(now)
            }
            (Asked::Load, Event::Loading { .. }) => {
                self.load_goes_on(now);
                vec![]
            }
            (Asked::Register { t0 }, Event::Registered { .. }) => {
                self.registered = true;
                let forget = self.given_up.take().map(|member| Effect::Forget { member });
                forget.into_iter().chain(self.row_written(t0, now)).collect()
            }
            (Asked::Renew { t0 }, Event::Renewed { found: true, .. }) => self.row_written(t0, now),
            (Asked::Renew { .. }, Event::Renewed { found: false, .. }) => self.register_anew(now),
            (
                Asked::Log { t0, after },
                Event::Log { at, holds, in_recovery, timeline, changes, .. },
            ) => {
                let reading = Reading { at, holds, in_recovery, timeline, changes };
                match self.backwards(after, &reading) {
                    None => self.log_read(t0, reading, now),
                    Some(alarm) => self.doubt(alarm, t0, timeline, now),
                }
            }
            _ => vec![],
        }
    }

    fn row_written<C>(&mut self, t0: BootInstant, now: BootInstant) -> Vec<Effect<C>> {
        let read_already = !self.rules.keeps(Rule::RegisterBeforeRead);
        if read_already || !self.rules.keeps(Rule::RenewalReadsTheLog) {
            let mut effects = vec![self.open(t0, now)];
            effects.extend(self.go_on(now));
            effects
        } else {
            self.read_log(Some(t0), now)
        }
    }

    /// Whether this cannot be a later state of the log that was read before.
    ///
    /// Compared with `after`, not with `applied`: an own write may have been published while the
    /// reading was under way, and its snapshot does not know of it.
    fn backwards<C>(&self, after: Position, reading: &Reading<C>) -> Option<Alarm> {
        if !self.rules.keeps(Rule::NoticeTheTruthGoingBack) {
            return None;
        }
        let (found, applied) = (reading.timeline, after.epoch);
        match self.timeline {
            _ if reading.in_recovery => Some(Alarm::InRecovery),
            Some(known) if found < known => Some(Alarm::TimelineWentBack { known, found }),
            _ if !reading.holds => Some(Alarm::EpochWentBack { applied, found: reading.at.epoch }),
            Some(known) if found == known => self.doubted,
            _ => None,
        }
    }

    /// What a doorbell has read may come from a fenced old primary, which knows less: only a server
    /// that has just committed a write is none. It costs the connection.
    ///
    /// A renewal's reading can come from one too, if it was fenced between the write and the
    /// reading. Then its timeline is the known one, and the next renewal finds a newer; so the node
    /// seals and looks once more. On the same timeline again, whatever the epoch is by then, the log
    /// has lost what it had.
    fn doubt<C>(
        &mut self,
        alarm: Alarm,
        t0: Option<BootInstant>,
        timeline: Timeline,
        now: BootInstant,
    ) -> Vec<Effect<C>> {
        if t0.is_none() {
            return self.fail(now);
        }
        let perhaps_fenced = self.timeline == Some(timeline);
        if self.doubted.is_some() || alarm == Alarm::InRecovery || !perhaps_fenced {
            return self.load_anew(alarm, now);
        }
        self.doubted = Some(alarm);
        self.lease_end = None;
        vec![Effect::Seal].into_iter().chain(self.fail(now)).collect()
    }

    /// Apply, *then* extend, *then* acknowledge.
    fn log_read<C>(
        &mut self,
        t0: Option<BootInstant>,
        reading: Reading<C>,
        now: BootInstant,
    ) -> Vec<Effect<C>> {
        let Reading { at, timeline, changes, .. } = reading;
        self.timeline = Some(timeline);
        let news = at.epoch > self.applied.epoch;
        let apply = news.then_some(Effect::Apply { at, changes });
        self.applied = self.applied.later(at);
        if let (Some(t0), false) = (t0, self.rules.keeps(Rule::RegisterBeforeRead)) {
            return apply.into_iter().chain(self.write_row(t0, now)).collect();
        }
        let open = t0.map(|t0| self.open(t0, now));
        let mut effects: Vec<_> = if self.rules.keeps(Rule::ApplyBeforeExtend) {
            apply.into_iter().chain(open).collect()
        } else {
            open.into_iter().chain(apply).collect()
        };
        if self.applied.epoch > self.told {
            effects.push(self.acknowledgement());
        }
        effects.extend(self.go_on(now));
        effects
    }

    fn open<C>(&mut self, t0: BootInstant, now: BootInstant) -> Effect<C> {
        let from = if self.rules.keeps(Rule::CountBeforeTheAnswer) { t0 } else { now };
        let end = if self.rules.keeps(Rule::LeaseRunsOut) {
            self.timing.held_until(from)
        } else {
            BootInstant::NEVER
        };
        self.lease_end = Some(end);
        (self.failures, self.doubted) = (0, None);
        self.due = t0.plus_millis(self.timing.renewal_ms());
        Effect::OpenUntil { end }
    }

    /// A request is done. A renewal that is due goes before a doorbell, or a storm of revocations
    /// would let the lease lapse.
    fn go_on<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        self.doing = Doing::Resting;
        if now >= self.due {
            self.begin(now)
        } else if self.rung.is_some_and(|rung| rung > self.applied.epoch) {
            self.read_log(None, now)
        } else {
            vec![]
        }
    }

    /// The outcome is unknown, and it need not be known: a row that was written or not, a log that
    /// was read or not, none of it has extended the lease.
    pub(super) fn fail<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let registering = matches!(self.doing, Doing::Asking { what: Asked::Register { .. }, .. });
        if registering && self.rules.keeps(Rule::RegisterOnce) {
            self.give_up_incarnation();
        }
        self.failures = self.failures.saturating_add(1);
        let Incarnation(drawn) = self.member.incarnation;
        let spread = (drawn ^ (drawn >> u64::BITS)) as u64;
        self.due = now.plus_millis(self.timing.pause_ms(self.failures, spread));
        self.doing = Doing::Resting;
        vec![self.disconnect()]
    }

    pub(super) fn disconnect<C>(&mut self) -> Effect<C> {
        let link = self.link;
        self.link = link.next();
        Effect::Disconnect { link }
    }

    /// Others took this node for dead and wait for it no longer. What it holds is right, though:
    /// the log after `applied` brings it up to date.
    fn register_anew<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let mut effects = self.begin_anew(Alarm::RowGone);
        effects.extend(self.begin(now));
        effects
    }

    /// What this node holds belongs to another history than the database does.
    fn load_anew<C>(&mut self, alarm: Alarm, now: BootInstant) -> Vec<Effect<C>> {
        let mut effects = self.begin_anew(alarm);
        (self.loaded, self.keep_revoked, self.timeline) = (false, true, None);
        self.doubted = None;
        effects.extend(self.fail(now)); // Perhaps another server is behind the same name.
        effects
    }

    /// Told in the middle of a step: nothing is under way, or belongs to an index that is gone.
    pub(super) fn index_lost<C>(&mut self, now: BootInstant) -> Vec<Effect<C>> {
        let leaving = matches!(self.doing, Doing::Asking { what: Asked::Unregister, .. });
        if leaving || self.doing == Doing::Stopped {
            return vec![];
        }
        self.seal();
        self.loaded = false;
        let mut effects = vec![Effect::Seal];
        effects.extend(self.fail(now));
        effects
    }

    fn begin_anew<C>(&mut self, alarm: Alarm) -> Vec<Effect<C>> {
        self.seal();
        vec![Effect::Seal, Effect::Alarm(alarm)]
    }

    /// Without a lease, and to register under another name.
    fn seal(&mut self) {
        self.lease_end = None;
        self.rung = None;
        self.told = 0;
        if self.registered {
            self.registered = false;
            self.give_up_incarnation();
        }
    }

    fn give_up_incarnation(&mut self) {
        self.given_up = Some(self.member);
        self.member.incarnation = self.member.incarnation.next();
    }
}
