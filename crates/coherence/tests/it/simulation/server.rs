//! Requests on their way, and what the servers make of them.

use rescind_coherence::{Epoch, Position, Rule, node, settling};

use super::database::{Database, Write, Written};
use super::network::End;
use super::process::{Committed, What};
use super::world::{Event, World};
use super::{MILLISECOND, Token};

#[derive(Clone, Debug)]
pub struct Request {
    pub at: usize,
    pub life: u32,
    pub server: usize,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    Load {
        link: node::Link,
        keep_revoked: bool,
    },
    Log {
        link: node::Link,
        after: Position,
    },
    /// On the lease connection.
    Write {
        link: node::Link,
        write: Write,
    },
    /// On any other: acknowledgements and deletions, which nobody answers.
    Silent(Write),
    Revoke {
        batch: u64,
        write: Write,
        /// Not all others are rung directly.
        notify: bool,
    },
    /// A notification without a commit.
    Ring {
        epoch: Epoch,
    },
    PublishersLog {
        after: Epoch,
    },
    /// The record of a token that the index does not know.
    Token {
        token: Token,
        late: bool,
    },
    Members {
        covers: Epoch,
    },
    Rows,
}

impl World {
    pub fn ask(&mut self, at: usize, server: usize, body: Body) {
        let life = self.hosts[at].life;
        let arrives = self.network.connected(&mut self.rng, self.now, End::Host(at), End::Database);
        match (arrives, &body) {
            (Some(time), _) => self.at(time, Event::Arrives(Request { at, life, server, body })),
            // The one request that the machine lets take its time: TCP's keep-alive ends it.
            (None, &Body::Load { link, .. }) => {
                let lease = self.plan.lease();
                self.trouble(at, 2 * lease);
                let what = What::Hear(node::Event::Failed { link });
                self.after(2 * lease, Event::On { at, life: Some(life), what });
            }
            (None, _) => {}
        }
    }

    fn answer(&mut self, at: usize, life: u32, what: What) {
        let arrives = self.network.connected(&mut self.rng, self.now, End::Database, End::Host(at));
        if let Some(time) = arrives {
            self.at(time, Event::On { at, life: Some(life), what });
        }
    }

    pub fn arrives(&mut self, request: Request) {
        let Request { at, life, server, ref body } = request;
        let state = &self.database.servers[server];
        let (place, epoch, timeline) = (state.at(), state.epoch(), Database::timeline(server));
        let what = match *body {
            Body::Load { link, keep_revoked } => {
                let revoked = state.revoked.keys().copied().collect();
                let told = node::Event::Loaded { link, at: place, timeline };
                let (lease, what) =
                    (self.plan.lease(), What::Loaded { told, revoked, keep_revoked });
                let takes = self.random(lease / 4);
                return self.after(takes, Event::On { at, life: Some(life), what });
            }
            Body::Log { link, after } => What::Hear(node::Event::Log {
                link,
                at: place,
                holds: state.holds(after),
                in_recovery: false,
                timeline,
                changes: state.after(after.epoch),
            }),
            Body::PublishersLog { after } => {
                What::PublishersLog { at: place, changes: state.after(after) }
            }
            Body::Members { covers } => {
                What::Settle(settling::Event::Members { covers, epoch, rows: state.rows() })
            }
            Body::Token { token, late } => {
                What::Fetched { token, late, revoked: state.revoked.contains_key(&token), epoch }
            }
            Body::Rows => What::Rows(state.rows()),
            Body::Ring { epoch } => return self.notify_all(epoch),
            _ => return self.write(request),
        };
        self.answer(at, life, what);
    }

    /// Carried out here, then on the standby, then visible; on an old primary never.
    fn write(&mut self, mut request: Request) {
        let server = request.server;
        if server != self.database.primary() {
            return;
        }
        let drawn = !self.keeps(Rule::GaplessEpochs);
        if let (true, Body::Revoke { write: Write::Revoke(tokens), .. }) =
            (drawn, &mut request.body)
        {
            for (_, epoch) in tokens {
                self.database.sequence += 1;
                *epoch = Some(self.database.sequence);
            }
        }
        self.count += 1;
        let write = self.count;
        self.writes.insert(write, request);
        let (slow_until, times) = self.database.slow;
        let slow = if self.now < slow_until { times } else { 1 };
        let (standby, shows) = (100 + self.random(700 * slow), 20 + self.random(700 * slow));
        let one_by_one = |last: &mut u64, time: u64| {
            *last = time.max(*last + 1);
            *last
        };
        if drawn {
            let jumps = self.random(100 * MILLISECOND);
            self.after(jumps, Event::Replicated { server, write });
            self.after(jumps, Event::Visible { server, write });
        } else if self.keeps(Rule::SynchronousReplication) {
            let replicated = one_by_one(&mut self.database.replicated_at, self.now + standby);
            self.at(replicated, Event::Replicated { server, write });
            let visible = one_by_one(&mut self.database.visible_at, replicated + shows);
            self.at(visible, Event::Visible { server, write });
        } else {
            let visible = one_by_one(&mut self.database.visible_at, self.now + shows);
            self.at(visible, Event::Visible { server, write });
            let lags = visible + self.random(500 * MILLISECOND);
            let replicated = one_by_one(&mut self.database.replicated_at, lags);
            self.at(replicated, Event::Replicated { server, write });
        }
    }

    pub fn replicated(&mut self, write: u64) {
        let apart = self.keeps(Rule::RowPerIncarnation);
        if let Some(request) = self.writes.get(&write) {
            self.database.standby.write(request.body.write(), apart);
        }
    }

    pub fn visible(&mut self, write: u64) {
        let apart = self.keeps(Rule::RowPerIncarnation);
        let Some(Request { at, life, server, body }) = self.writes.get(&write).cloned() else {
            return;
        };
        let after = self.database.servers[server].at();
        let written = self.database.servers[server].write(body.write(), apart);
        let epoch = self.database.servers[server].epoch();
        match (body, written) {
            (Body::Write { link, write }, Written::Rows(found)) => {
                let told = match write {
                    Write::Register(..) => node::Event::Registered { link },
                    Write::Renew(..) => node::Event::Renewed { link, found },
                    _ => node::Event::Unregistered { link },
                };
                self.answer(at, life, What::Hear(told));
            }
            (Body::Silent(Write::Acknowledge(by, place)), Written::Rows(true)) => {
                // Whoever has lost his connection is told that he may have missed something.
                let told = match self.random(8) {
                    0 => settling::Event::RowsChanged,
                    _ => settling::Event::Acknowledged { by, at: place },
                };
                self.tell_all(End::Database, || What::Settle(told.clone()));
            }
            (Body::Silent(Write::Reap(_)), Written::Rows(true)) => self.judge.seen.reaped += 1,
            (Body::Revoke { batch, notify, .. }, Written::Revoked(written)) => {
                if written.iter().any(|(_, _, new)| *new) {
                    if notify {
                        self.notify_all(epoch);
                    } else {
                        self.judge.seen.unnotified += 1;
                    }
                }
                let committed = self.behind(server, after);
                self.answer(at, life, What::Committed { batch, written, committed });
            }
            _ => {}
        }
    }

    /// What is read behind a commit: who is there, and what it has changed.
    fn behind(&self, server: usize, after: Position) -> Committed {
        let state = &self.database.servers[server];
        let (at, changes) = (state.at(), state.after(after.epoch));
        let push = node::Event::Pushed { after, at, changes };
        Committed { at, push, rows: settling::Event::MembersBehind { at, rows: state.rows() } }
    }
}

impl Body {
    fn write(&self) -> &Write {
        match self {
            Self::Write { write, .. } | Self::Silent(write) | Self::Revoke { write, .. } => write,
            read => unreachable!("{read:?} writes nothing"),
        }
    }
}
