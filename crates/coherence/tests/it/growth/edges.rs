//! What a parent does for its edges: it rings at them, waits for them, and buries the dead.

use rescind_coherence::node::Event as NodeEvent;
use rescind_coherence::{Epoch, Member, Reaper, Rules, Settled, Settler, Timing, settling};

use super::process::{Process, What};
use super::world::{End, Event, World, place};
use crate::simulation::database::{Server, Write};

/// What a parent knows of its edges.
#[derive(Debug)]
pub struct Edges {
    /// Their rows, in memory.
    pub table: Server,
    pub settler: Settler,
    pub reaper: Reaper,
    /// All of them have applied everything up to here, or hold no lease.
    pub settled: Epoch,
}

impl Edges {
    pub fn new(timing: Timing) -> Self {
        Self {
            table: Server::default(),
            settler: Settler::new(timing, Rules::ALL),
            reaper: Reaper::new(timing, Rules::ALL),
            settled: 0,
        }
    }
}

impl World {
    pub fn ring_edges(&mut self, at: usize, epoch: Epoch) {
        for to in self.below[at].clone() {
            self.seen.edge_rings += 1;
            let takes = self.takes(self.setup.delays.edge);
            if self.passes(End::Process(at), End::Process(to)) {
                let what = What::Hear(NodeEvent::Doorbell { epoch });
                self.after(takes, Event::On { at: to, life: None, what });
            }
        }
    }

    pub fn edge_applied(&mut self, at: usize, by: Member, epoch: Epoch) {
        if let Some(edges) = &mut self.processes[at].edges {
            edges.table.write(&Write::Acknowledge(by, place(epoch)), true);
        }
        self.settle_edges(at, settling::Event::Acknowledged { by, at: place(epoch) });
    }

    /// The rows are in memory: they are there at once.
    pub fn settle_edges(&mut self, at: usize, event: settling::Event) {
        let now = self.local(at);
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let Process { edges: Some(edges), applied, .. } = &mut self.processes[at] else {
                return;
            };
            let epoch = *applied;
            for effect in edges.settler.step(event, now) {
                let Process { edges: Some(edges), edges_wake, .. } = &mut self.processes[at] else {
                    return;
                };
                match effect {
                    settling::Effect::ReadMembers { covers } => {
                        let rows = edges.table.rows();
                        events.push(settling::Event::Members { covers, epoch, rows });
                    }
                    settling::Effect::Settled(Settled { epoch, .. }) => {
                        edges.settled = edges.settled.max(epoch);
                        self.edges_have(at, epoch);
                    }
                    settling::Effect::WakeAt { at: wake_at } => {
                        *edges_wake += 1;
                        let what = What::EdgesWake(*edges_wake);
                        self.wake(at, wake_at, what);
                    }
                }
            }
        }
    }

    /// Everything below this process is settled up to here.
    fn edges_have(&mut self, at: usize, epoch: Epoch) {
        let by = self.processes[at].node.member();
        self.settle(at, settling::Event::Applied { by, at: place(epoch) });
        self.say(at, epoch);
    }

    pub fn watch_edges(&mut self, at: usize) {
        let (now, own) = (self.local(at), self.processes[at].node.member());
        let Some(edges) = &mut self.processes[at].edges else { return };
        for dead in edges.reaper.saw(&edges.table.rows(), own, now) {
            edges.table.write(&Write::Reap(dead), true);
        }
    }
}
