//! PostgreSQL, as far as the protocol can tell: one primary, at most one fenced old one.
//!
//! Each write is one transaction and atomic. With synchronous replication a commit is on the
//! standby when it is visible, so the standby need not be modelled; without, it lags behind.

use rescind_coherence::node::Event;
use rescind_coherence::{DeadRow, Epoch, Mark, Member, MemberRow, Position, Rule, Timeline};

use super::Bounds;

/// One number in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Drawn from a sequence, not committed (only without [`Rule::GaplessEpochs`]).
    Drawn,
    /// The token is revoked.
    Token,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    pub log: Vec<Entry>,
    /// In which history each of them was committed: the last one's number is a mark of all that led
    /// to it, since a history begins where another one has ended.
    histories: Vec<u8>,
    /// How often a backup was restored, or commits were lost.
    history: u8,
    pub members: Vec<MemberRow>,
    pub timeline: Timeline,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    pub primary: Server,
    /// Only without [`Rule::SynchronousReplication`]: what a failover would leave.
    pub standby: Option<Server>,
    /// The old primary after a failover: it can be read, and no write on it ever commits, because
    /// its standby does not acknowledge any more.
    pub fenced: Option<Server>,
}

impl Server {
    fn new() -> Self {
        Self { log: vec![], histories: vec![], history: 0, members: vec![], timeline: Timeline(1) }
    }

    /// `epoch.n`: the last that is visible.
    pub fn epoch(&self) -> Epoch {
        let visible = self.log.iter().rposition(|entry| *entry != Entry::Drawn);
        visible.map_or(0, |at| at as Epoch + 1)
    }

    /// `epoch.n`, and the mark of it.
    pub fn at(&self) -> Position {
        self.place(self.epoch())
    }

    pub fn place(&self, epoch: Epoch) -> Position {
        let history = epoch.checked_sub(1).and_then(|at| self.histories.get(at as usize));
        Position { epoch, mark: history.map(|history| Mark([*history; 32])) }
    }

    /// Whether this place is in its history.
    pub fn holds(&self, at: Position) -> bool {
        at.epoch <= self.epoch() && self.place(at.epoch) == at
    }

    pub fn push_entry(&mut self, entry: Entry) {
        self.log.push(entry);
        self.histories.push(self.history);
    }

    pub fn revoked_at(&self) -> Option<Epoch> {
        self.log.iter().position(|entry| *entry == Entry::Token).map(|at| at as Epoch + 1)
    }

    /// Whether the changes after this epoch revoke the token.
    pub fn revoked_after(&self, after: Epoch) -> bool {
        self.log.iter().skip(after as usize).any(|entry| *entry == Entry::Token)
    }

    /// The revocation commits, or is found to have been committed. Its epoch, and whether it is new.
    pub fn revoke(&mut self) -> (Epoch, bool) {
        if let Some(epoch) = self.revoked_at() {
            return (epoch, false);
        }
        match self.log.iter().position(|entry| *entry == Entry::Drawn) {
            Some(at) => {
                self.log[at] = Entry::Token;
                (at as Epoch + 1, true)
            }
            None => {
                self.push_entry(Entry::Token);
                (self.log.len() as Epoch, true)
            }
        }
    }

    /// What a commit says of itself, that began after this epoch.
    pub fn push(&self, after: Position) -> Event<bool> {
        Event::Pushed { after, at: self.at(), changes: self.revoked_after(after.epoch) }
    }

    fn row(&mut self, member: Member) -> Option<&mut MemberRow> {
        self.members.iter_mut().find(|row| row.member == member)
    }

    /// What a member may say in its row that it has applied.
    pub fn sayable(&self, applied: Position, bounds: &Bounds) -> Epoch {
        let sayable = self.holds(applied) || !bounds.keeps(Rule::AcknowledgeOfOneHistory);
        if sayable { applied.epoch } else { 0 }
    }

    pub fn register(&mut self, new: MemberRow, bounds: &Bounds) {
        if !bounds.keeps(Rule::RowPerIncarnation) {
            self.members.retain(|row| row.member.node != new.member.node);
        }
        if !self.renew(new, bounds) {
            self.members.push(new);
            self.members.sort_by_key(|row| row.member);
        }
    }

    pub fn renew(&mut self, new: MemberRow, bounds: &Bounds) -> bool {
        let Some(row) = self.row(new.member) else { return false };
        row.applied = row.applied.max(new.applied);
        // Only the reaper looks at the number; without one it would only make states differ.
        row.renewals += u64::from(bounds.reaper);
        true
    }

    pub fn acknowledge(&mut self, member: Member, at: Position, bounds: &Bounds) -> bool {
        let epoch = self.sayable(at, bounds);
        let Some(row) = self.row(member) else { return false };
        let news = epoch > row.applied;
        row.applied = row.applied.max(epoch);
        news
    }

    pub fn unregister(&mut self, member: Member) {
        self.members.retain(|row| row.member != member);
    }

    pub fn reap(&mut self, dead: DeadRow) {
        let dead = (dead.member, dead.renewals);
        self.members.retain(|row| (row.member, row.renewals) != dead);
    }
}

impl Database {
    pub fn new(bounds: &Bounds) -> Self {
        let primary = Server::new();
        let lags = !bounds.keeps(Rule::SynchronousReplication);
        Self { standby: lags.then(|| primary.clone()), primary, fenced: None }
    }

    /// What a connection reads that was opened before or after the failover.
    pub fn read(&self, fenced: bool) -> &Server {
        self.fenced.as_ref().filter(|_| fenced).unwrap_or(&self.primary)
    }

    pub fn fail_over(&mut self) {
        let mut promoted = self.standby.clone().unwrap_or_else(|| self.primary.clone());
        promoted.timeline.0 += 1;
        promoted.history += u8::from(promoted.log != self.primary.log);
        self.fenced = Some(core::mem::replace(&mut self.primary, promoted));
    }

    /// From a backup that lacks the last change. What is lost comes back.
    ///
    /// An old backup lacks all members as well. A copy that was made a moment ago has them, with what
    /// they had applied by then, and is not even on another timeline.
    pub fn restore(&mut self, a_moment_ago: bool) -> Option<Entry> {
        let lost = self.primary.log.pop();
        self.primary.histories.pop();
        self.primary.history += 1;
        if a_moment_ago {
            let epoch = self.primary.epoch();
            let rows = self.primary.members.iter_mut();
            rows.for_each(|row| row.applied = row.applied.min(epoch));
        } else {
            self.primary.members.clear();
            self.primary.timeline.0 += 1;
        }
        lost
    }
}
