//! The writer of one node, and what nodes say to one another: rings, and acknowledgements over
//! direct connections and in rows.

use std::rc::Rc;

use rescind_coherence::node::Event as NodeEvent;
use rescind_coherence::{Epoch, MemberRow, settling};

use super::process::What;
use super::requests::Body;
use super::world::{End, Event, World, place};
use crate::simulation::{MILLISECOND, SECOND};

/// As the product has them: connections that a node takes from others, how long one may be silent,
/// and how long an acknowledgement that all have heard may be missing from the row.
const INBOUND_MAX: usize = 256;
const SILENCE_MAX: u64 = 4 * SECOND;
const WRITTEN_WITHIN: u64 = 200 * MILLISECOND;

impl World {
    /// Whether this node's connection to that one is among those that it takes. In the product that
    /// is whoever comes first; here, whose number comes next.
    fn is_let_in(&self, from: usize, to: usize) -> bool {
        let nodes = self.nodes();
        (from + nodes - to - 1) % nodes < INBOUND_MAX
    }

    fn is_silent(&self, at: usize) -> bool {
        self.processes[at].stopped_at.is_some_and(|since| since + SILENCE_MAX <= self.now)
    }

    /// Whether what one says directly reaches the other: an acknowledgement goes over the
    /// connection that the other has made.
    pub fn hears(&self, at: usize, from: usize) -> bool {
        self.is_let_in(at, from) && self.passes(End::Process(from), End::Process(at))
    }

    /// Of all others whose rows were read, whether all are connected, in this direction.
    fn reaches_all(&self, at: usize, out: bool) -> bool {
        self.processes[at].rows.iter().all(|row| {
            let other = row.member.node.0 as usize;
            let let_in = if out { self.is_let_in(at, other) } else { self.is_let_in(other, at) };
            other == at || (let_in && !self.is_silent(other))
        })
    }

    pub fn revoke(&mut self, at: usize) {
        if self.processes[at].stopped() || self.now < self.processes[at].paused_until {
            return;
        }
        let (token, notify, since) = (self.next_token, !self.reaches_all(at, true), self.now);
        self.next_token += 1;
        self.ask(at, Body::Revoke { token, notify, since });
    }

    /// Says what has changed, changes the index, and waits.
    pub fn committed(&mut self, at: usize, epoch: Epoch, since: u64, rows: &Rc<Vec<MemberRow>>) {
        self.saw(at, rows);
        self.settle(at, settling::Event::MembersBehind { at: place(epoch), rows: rows.to_vec() });
        self.processes[at].waiting.push((epoch, since));
        self.processes[at].looks = 0;
        if self.processes[at].applied + 1 >= epoch {
            self.publish(at, epoch);
        } else {
            self.ask(at, Body::CatchUp);
        }
        let way = self.setup.delays.direct;
        for to in 0..self.nodes() {
            if to == at || !self.is_let_in(at, to) {
                continue;
            }
            self.seen.rings += 1;
            let takes = self.takes(way);
            if self.passes(End::Process(at), End::Process(to)) {
                let (after, at) = (place(epoch - 1), place(epoch));
                let push = NodeEvent::Pushed { after, at, changes: () };
                let what = What::Hear(push);
                self.after(takes, Event::On { at: to, life: None, what });
            }
        }
        self.settle(at, settling::Event::Committed { epoch });
    }

    pub fn publish(&mut self, at: usize, epoch: Epoch) {
        if self.processes[at].loaded && epoch > self.processes[at].applied {
            self.applies(at, epoch);
            self.does(at, What::Hear(NodeEvent::Applied { at: place(epoch) }));
        }
    }

    /// Upwards: to whoever may wait for it.
    pub fn say(&mut self, at: usize, epoch: Epoch) {
        let by = self.processes[at].node.member();
        if let Some(parent) = self.processes[at].parent {
            self.seen.edge_acknowledgements += 1;
            let takes = self.takes(self.setup.delays.edge);
            if self.passes(End::Process(at), End::Process(parent)) {
                let what = What::EdgeApplied(by, epoch);
                self.after(takes, Event::On { at: parent, life: None, what });
            }
            return;
        }
        self.settle(at, settling::Event::Applied { by, at: place(epoch) });
        self.seen.acknowledgements += (self.nodes() - 1).min(INBOUND_MAX) as u64;
        let takes = self.takes(self.setup.delays.direct);
        let what = What::Settle(settling::Event::Acknowledged { by, at: place(epoch) });
        self.after(takes, Event::OnAll { from: Some(at), what });
        self.processes[at].words.told = Some((by, epoch));
        self.speak(at);
    }

    /// One acknowledgement at a time goes into the row, at once if anybody hears it no other way.
    pub fn speak(&mut self, at: usize) {
        let words = &self.processes[at].words;
        if words.busy || words.told == words.written {
            return;
        }
        let delay = if self.reaches_all(at, false) { WRITTEN_WITHIN } else { 0 };
        self.processes[at].words.busy = true;
        self.soon(at, delay, What::WriteWords);
    }

    pub fn write_words(&mut self, at: usize) {
        let words = &mut self.processes[at].words;
        words.written = words.told;
        if let Some((member, epoch)) = words.written {
            self.ask(at, Body::Acknowledge { member, epoch });
        }
    }
}
