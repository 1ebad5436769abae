//! PostgreSQL: servers of which one is the primary, a standby, and writes on their way.
//!
//! A write is carried out where it arrives, then on the standby, and becomes visible only then (or
//! the other way round, without [`Rule::SynchronousReplication`]). A failover may fall between any
//! two. Whoever is connected to the old primary goes on reading from it; no write of his is ever
//! acknowledged.

use std::collections::BTreeMap;

use rescind_coherence::{DeadRow, Epoch, Mark, Member, MemberRow, Position, Timeline};

use super::Token;

#[derive(Clone, Debug, Default)]
pub struct Server {
    pub log: BTreeMap<Epoch, Vec<Token>>,
    /// The marks of their epochs: the server that each was written on, which is the only one that
    /// numbered it so.
    marks: BTreeMap<Epoch, Mark>,
    server: u8,
    pub revoked: BTreeMap<Token, Epoch>,
    pub members: BTreeMap<Member, MemberRow>,
}

#[derive(Clone, Debug)]
pub enum Write {
    /// With what the member says that it has applied.
    Register(MemberRow, Position),
    Renew(MemberRow, Position),
    Unregister(Member),
    Acknowledge(Member, Position),
    Reap(DeadRow),
    /// Revocations in one transaction, each with the number that it drew if numbers are drawn.
    Revoke(Vec<(Token, Option<Epoch>)>),
}

/// What became of a write.
#[derive(Clone, Debug)]
pub enum Written {
    Rows(bool),
    /// For each token its epoch, and whether this write revoked it.
    Revoked(Vec<(Token, Epoch, bool)>),
}

impl Server {
    /// `epoch.n`
    pub fn epoch(&self) -> Epoch {
        self.log.keys().next_back().copied().unwrap_or_default()
    }

    pub fn at(&self) -> Position {
        self.place(self.epoch())
    }

    fn place(&self, epoch: Epoch) -> Position {
        Position { epoch, mark: self.marks.get(&epoch).copied() }
    }

    pub fn holds(&self, at: Position) -> bool {
        at.epoch <= self.epoch() && self.place(at.epoch) == at
    }

    /// What a member may say in its row that it has applied. A table without a log, as a parent has
    /// of its edges, has nothing to compare it with.
    fn sayable(&self, applied: Position) -> Epoch {
        if self.log.is_empty() || self.holds(applied) { applied.epoch } else { 0 }
    }

    pub fn after(&self, epoch: Epoch) -> Vec<Token> {
        self.log.range(epoch + 1..).flat_map(|(_, tokens)| tokens.iter().copied()).collect()
    }

    pub fn rows(&self) -> Vec<MemberRow> {
        self.members.values().copied().collect()
    }

    pub fn write(&mut self, write: &Write, row_per_incarnation: bool) -> Written {
        match write {
            Write::Register(new, applied) => {
                let new = &MemberRow { applied: self.sayable(*applied), ..*new };
                if !row_per_incarnation {
                    self.members.retain(|member, _| member.node != new.member.node);
                }
                if !self.renew(new) {
                    self.members.insert(new.member, *new);
                }
                Written::Rows(true)
            }
            Write::Renew(new, applied) => {
                let applied = self.sayable(*applied);
                Written::Rows(self.renew(&MemberRow { applied, ..*new }))
            }
            Write::Unregister(member) => Written::Rows(self.members.remove(member).is_some()),
            Write::Acknowledge(member, at) => {
                let epoch = self.sayable(*at);
                let row = self.members.get_mut(member);
                Written::Rows(row.is_some_and(|row| {
                    row.applied = row.applied.max(epoch);
                    true
                }))
            }
            Write::Reap(dead) => {
                let same = |row: &MemberRow| row.renewals == dead.renewals;
                let found = self.members.get(&dead.member).is_some_and(same);
                Written::Rows(found && self.members.remove(&dead.member).is_some())
            }
            Write::Revoke(tokens) => Written::Revoked(
                tokens.iter().map(|&(token, drawn)| self.revoke(token, drawn)).collect(),
            ),
        }
    }

    fn renew(&mut self, new: &MemberRow) -> bool {
        let Some(row) = self.members.get_mut(&new.member) else { return false };
        row.applied = row.applied.max(new.applied);
        row.renewals += 1;
        true
    }

    fn revoke(&mut self, token: Token, drawn: Option<Epoch>) -> (Token, Epoch, bool) {
        if let Some(&epoch) = self.revoked.get(&token) {
            return (token, epoch, false);
        }
        let epoch = drawn.unwrap_or(self.epoch() + 1);
        self.log.entry(epoch).or_default().push(token);
        self.marks.entry(epoch).or_insert(Mark([self.server; 32]));
        self.revoked.insert(token, epoch);
        (token, epoch, true)
    }
}

#[derive(Debug)]
pub struct Database {
    pub servers: Vec<Server>,
    pub standby: Server,
    /// The next number of a sequence (only without `GaplessEpochs`).
    pub sequence: Epoch,
    /// Writes are replicated and become visible in order.
    pub replicated_at: u64,
    pub visible_at: u64,
    /// Until then some new connections still reach the old primary.
    pub stale_until: u64,
    /// Until then it is so many times as slow.
    pub slow: (u64, u64),
}

impl Database {
    pub fn new() -> Self {
        Self {
            servers: vec![Server::default()],
            standby: Server::default(),
            sequence: 0,
            replicated_at: 0,
            visible_at: 0,
            stale_until: 0,
            slow: (0, 1),
        }
    }

    pub fn primary(&self) -> usize {
        self.servers.len() - 1
    }

    pub fn timeline(server: usize) -> Timeline {
        Timeline(server as u64 + 1)
    }

    pub fn fail_over(&mut self, stale_until: u64) {
        self.standby.server += 1;
        self.servers.push(self.standby.clone());
        self.stale_until = stale_until;
    }
}
