//! The one way to a yes: the credential, then the body if a signature needs it, then the guard.

use crate::refusal::Challenges;
use crate::signed_bodies::SignedBodies;
use crate::{Original, Problem, Refusal};
use bytes::Bytes;
use http::header;
use http_body::Body;
use rescind_core::signature::{Content, SignedRequest};
use rescind_core::{Demand, Presented, SignedHeaders};
use rescind_guard::credentials::CredentialHeaders;
use rescind_guard::{Fields, Verified};
use rescind_node::Verifier;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Decides about requests, for every way of enforcement. See the crate's head.
#[derive(Debug)]
pub struct Gatekeeper {
    verifier: Arc<Verifier>,
    credentials: CredentialHeaders,
    challenges: Challenges,
    signed_bodies: SignedBodies,
}

/// What a body is to the request that is decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Its own: it goes on only after the decision.
    Own,
    /// A proxy's copy. An empty one proves nothing: proxies leave bodies out unless told otherwise.
    Copy,
}

/// The body, after the decision.
#[derive(Debug)]
pub enum Read<B> {
    /// Nobody needed it.
    Untouched(B),
    /// The signature covers exactly these bytes.
    Whole(Bytes),
}

impl Gatekeeper {
    /// `signed_body_bytes_max` bounds each body that is held until its signature is known.
    pub fn new(
        verifier: Arc<Verifier>,
        credentials: CredentialHeaders,
        signed_body_bytes_max: u64,
    ) -> Self {
        Self {
            verifier,
            challenges: Challenges::new(&credentials),
            credentials,
            signed_bodies: SignedBodies::at_most(signed_body_bytes_max),
        }
    }

    /// By what is at hand: waits for no body.
    pub async fn verify(
        &self,
        original: &Original<'_, impl Fields>,
        content: Content<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        match self.presented(original)? {
            Presented::Bearer(text) => self.bearer(text, demand).await,
            Presented::Signed(signed) => {
                self.worth_reading(original, &signed, demand).await?;
                self.signed(original, &signed, content, demand).await
            }
        }
    }

    /// Reads the body if a signature needs it, and only for a caller that may yet be right; not
    /// longer than `patience`.
    pub async fn verify_reading<B>(
        &self,
        original: &Original<'_, impl Fields>,
        patience: Duration,
        body: B,
        sight: Sight,
        demand: &Demand<'_>,
    ) -> Result<(Verified, Read<B>), Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        match self.presented(original)? {
            Presented::Bearer(text) => {
                Ok((self.bearer(text, demand).await?, Read::Untouched(body)))
            }
            Presented::Signed(signed) => {
                self.worth_reading(original, &signed, demand).await?;
                let bytes = self.signed_bodies.read(patience, body).await?;
                let content = match sight {
                    Sight::Copy if bytes.is_empty() => Content::Unseen,
                    _ => Content::Body(&bytes),
                };
                let verified = self.signed(original, &signed, content, demand).await?;
                Ok((verified, Read::Whole(bytes)))
            }
        }
    }

    /// The one place that words a refusal.
    pub fn problem(&self, refusal: Refusal) -> Problem {
        refusal.into_problem(&self.challenges)
    }

    /// Who is asked.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The headers that credentials are read from.
    pub fn credentials(&self) -> &CredentialHeaders {
        &self.credentials
    }

    /// For all requests from now on.
    pub fn set_signed_body_bytes_max(&self, bytes_max: u64) {
        self.signed_bodies.set_max(bytes_max);
    }

    fn presented<'r>(
        &self,
        original: &Original<'r, impl Fields>,
    ) -> Result<Presented<'r>, Refusal> {
        self.credentials.read(original.headers())?.ok_or(Refusal::NoCredential)
    }

    async fn bearer(&self, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
        self.verifier.bearer(text, demand).await.map_err(|refusal| Refusal::of(refusal, demand))
    }

    async fn worth_reading(
        &self,
        original: &Original<'_, impl Fields>,
        signed: &SignedHeaders<'_>,
        demand: &Demand<'_>,
    ) -> Result<(), Refusal> {
        let hopeless = self.verifier.signed_is_hopeless(signed).await;
        hopeless.map_err(|refusal| Refusal::of(refusal, demand))?;
        // The coding's name is not signed: whoever changes it changes what the signed bytes mean,
        // and a few of them may unfold to gigabytes behind us.
        if original.headers().has(&header::CONTENT_ENCODING) {
            return Err(Refusal::ContentCoding);
        }
        Ok(())
    }

    async fn signed(
        &self,
        original: &Original<'_, impl Fields>,
        signed: &SignedHeaders<'_>,
        content: Content<'_>,
        demand: &Demand<'_>,
    ) -> Result<Verified, Refusal> {
        let (method, target) = (original.method(), original.target());
        let request = SignedRequest { method, target, content };
        let verified = self.verifier.signed(signed, &request, demand).await;
        verified.map_err(|refusal| Refusal::of(refusal, demand))
    }
}
