//! The judge: reads what the clients saw and says which promises were broken.
//!
//! It knows nothing of the server. A history is a list of operations, each with the time before
//! its first byte was sent and the time after its last byte was read, all on one clock.
//! Overlapping operations may take effect in either order, and one whose answer never came may
//! have taken effect or not; the judge accuses only where no order and no guess explains what was
//! seen.
//!
//! A linearizability checker would be the wrong tool: until a revocation is answered, one node
//! may refuse the token and another may still accept it. What is promised is one monotone bit per
//! token, so one pass over each token's operations is enough. Order is demanded of a single node
//! only (`Resurrected`).
//!
//! A judge that acquits everybody is worthless: its tests are hand-made bad histories, and the
//! kill test ends with a server whose truth really went backwards.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Debug)]
pub struct Operation {
    pub client: u32,
    pub node: u32,
    pub op: Op,
    /// The token's id, never its text.
    pub token: String,
    /// Before the first byte was written.
    pub invoke_ns: u64,
    /// After the whole answer was read, or the operation was given up.
    pub return_ns: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Create,
    Verify,
    /// By a route that answers success once per token, and refuses the second time.
    Revoke,
    /// By a route that answers success each time: "already revoked" is as final as the first.
    Settle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Created, valid, revoked.
    Accepted,
    /// Not valid (any more): a denial of the token, not of the request.
    Refused,
    /// No answer, or one that says nothing of the token (5xx).
    Unknown,
}

/// A broken promise. Each names the token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Violation {
    /// Accepted by a request that began after a revocation had been answered.
    LateAccept(String),
    /// Refused by a node, and accepted by the same node later.
    Resurrected(String),
    /// Refused although nobody had asked to revoke it, and accepted at another time.
    FalseRefusal(String),
    /// Worked, then refused for good, although nobody had asked to revoke it.
    Unasked(String),
    /// Creation was answered, nobody revoked it, and it never worked.
    LostCreation(String),
    /// Accepted although nobody had asked to create it yet.
    Forged(String),
    /// Two revocations of one token were answered with success.
    RevokedTwice(String),
    /// Created, and nobody looked at it after the last crash: the history proves nothing about it.
    Unwitnessed(String),
    /// Returned before it began, or after another creation of the same id: not a history at all.
    Malformed(String),
}

/// What was judged, so that an empty history is not mistaken for a good one.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    pub created: usize,
    pub revoked: usize,
    pub accepted: usize,
    pub refused: usize,
    pub unknown: usize,
}

/// Judges a history. Every created token must have been verified after `witness_from_ns`, the
/// beginning of the final sweep; pass 0 if there was none.
pub fn judge(history: &[Operation], witness_from_ns: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let mut tokens: BTreeMap<&str, Life<'_>> = BTreeMap::new();
    for operation in history {
        verdict.count(operation);
        tokens.entry(&operation.token).or_default().add(operation);
    }
    for (token, life) in tokens {
        let faults = life.faults(witness_from_ns);
        verdict.violations.extend(faults.into_iter().map(|violation| violation(token.to_owned())));
    }
    verdict
}

impl Verdict {
    fn count(&mut self, operation: &Operation) {
        let counter = match (operation.op, operation.outcome) {
            (_, Outcome::Unknown) => &mut self.unknown,
            (Op::Create, Outcome::Accepted) => &mut self.created,
            (Op::Revoke | Op::Settle, Outcome::Accepted) => &mut self.revoked,
            (Op::Verify, Outcome::Accepted) => &mut self.accepted,
            (_, Outcome::Refused) => &mut self.refused,
        };
        *counter += 1;
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { violations, created, revoked, accepted, refused, unknown } = self;
        write!(
            f,
            "{created} created, {revoked} revoked, {accepted} accepted, {refused} refused, "
        )?;
        write!(f, "{unknown} unknown; {} violations {violations:?}", violations.len())
    }
}

/// The operations on one token.
#[derive(Default)]
struct Life<'a> {
    creates: Vec<&'a Operation>,
    verifies: Vec<&'a Operation>,
    revokes: Vec<&'a Operation>,
}

/// Makes a violation of a token's name.
type Fault = fn(String) -> Violation;

impl<'a> Life<'a> {
    fn add(&mut self, operation: &'a Operation) {
        match operation.op {
            Op::Create => self.creates.push(operation),
            Op::Verify => self.verifies.push(operation),
            Op::Revoke | Op::Settle => self.revokes.push(operation),
        }
    }

    fn faults(&self, witness_from_ns: u64) -> Vec<Fault> {
        let rules: [(bool, Fault); 6] = [
            (self.is_malformed(), Violation::Malformed),
            (self.is_forged(), Violation::Forged),
            (self.is_accepted_late(), Violation::LateAccept),
            (self.is_resurrected(), Violation::Resurrected),
            (self.is_revoked_twice(), Violation::RevokedTwice),
            (self.is_unwitnessed(witness_from_ns), Violation::Unwitnessed),
        ];
        let broken = rules.into_iter().filter(|(broken, _)| *broken).map(|(_, fault)| fault);
        broken.chain(self.wrong_refusal()).collect()
    }

    fn is_malformed(&self) -> bool {
        self.all().any(|op| op.return_ns < op.invoke_ns) || self.creates.len() > 1
    }

    /// Nobody can have known the token's text before its creation was even asked for.
    fn is_forged(&self) -> bool {
        let asked = self.creates.iter().map(|op| op.invoke_ns).min().unwrap_or(u64::MAX);
        self.accepts().any(|op| op.return_ns < asked)
    }

    fn is_accepted_late(&self) -> bool {
        let answered = self.revokes.iter().filter(|op| op.outcome == Outcome::Accepted);
        let Some(dead_from) = answered.map(|op| op.return_ns).min() else { return false };
        self.accepts().any(|op| op.invoke_ns > dead_from)
    }

    /// A refusal by revocation rests on a durable commit, so the node that gave it can never take
    /// it back.
    fn is_resurrected(&self) -> bool {
        let mut refused_at = BTreeMap::new();
        for op in self.refusals() {
            let first = refused_at.entry(op.node).or_insert(op.return_ns);
            *first = op.return_ns.min(*first);
        }
        self.accepts().any(|op| refused_at.get(&op.node).is_some_and(|&at| op.invoke_ns > at))
    }

    fn is_revoked_twice(&self) -> bool {
        let succeeded = |op: &&&Operation| op.op == Op::Revoke && op.outcome == Outcome::Accepted;
        self.revokes.iter().filter(succeeded).count() > 1
    }

    fn is_unwitnessed(&self, from_ns: u64) -> bool {
        let created = self.creates.iter().any(|op| op.outcome == Outcome::Accepted);
        let seen = |op: &&Operation| op.outcome != Outcome::Unknown && op.invoke_ns >= from_ns;
        created && !self.verifies.iter().any(seen)
    }

    /// A refusal that no revocation explains: what it is called depends on what else was seen.
    fn wrong_refusal(&self) -> Option<Fault> {
        let created = self.creates.iter().find(|op| op.outcome == Outcome::Accepted)?;
        // A refused revocation revoked nothing, so it explains nothing.
        let effective = self.revokes.iter().filter(|op| op.outcome != Outcome::Refused);
        let asked = effective.map(|op| op.invoke_ns).min().unwrap_or(u64::MAX);
        let wrong = self
            .refusals()
            .filter(|op| op.invoke_ns > created.return_ns && op.return_ns < asked)
            .map(|op| op.return_ns)
            .min()?;
        let last_accept = self.accepts().map(|op| op.return_ns).max();
        Some(match last_accept {
            None => Violation::LostCreation,
            Some(last) if last < wrong => Violation::Unasked,
            Some(_) => Violation::FalseRefusal,
        })
    }

    fn accepts(&self) -> impl Iterator<Item = &'a Operation> + '_ {
        self.verifies.iter().copied().filter(|op| op.outcome == Outcome::Accepted)
    }

    /// A refused revocation says what a refused verification says: this token is no more.
    fn refusals(&self) -> impl Iterator<Item = &'a Operation> + '_ {
        let refused = |op: &&Operation| op.outcome == Outcome::Refused;
        self.verifies.iter().chain(&self.revokes).copied().filter(refused)
    }

    fn all(&self) -> impl Iterator<Item = &'a Operation> + '_ {
        self.creates.iter().chain(&self.verifies).chain(&self.revokes).copied()
    }
}

#[cfg(test)]
mod tests;
