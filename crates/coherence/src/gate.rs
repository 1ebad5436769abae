use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Rule, Rules};

/// Milliseconds on a monotonic clock that counts suspend (`CLOCK_BOOTTIME`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootInstant(u64);

impl BootInstant {
    /// Later than any reading: the end of a lease that cannot lapse.
    pub const NEVER: Self = Self(u64::MAX);

    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// So much later; `NEVER` if that cannot be said.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// Whether this node may answer from memory, and how old its view is.
#[derive(Debug)]
pub struct Gate {
    /// End of the lease in milliseconds of the boot clock; 0 is sealed.
    lease_end: AtomicU64,
    /// Raised after each change to the index that takes power away.
    generation: AtomicU64,
    /// The last epoch that the index has applied.
    applied: AtomicU64,
    /// Raised whenever the gate is sealed: no proof outlives it.
    seals: AtomicU64,
    /// A round has proved something last, where there are no leases. To be shown.
    proves: AtomicBool,
    /// Once broken, no lease opens the gate again: the truth in memory may be wrong.
    broken: AtomicBool,
    rules: Rules,
}

/// What a verification read before it looked anything up.
#[derive(Clone, Copy, Debug)]
pub struct View {
    lease_end: BootInstant,
    generation: u64,
}

/// That memory was proved to be new enough for whoever asked before: see
/// [`rounds`](crate::rounds). It stands in the place of a lease, in no clock's time, and ends when
/// memory is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    seals: u64,
}

/// What became of a view by the time of the decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The decision stands.
    Holds,
    /// Something was revoked in between; look again.
    Changed,
    /// The lease has run out, or there is none: say neither yes nor no.
    Lapsed,
}

impl Default for Gate {
    fn default() -> Self {
        Self::sealed()
    }
}

impl Gate {
    /// A node starts sealed, and stays so until its first lease.
    pub const fn sealed() -> Self {
        Self::sealed_under(Rules::ALL)
    }

    pub const fn sealed_under(rules: Rules) -> Self {
        Self {
            rules,
            lease_end: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            seals: AtomicU64::new(0),
            proves: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        }
    }

    /// Publishes the end of a lease. Call it only after everything up to the lease's epoch is
    /// applied.
    pub fn open_until(&self, end: BootInstant) {
        self.lease_end.store(end.0, Ordering::Release);
    }

    /// Gives up the lease until the next one. A verification that is under way looks again and finds
    /// no lease: when this returns, no accept is decided any more.
    pub fn seal(&self) {
        self.open_until(BootInstant(0));
        self.prove_nothing();
        self.seals.fetch_add(1, Ordering::AcqRel);
        self.changed();
    }

    /// What a round has proved, once all that it has read is applied. For those alone who asked
    /// before it began.
    pub fn prove(&self) -> Proof {
        self.proves.store(true, Ordering::Release);
        Proof { seals: self.seals.load(Ordering::Acquire) }
    }

    /// A round has failed: to be shown, until the next one proves something.
    pub fn prove_nothing(&self) {
        self.proves.store(false, Ordering::Release);
    }

    /// Gives up the lease for good: a store that failed cannot vouch for what memory holds.
    pub fn break_seal(&self) {
        self.broken.store(true, Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Says that the index has just lost something. Call it after the index changed, before anybody
    /// is answered.
    pub fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub fn reached(&self, epoch: u64) {
        self.applied.fetch_max(epoch, Ordering::AcqRel);
    }

    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// To be shown; decided by is what [`Gate::view`] read.
    pub fn lease_end(&self) -> BootInstant {
        BootInstant(self.lease_end.load(Ordering::Acquire))
    }

    /// Read this first.
    pub fn view(&self) -> View {
        let lease_end = BootInstant(self.lease_end.load(Ordering::Acquire));
        View { lease_end, generation: self.generation.load(Ordering::Acquire) }
    }

    /// The same by a proof instead of a lease, again and again: what is newer than a proof is safe.
    pub fn view_by(&self, proof: Proof) -> View {
        // First, so that a seal that comes later is seen as a change.
        let generation = self.generation.load(Ordering::Acquire);
        let stands = self.seals.load(Ordering::Acquire) == proof.seals;
        View { lease_end: if stands { BootInstant::NEVER } else { BootInstant(0) }, generation }
    }

    /// Ask this last, with a clock that is read after the look-up. A lease that cannot lapse asks
    /// none.
    pub fn still_holds(&self, view: View, now: impl FnOnce() -> BootInstant) -> Standing {
        let end = if self.rules.keeps(Rule::LeaseBeforeData) {
            view.lease_end
        } else {
            self.view().lease_end
        };
        let lapsed = if self.rules.keeps(Rule::DecideByTheClock) {
            end != BootInstant::NEVER && now() >= end
        } else {
            end == BootInstant(0)
        };
        let changed = self.generation.load(Ordering::Acquire) != view.generation;
        if lapsed || self.broken.load(Ordering::Acquire) {
            Standing::Lapsed
        } else if changed && self.rules.keeps(Rule::GenerationAgain) {
            Standing::Changed
        } else {
            Standing::Holds
        }
    }

    /// Whether a verification that began at `now` could be answered; or probably, where each one
    /// needs a proof.
    pub fn is_open(&self, now: BootInstant) -> bool {
        let proves = self.proves.load(Ordering::Acquire) && !self.broken.load(Ordering::Acquire);
        proves || self.still_holds(self.view(), || now) != Standing::Lapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: BootInstant = BootInstant::from_millis(1_000);

    #[test]
    fn new_gate_is_sealed() {
        assert_eq!(Gate::sealed().still_holds(Gate::sealed().view(), || NOON), Standing::Lapsed);
    }

    #[test]
    fn lease_is_half_open_at_its_end() {
        let gate = Gate::sealed();
        gate.open_until(NOON);
        let view = gate.view();
        assert_eq!(gate.still_holds(view, || BootInstant::from_millis(999)), Standing::Holds);
        assert_eq!(gate.still_holds(view, || NOON), Standing::Lapsed);
    }

    #[test]
    fn renewal_between_view_and_decision_does_not_extend_the_view() {
        let gate = Gate::sealed();
        gate.open_until(NOON);
        let stale = gate.view();
        gate.open_until(BootInstant::from_millis(2_000));
        assert_eq!(gate.still_holds(stale, || NOON), Standing::Lapsed);
        assert_eq!(gate.still_holds(gate.view(), || NOON), Standing::Holds);
    }

    #[test]
    fn revocation_between_view_and_decision_asks_to_look_again() {
        let gate = Gate::sealed();
        gate.open_until(BootInstant::NEVER);
        let view = gate.view();
        gate.changed();
        assert_eq!(gate.still_holds(view, || NOON), Standing::Changed);
        assert_eq!(gate.still_holds(gate.view(), || NOON), Standing::Holds);
    }

    #[test]
    fn broken_gate_never_opens_again() {
        let gate = Gate::sealed();
        gate.open_until(BootInstant::NEVER);
        let view = gate.view();
        gate.break_seal();
        assert_eq!(gate.still_holds(view, || NOON), Standing::Lapsed);
        gate.open_until(BootInstant::NEVER);
        assert!(!gate.is_open(NOON));
    }

    #[test]
    fn sealing_reaches_a_verification_that_is_under_way() {
        let gate = Gate::sealed();
        gate.open_until(BootInstant::NEVER);
        let view = gate.view();
        gate.seal();
        assert_eq!(gate.still_holds(view, || NOON), Standing::Changed);
        assert_eq!(gate.still_holds(gate.view(), || NOON), Standing::Lapsed);
        gate.open_until(BootInstant::NEVER);
        assert!(gate.is_open(NOON));
    }

    #[test]
    fn proof_stands_in_no_clocks_time_and_ends_with_the_next_seal() {
        let gate = Gate::sealed();
        let proof = gate.prove();
        assert_eq!(
            gate.still_holds(gate.view(), || NOON),
            Standing::Lapsed,
            "no lease comes of it"
        );
        let view = gate.view_by(proof);
        let late = BootInstant::from_millis(u64::MAX - 1);
        assert_eq!(gate.still_holds(view, || late), Standing::Holds);
        gate.changed();
        assert_eq!(gate.still_holds(view, || NOON), Standing::Changed);
        let again = gate.view_by(proof);
        assert_eq!(gate.still_holds(again, || NOON), Standing::Holds, "what is newer is safe");
        gate.seal();
        assert_eq!(gate.still_holds(again, || NOON), Standing::Changed);
        assert_eq!(gate.still_holds(gate.view_by(proof), || NOON), Standing::Lapsed);
        let broken = gate.prove();
        gate.break_seal();
        assert_eq!(gate.still_holds(gate.view_by(broken), || NOON), Standing::Lapsed);
        assert!(!gate.is_open(NOON));
    }

    #[test]
    fn applied_epoch_never_goes_back() {
        let gate = Gate::sealed();
        gate.reached(7);
        gate.reached(3);
        assert_eq!(gate.applied(), 7);
    }
}
