//! Requests on their way, and what PostgreSQL or a parent makes of them.

use std::rc::Rc;

use rescind_coherence::node::{Event as NodeEvent, Link};
use rescind_coherence::{DeadRow, Epoch, Member, Timeline, settling};

use super::process::What;
use super::world::{End, Event, World, place};
use crate::simulation::database::{Write, Written};
use crate::simulation::{MILLISECOND, SECOND};

/// Beyond the first round trip: `BEGIN` and the row go together, then `COMMIT`.
const ROUND_TRIPS_MORE_OF_A_ROW: u64 = 1;
/// The right to write and the revocation go together, then what is written down, the commit, and the
/// question for the members.
const ROUND_TRIPS_MORE_OF_A_REVOCATION: u64 = 1;
/// Of each clock reading between which the parent measures, one may be rounded down by so much.
const ROUNDED_MILLIS: u64 = 1;
/// Whoever writes an acknowledgement and hears nothing gives up.
const WORDS_TIMEOUT: u64 = SECOND;

#[derive(Clone, Debug)]
pub struct Request {
    pub from: usize,
    pub life: u32,
    /// A parent; without one, PostgreSQL.
    pub to: Option<usize>,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    Load {
        link: Link,
    },
    Log {
        link: Link,
        for_lease: bool,
    },
    Row {
        link: Link,
        write: Write,
    },
    Forget {
        member: Member,
    },
    /// To PostgreSQL alone.
    Acknowledge {
        member: Member,
        epoch: Epoch,
    },
    Members {
        covers: Option<Epoch>,
    },
    Reap {
        dead: DeadRow,
    },
    Ring {
        epoch: Epoch,
    },
    Revoke {
        token: u32,
        /// Not all others are rung directly.
        notify: bool,
        since: u64,
    },
    CatchUp,
}

impl World {
    fn end(to: Option<usize>) -> End {
        to.map_or(End::Database, End::Process)
    }

    /// Of whoever this one has its lease from.
    pub fn ask(&mut self, from: usize, body: Body) {
        let to = self.processes[from].parent;
        let way = self.way(to);
        let more = match (&body, to) {
            (Body::Row { .. } | Body::Acknowledge { .. }, None) => ROUND_TRIPS_MORE_OF_A_ROW,
            (Body::Revoke { .. }, None) => ROUND_TRIPS_MORE_OF_A_REVOCATION,
            _ => 0,
        };
        let takes = (0..=2 * more).map(|_| self.takes(way)).sum();
        if self.passes(End::Process(from), Self::end(to)) {
            let life = self.processes[from].life;
            return self.after(takes, Event::Arrives(Request { from, life, to, body }));
        }
        match body {
            // The one request that the machine lets take its time: TCP's keep-alive ends it.
            Body::Load { link } => {
                let ends = 2 * self.setup.lease_ms * MILLISECOND;
                self.soon(from, ends, What::Hear(NodeEvent::Failed { link }));
            }
            Body::Acknowledge { .. } => self.soon(from, WORDS_TIMEOUT, What::WordsWritten),
            _ => {}
        }
    }

    fn way(&self, to: Option<usize>) -> u64 {
        if to.is_some() { self.setup.delays.edge } else { self.setup.delays.database }
    }

    fn answer(&mut self, request: &Request, what: What) {
        let takes = self.takes(self.way(request.to));
        if self.passes(Self::end(request.to), End::Process(request.from)) {
            let (at, life) = (request.from, Some(request.life));
            self.after(takes, Event::On { at, life, what });
        }
    }

    pub fn arrives(&mut self, request: Request) {
        match request.to {
            Some(parent) if self.processes[parent].stopped() => {}
            Some(parent) if self.now < self.processes[parent].paused_until => {
                self.at(self.processes[parent].paused_until, Event::Arrives(request));
            }
            Some(parent) => self.at_parent(parent, &request),
            None => self.at_database(&request),
        }
    }

    /// An edge's row is in its parent's memory, and what a lease is worth is said with the log.
    fn at_parent(&mut self, at: usize, request: &Request) {
        let local = self.local(at);
        let process = &mut self.processes[at];
        let (loaded, epoch) = (process.loaded, process.applied);
        let Some(edges) = &mut process.edges else { return };
        let timeline = Timeline(1);
        let what = match &request.body {
            &Body::Load { link } if !loaded => What::Hear(NodeEvent::Failed { link }),
            &Body::Load { link } => {
                What::Hear(NodeEvent::Loaded { link, at: place(epoch), timeline })
            }
            Body::Row { link, write } => {
                self.seen.edge_renewals += 1;
                let found = matches!(edges.table.write(write, true), Written::Rows(true));
                What::Hear(row_written(*link, write, found))
            }
            &Body::Forget { member } => {
                edges.table.write(&Write::Unregister(member), true);
                return;
            }
            &Body::Log { link, .. } => {
                let end = process.gate.lease_end().as_millis();
                let left = end.saturating_sub(local.as_millis()).saturating_sub(ROUNDED_MILLIS);
                self.strike_when_little_is_left(request.from, left);
                What::Log(log(link, epoch), Some(left))
            }
            _ => return,
        };
        self.answer(request, what);
    }

    fn at_database(&mut self, request: &Request) {
        let epoch = self.database.epoch();
        let what = match &request.body {
            &Body::Load { link } => {
                What::Hear(NodeEvent::Loaded { link, at: place(epoch), timeline: Timeline(1) })
            }
            &Body::Log { link, for_lease } => {
                let seen = &mut self.seen;
                *(if for_lease { &mut seen.log_reads } else { &mut seen.log_reads_rung }) += 1;
                What::Log(log(link, epoch), None)
            }
            Body::Row { link, write } => {
                self.seen.renewals += 1;
                let found = self.write(write);
                What::Hear(row_written(*link, write, found))
            }
            &Body::Members { covers } => {
                let rows = self.rows();
                let read = rows.len() as u64;
                let seen = &mut self.seen;
                *(if covers.is_some() { &mut seen.rows_read } else { &mut seen.rows_watched }) +=
                    read;
                What::Members { covers, epoch, rows }
            }
            &Body::CatchUp => What::CaughtUp(epoch),
            &Body::Acknowledge { member, epoch } => {
                self.seen.rows_written += 1;
                if self.write(&Write::Acknowledge(member, place(epoch))) {
                    self.notify_all(settling::Event::Acknowledged { by: member, at: place(epoch) });
                }
                What::WordsWritten
            }
            &Body::Revoke { token, notify, since } => {
                self.write(&Write::Revoke(vec![(token, None)]));
                let epoch = self.database.epoch();
                if notify {
                    self.ring_by_notification(epoch);
                }
                let rows = self.rows();
                self.seen.rows_read += rows.len() as u64;
                What::Committed { epoch, since, rows }
            }
            &Body::Forget { member } => {
                self.write(&Write::Unregister(member));
                return;
            }
            &Body::Reap { dead } => {
                self.write(&Write::Reap(dead));
                return;
            }
            &Body::Ring { epoch } => return self.ring_by_notification(epoch),
        };
        self.answer(request, what);
    }

    /// Whether a row was there.
    fn write(&mut self, write: &Write) -> bool {
        self.rows = None;
        matches!(self.database.write(write, true), Written::Rows(true))
    }

    fn rows(&mut self) -> Rc<Vec<rescind_coherence::MemberRow>> {
        let database = &self.database;
        Rc::clone(self.rows.get_or_insert_with(|| Rc::new(database.rows())))
    }

    fn ring_by_notification(&mut self, epoch: Epoch) {
        self.seen.notifications += 1;
        let way = self.setup.delays.database;
        for at in 0..self.nodes() {
            self.seen.notified += 1;
            let takes = self.takes(way);
            if self.passes(End::Database, End::Process(at)) {
                let what = What::Hear(NodeEvent::Doorbell { epoch });
                self.after(takes, Event::On { at, life: None, what });
            }
        }
    }

    fn notify_all(&mut self, told: settling::Event) {
        self.seen.notifications += 1;
        self.seen.notified += self.nodes() as u64;
        let takes = self.takes(self.setup.delays.database);
        self.after(takes, Event::OnAll { from: None, what: What::Settle(told) });
    }
}

fn row_written(link: Link, write: &Write, found: bool) -> NodeEvent<()> {
    match write {
        Write::Register(..) => NodeEvent::Registered { link },
        _ => NodeEvent::Renewed { link, found },
    }
}

fn log(link: Link, epoch: Epoch) -> NodeEvent<()> {
    let (at, timeline) = (place(epoch), Timeline(1));
    NodeEvent::Log { link, at, holds: true, in_recovery: false, timeline, changes: () }
}
