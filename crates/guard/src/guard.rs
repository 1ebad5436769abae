//! Verification itself: view, look-up, decision, and the view once more.

use crate::clock::Clock;
use crate::index::{Entry, Found, Index};
use crate::usage::{Second, Usage};
use rescind_coherence::{BootInstant, Gate, Proof, Rules, Standing};
use rescind_core::signature::{BodyProof, SignedRequest};
use rescind_core::{
    Authentic, Bounds, Demand, Denial, Digest, Fingerprint, Owner, Permitted, Recognised,
    SignedHeaders, Timestamp, TokenId, TokenPrefix, decide, in_window, recognise,
};
use rescind_store::{Change, Epoch, Follower};
use std::sync::Arc;

/// How often a verification looks again because something was revoked while it looked. Each look
/// takes well under a microsecond, a durable revocation tens of them: two in a row are rare, this
/// many do not happen.
const LOOKS_MAX: usize = 16;

/// Asks the index in memory, under a lease.
pub struct Guard {
    index: Index,
    gate: Gate,
    usage: Usage,
    clock: Arc<dyn Clock>,
    prefixes: Vec<TokenPrefix>,
}

/// A credential that may do what was asked, at the moment it was asked. There is no other
/// constructor than the one that demands a [`Permitted`].
#[derive(Clone, Debug)]
pub struct Verified {
    entry: Entry,
    owner: Arc<Owner>,
    body: BodyProof,
}

/// By what a guard may answer: its lease, or a proof.
#[derive(Clone, Copy, Debug)]
pub struct Permission<'g> {
    guard: &'g Guard,
    proof: Option<Proof>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Denied(#[from] Denial),
    /// This node holds no lease: it must not say "valid", and has no reason to say "invalid".
    #[error("this node cannot verify now")]
    Sealed,
    /// This node has never heard of the token, and looks for too many such ones already.
    #[error("more tokens that are new to this node are shown than it looks for")]
    TooManyNew,
}

impl Verified {
    /// If `decides` comes to a yes about what is known of `entry` now.
    fn by(
        entry: Entry,
        decides: impl for<'b> FnOnce(&'b Bounds<'b>) -> Result<(Permitted<'b>, BodyProof), Denial>,
    ) -> Result<Self, Denial> {
        let owner = entry.owner();
        let (_, body) = decides(&entry.bounds(&owner))?;
        Ok(Self { entry, owner, body })
    }

    pub fn token(&self) -> &Entry {
        &self.entry
    }

    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What is known of the request's body.
    pub fn body(&self) -> BodyProof {
        self.body
    }

    /// What the token allows now: its own scopes, as far as its owner still has them.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.entry.bounds(&self.owner).granted()
    }
}

impl Guard {
    /// A guard with an empty index, sealed until [`Guard::open_for_good`]. `prefixes` are those of
    /// our own tokens.
    pub fn new(clock: Arc<dyn Clock>, prefixes: Vec<TokenPrefix>) -> Self {
        Self {
            index: Index::default(),
            gate: Gate::sealed(),
            usage: Usage::default(),
            clock,
            prefixes,
        }
    }

    /// The same under fewer rules of the lease protocol, for tests of tests.
    #[must_use]
    pub fn under(self, rules: Rules) -> Self {
        Self { gate: Gate::sealed_under(rules), ..self }
    }

    /// A single node's lease: it cannot lapse, because nobody else can revoke. Call it once the
    /// store has loaded.
    pub fn open_for_good(&self) {
        self.gate.open_until(BootInstant::NEVER);
    }

    /// One node of several: a lease that ends by the boot clock. Call it once everything is applied
    /// that the lease rests on.
    pub fn open_until(&self, end: BootInstant) {
        self.gate.open_until(end);
    }

    /// Gives the lease up, until the next one.
    pub fn close(&self) {
        self.gate.seal();
    }

    /// As [`Permission::bearer`], under a lease.
    pub fn bearer(&self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        self.by(None).bearer(text, demand)
    }

    /// As [`Permission::signed`], under a lease.
    pub fn signed(
        &self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        self.by(None).signed(signed, request, demand)
    }

    /// As [`Permission::signed_is_hopeless`], under a lease.
    pub fn signed_is_hopeless(&self, signed: &SignedHeaders<'_>) -> Result<(), Refusal> {
        self.by(None).signed_is_hopeless(signed)
    }

    /// To verify by a proof, where there are no leases; without one, by the lease.
    #[inline]
    pub fn by(&self, proof: Option<Proof>) -> Permission<'_> {
        Permission { guard: self, proof }
    }

    /// As [`Gate::prove`].
    pub fn prove(&self) -> Proof {
        self.gate.prove()
    }

    /// As [`Gate::prove_nothing`].
    pub fn prove_nothing(&self) {
        self.gate.prove_nothing();
    }

    /// Last-used times since the last call, to be written down.
    pub fn take_uses(&self) -> Vec<(TokenId, Timestamp)> {
        self.usage.take()
    }

    pub fn is_open(&self) -> bool {
        self.gate.is_open(self.clock.boottime())
    }

    /// What is left of the lease; `None` without one, and with one that cannot lapse.
    pub fn lease_remaining_millis(&self) -> Option<u64> {
        let end = self.gate.lease_end();
        let left = end.as_millis().saturating_sub(self.clock.boottime().as_millis());
        (end != BootInstant::NEVER && left > 0).then_some(left)
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    pub fn applied_epoch(&self) -> Epoch {
        self.gate.applied()
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    fn why_unknown(&self, text: &str) -> Denial {
        match recognise(text, &self.prefixes) {
            Recognised::Damaged => Denial::Mistyped,
            Recognised::Whole | Recognised::Foreign => Denial::Unknown,
        }
    }
}

impl Permission<'_> {
    /// Whether a bearer token may do what `demand` says.
    pub fn bearer(self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        let (guard, digest) = (self.guard, Digest::of(text.as_bytes()));
        let presented = Fingerprint::from(&digest);
        let (verified, place, now) = self.decided(|now| {
            let found = guard.index.by_fingerprint(&presented);
            let Found { fingerprint, entry, place } =
                found.ok_or_else(|| guard.why_unknown(text))?;
            let verified = Verified::by(entry, |bounds| {
                let authentic = Authentic::by_fingerprint(&presented, &fingerprint, bounds)?;
                Ok((decide(authentic, demand, now)?, BodyProof::Unsigned))
            })?;
            Ok((verified, place, now))
        })?;
        if place.last_used != Second::of(now) && guard.usage.queue(&verified.entry, now) {
            guard.index.note_use(&presented, place, Second::of(now));
        }
        Ok(verified)
    }

    /// Whether a signed request may do what `demand` says. `request` must be what was received,
    /// byte for byte.
    pub fn signed(
        self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        let guard = self.guard;
        let (verified, signer, now) = self.decided(|now| {
            let signer = guard.index.by_key_id(signed.key_id()).ok_or(Denial::Unknown)?;
            let verified = Verified::by(signer.entry.clone(), |bounds| {
                let (authentic, body) =
                    Authentic::by_signature(&signer.key, signed, request, now, bounds)?;
                Ok((decide(authentic, demand, now)?, body))
            })?;
            Ok((verified, signer, now))
        })?;
        if signer.last_used.get() != Second::of(now) && guard.usage.queue(&verified.entry, now) {
            signer.last_used.set(Second::of(now));
        }
        Ok(verified)
    }

    /// Whether a signed request is refused whatever its body is, so that the body need not be read.
    pub fn signed_is_hopeless(self, signed: &SignedHeaders<'_>) -> Result<(), Refusal> {
        let guard = self.guard;
        self.decided(|now| {
            in_window(signed, now)?;
            guard.index.by_key_id(signed.key_id()).map(|_| ()).ok_or(Denial::Unknown.into())
        })
    }

    /// View first, look and decide, then the clock and the view again: see `rescind_coherence`.
    fn decided<T>(
        self,
        mut look: impl FnMut(Timestamp) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let Guard { gate, clock, .. } = self.guard;
        for _ in 0..LOOKS_MAX {
            let view = match self.proof {
                None => gate.view(),
                Some(proof) => gate.view_by(proof),
            };
            let answer = look(clock.recent());
            match gate.still_holds(view, || clock.boottime()) {
                Standing::Holds => return answer,
                Standing::Changed => continue,
                Standing::Lapsed => return Err(Refusal::Sealed),
            }
        }
        Err(Refusal::Sealed)
    }
}

impl Follower for Guard {
    fn apply(&self, change: Change) {
        match change {
            // A changed owner may have lost power; the token's entry sees it from here on. Most are
            // told with a token of theirs that was fetched, and are as they were: if each of those
            // were a change, a fleet that logs in would have verifications look again and again.
            Change::Owner(owner) => {
                if self.index.put_owner(owner) {
                    self.gate.changed();
                }
            }
            // It may do less now.
            Change::Updated { record, digest } => {
                self.index.replace_token(&record, digest.as_ref());
                self.gate.changed();
            }
            Change::NotBefore { tenant, start } => {
                if self.index.raise_bound(tenant.as_ref(), start) {
                    self.gate.changed();
                }
            }
            Change::Issued { record, material } => self.index.put_token(record, material),
            Change::Revoked { id, digest } => {
                self.index.take_token(&id, digest.as_ref());
                self.gate.changed();
            }
        }
    }

    fn reached(&self, epoch: Epoch) {
        self.gate.reached(epoch);
    }

    fn clear(&self) {
        self.index.clear();
        self.gate.changed();
    }

    fn seal(&self) {
        self.gate.break_seal();
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("tokens", &self.index.tokens()).finish_non_exhaustive()
    }
}
