//! What every way of enforcement asks: memory first, and the database for a token that memory has
//! never heard of.
//!
//! A token that another node has made a millisecond ago must work here. The naive way tells every
//! node of every new token before its maker is answered, and a login then waits for the slowest
//! node. Instead a miss is fetched, once: the store puts the token into the index, under the same
//! rule as every other change, and the guard is asked again. So there is still one decision, by
//! what memory holds; a fetched row by itself lets nobody in.
//!
//! A stranger can make up tokens that look right, each one a miss. So misses are bounded, in
//! [`elsewhere`](crate::elsewhere). Beyond that the answer is neither yes nor no (503). Whatever is in
//! memory is not concerned.
//!
//! On a single node nothing is elsewhere, and nothing here waits. On a node without leases
//! everything does: for a round that began after it was asked (`rescind_coherence::rounds`), and
//! what is fetched afterwards is newer still.

use crate::at_least::AtLeast;
use crate::cluster::Proofs;
use crate::elsewhere::{Elsewhere, Source};
use crate::tally::{Fetches, Tally, Verifications};
use rescind_core::signature::SignedRequest;
use rescind_core::{Demand, Denial, Digest, SignedHeaders, TokenId};
use rescind_guard::{Guard, Permission, Refusal, Verified};
use rescind_store::{Epoch, Sought};
use std::fmt;
use std::sync::Arc;

/// See the module's head.
pub struct Verifier {
    guard: Arc<Guard>,
    elsewhere: Option<Elsewhere>,
    /// `None` where memory is answered from under a lease.
    proofs: Option<Proofs>,
    at_least: AtLeast,
    tally: Tally,
}

impl Verifier {
    /// A single node: whatever is not in memory does not exist.
    pub fn alone(guard: Arc<Guard>) -> Self {
        Self::new(guard, None)
    }

    /// One node of several: others make tokens too, and `source` has them. To be called within a
    /// runtime.
    pub fn among_others(guard: Arc<Guard>, source: Arc<dyn Source>) -> Self {
        Self::new(guard, Some(Elsewhere::new(source)))
    }

    fn new(guard: Arc<Guard>, elsewhere: Option<Elsewhere>) -> Self {
        let (at_least, tally) = (AtLeast::default(), Tally::default());
        Self { guard, elsewhere, proofs: None, at_least, tally }
    }

    /// The same on a node without leases: each question waits for a proof, and without one there is
    /// no answer.
    #[must_use]
    pub fn proving(self, proofs: Option<Proofs>) -> Self {
        Self { proofs, ..self }
    }

    /// How often it was asked since the start. What was refused before anything was looked up (no
    /// credential, or one that cannot be read) never came here.
    pub fn verifications(&self) -> Verifications {
        self.tally.sum()
    }

    /// How often it had a token looked for elsewhere; `None` on the only node.
    pub fn fetches(&self) -> Option<Fetches> {
        self.elsewhere.as_ref().map(Elsewhere::fetches)
    }

    pub fn guard(&self) -> &Arc<Guard> {
        &self.guard
    }

    /// Waits, within bounds, until memory has applied everything up to this epoch: whatever is asked
    /// afterwards is answered from there or from later.
    ///
    /// # Errors
    /// It has not, or too many wait already: neither yes nor no.
    pub async fn reached(&self, epoch: Epoch) -> Result<(), Refusal> {
        // Memory moves on with the rounds.
        let _ = self.permission().await?;
        self.at_least.reached(&self.guard, epoch).await
    }

    /// The one place where a question waits for what it may be answered by.
    async fn permission(&self) -> Result<Permission<'_>, Refusal> {
        let proof = match &self.proofs {
            None => None,
            Some(proofs) => Some(proofs.next().await?),
        };
        Ok(self.guard.by(proof))
    }

    /// As [`Permission::bearer`].
    pub async fn bearer(&self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        let answer = self.ask_bearer(text, demand).await;
        self.tally.count(&answer);
        answer
    }

    /// The same if nothing has to be waited for; otherwise [`Verifier::bearer`] is yet to be asked,
    /// and counts. For whoever asks many: a future for each costs half as much as its answer.
    pub fn bearer_at_once(
        &self,
        text: &str,
        demand: &Demand<'_>,
    ) -> Option<Result<Verified, Refusal>> {
        if self.proofs.is_some() {
            return None;
        }
        let answer = self.guard.bearer(text, demand);
        if self.elsewhere_of(&answer).is_some() {
            return None;
        }
        self.tally.count(&answer);
        Some(answer)
    }

    async fn ask_bearer(&self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        let permission = self.permission().await?;
        let answer = permission.bearer(text, demand);
        let Some(elsewhere) = self.elsewhere_of(&answer) else { return answer };
        elsewhere.fetch(Sought::Bearer(Digest::of(text.as_bytes()))).await?;
        permission.bearer(text, demand)
    }

    /// As [`Permission::signed`].
    pub async fn signed(
        &self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        let answer = self.ask_signed(signed, request, demand).await;
        self.tally.count(&answer);
        answer
    }

    async fn ask_signed(
        &self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        let permission = self.permission().await?;
        let answer = permission.signed(signed, request, demand);
        let Some(elsewhere) = self.elsewhere_of(&answer) else { return answer };
        elsewhere.fetch(signer(signed)?).await?;
        permission.signed(signed, request, demand)
    }

    /// As [`Permission::signed_is_hopeless`]. One that is not is yet to be verified.
    pub async fn signed_is_hopeless(&self, signed: &SignedHeaders<'_>) -> Result<(), Refusal> {
        let answer = self.ask_hopeless(signed).await;
        if answer.is_err() {
            self.tally.count(&answer);
        }
        answer
    }

    async fn ask_hopeless(&self, signed: &SignedHeaders<'_>) -> Result<(), Refusal> {
        let permission = self.permission().await?;
        let answer = permission.signed_is_hopeless(signed);
        let Some(elsewhere) = self.elsewhere_of(&answer) else { return answer };
        elsewhere.fetch(signer(signed)?).await?;
        permission.signed_is_hopeless(signed)
    }

    /// Where to look on, if memory does not know the token and somebody else may.
    fn elsewhere_of<T>(&self, answer: &Result<T, Refusal>) -> Option<&Elsewhere> {
        let missed = matches!(answer, Err(Refusal::Denied(Denial::Unknown)));
        self.elsewhere.as_ref().filter(|_| missed)
    }
}

/// Whatever is no id names nothing.
fn signer(signed: &SignedHeaders<'_>) -> Result<Sought, Denial> {
    TokenId::parse(signed.key_id()).map(Sought::Signer).map_err(|_| Denial::Unknown)
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("guard", &self.guard).finish_non_exhaustive()
    }
}
