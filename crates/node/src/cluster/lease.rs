//! The loop that keeps this node's lease: one `coherence::Node`, and the requests that it asks for.
//!
//! At most one request is under way. Its answer comes back into the same inbox as doorbells and
//! ticks, with the link that it was sent over; the machine ignores what belongs to a link that it
//! has given up.

use super::requests::{self, Row};
use super::settling::Told;
use super::{Here, place};
use rescind_coherence::node::{Alarm, Effect, Event};
use rescind_coherence::{BootInstant, Member, Node, Position};
use rescind_guard::Guard;
use rescind_store::{Applied, LogPage};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// Events that may wait. Each is told within microseconds; a full inbox holds up only whoever rings.
pub(super) const INBOX: usize = 1_024;

/// Pushes that are kept during one reading; each is a few kilobytes. One more is a doorbell.
const HELD_MAX: usize = 64;

pub(super) type Inbox = mpsc::Receiver<Event<LogPage>>;
/// In words.
pub(super) type Trouble = watch::Sender<Option<String>>;
pub(super) type Events = mpsc::Sender<Event<LogPage>>;

pub(super) struct Lease {
    pub(super) node: Node,
    pub(super) here: Here,
    inbox: Inbox,
    /// To the own inbox: answers come as events.
    pub(super) events: Events,
    settling: mpsc::UnboundedSender<Told>,
    wake_at: BootInstant,
    pub(super) request: Option<AbortHandle>,
    /// Pushes that came while the log was being read.
    held: VecDeque<Event<LogPage>>,
    /// What went wrong last, for whoever waits for the first lease.
    pub(super) trouble: Trouble,
}

impl Lease {
    pub(super) fn new(
        node: Node,
        here: Here,
        (events, inbox): (Events, Inbox),
        settling: mpsc::UnboundedSender<Told>,
        trouble: Trouble,
    ) -> Self {
        Self {
            node,
            here,
            inbox,
            events,
            settling,
            wake_at: BootInstant::NEVER,
            request: None,
            held: VecDeque::new(),
            trouble,
        }
    }

    /// Until the node has left.
    pub(super) async fn run(mut self) {
        tokio::spawn(requests::write_acknowledgements(self.here.clone()));
        let mut event = Event::Tick;
        while self.hear(event) {
            event = tokio::select! {
                told = self.inbox.recv() => told.unwrap_or(Event::Stop),
                () = sleep_until(&self.here.guard, self.wake_at) => Event::Tick,
            };
        }
    }

    /// Pushes are kept while the log is being read: then they follow on it, or it has them already.
    fn hear(&mut self, event: Event<LogPage>) -> bool {
        let push = matches!(event, Event::Pushed { .. });
        if push && self.node.is_reading() && self.held.len() < HELD_MAX {
            self.held.push_back(event);
            return true;
        }
        let mut goes_on = self.step(event);
        while goes_on && !self.node.is_reading() {
            let Some(push) = self.held.pop_front() else { break };
            goes_on = self.step(push);
        }
        goes_on
    }

    /// Whether to go on.
    fn step(&mut self, event: Event<LogPage>) -> bool {
        let mut told = Some(event);
        while let Some(event) = told.take() {
            for effect in self.node.step(event, self.here.guard.clock().boottime()) {
                match self.carry_out(effect) {
                    Next::Effect => {}
                    // The rest of this step rests on what could not be done.
                    Next::Lost => {
                        told = Some(Event::IndexLost);
                        break;
                    }
                    Next::End => return false,
                }
            }
        }
        true
    }

    fn carry_out(&mut self, effect: Effect<LogPage>) -> Next {
        match effect {
            Effect::Load { link, keep_revoked } => self.load(link, keep_revoked),
            Effect::Register { link, member, lease_ms, applied } => {
                self.write_row(link, member, lease_ms, applied, Row::New);
            }
            Effect::Renew { link, member, lease_ms, applied } => {
                self.write_row(link, member, lease_ms, applied, Row::Known);
            }
            Effect::ReadLog { link, after } => self.read_log(link, after),
            Effect::Apply { changes, .. } => return self.apply(changes),
            Effect::OpenUntil { end } => self.here.guard.open_until(end),
            Effect::Seal => self.here.guard.close(),
            Effect::Acknowledge { member, at } => self.acknowledge(member, at),
            Effect::Disconnect { .. } => self.disconnect(),
            Effect::WakeAt { at } => self.wake_at = at,
            Effect::Unregister { link, member } => self.unregister(link, member),
            Effect::Forget { member } => self.forget(member),
            Effect::Alarm(alarm) => say(&self.here.name, alarm),
            Effect::Stopped => return Next::End,
        }
        Next::Effect
    }

    /// One that is lost is made good by the next renewal.
    fn acknowledge(&self, member: Member, at: Position) {
        let _ = self.settling.send(Told::Applied { by: member, at });
        self.here.peers.acknowledge(member, at);
    }

    /// A page that does not fit the index leaves it as it is.
    fn apply(&mut self, page: LogPage) -> Next {
        let head = page.head.epoch;
        match self.here.store.apply(page) {
            Ok(Applied::At(at)) if at.epoch >= head => {
                let (by, at) = (self.node.member(), place(at));
                let _ = self.settling.send(Told::Applied { by, at });
                Next::Effect
            }
            fault => {
                tracing::warn!(node = &*self.here.name, ?fault, "the index is loaded anew");
                Next::Lost
            }
        }
    }
}

/// What comes after an effect.
enum Next {
    Effect,
    /// The index is not what the machine believes.
    Lost,
    End,
}

fn say(node: &str, alarm: Alarm) {
    match alarm {
        Alarm::RowGone => tracing::warn!(
            node,
            "this node was silent for so long that others gave it up; it registers anew"
        ),
        Alarm::InRecovery => tracing::error!(node, "the database is a standby: sealed"),
        Alarm::TimelineWentBack { known, found } => tracing::error!(
            node,
            known = known.0,
            found = found.0,
            "the database is on an older timeline: sealed"
        ),
        Alarm::EpochWentBack { applied, found } => {
            tracing::error!(
                node,
                applied,
                found,
                "the database has lost what was committed: sealed"
            );
        }
    }
}

/// Until the lease clock says so, as far as the runtime's own clock can tell. If the machine was
/// suspended meanwhile this is late, which harms nobody.
pub(super) async fn sleep_until(guard: &Guard, at: BootInstant) {
    let millis = at.as_millis().saturating_sub(guard.clock().boottime().as_millis());
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
