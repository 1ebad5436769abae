//! One check: what Envoy tells of a request in, a yes with identity headers or a denial out.

use super::answer;
use super::refusal::Refusal;
use super::told::{Body, Told};
use crate::access::{Gatekeeper, Original, identity_headers, min_epoch};
use crate::forward_auth::preflight;
use crate::gateway::fold;
use envoy_types::ext_authz::v3::pb::{Authorization, CheckRequest, CheckResponse};
use http::HeaderMap;
use rescind_core::{Demand, Presented};
use rescind_guard::Verified;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// No client may say anything under these names.
const OURS: &str = "x-rescind-";

#[derive(Debug)]
pub(super) struct Checks {
    pub(super) gatekeeper: Arc<Gatekeeper>,
    pub(super) allow_preflight: bool,
    /// As [`crate::forward_auth::ForwardAuth::allow_min_epoch`].
    pub(super) allow_min_epoch: bool,
}

#[tonic::async_trait]
impl Authorization for Checks {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let answer = match Told::read(request.into_inner()) {
            Ok(told) => match self.decide(&told).await {
                Ok(verified) => self.allow(&told.headers, verified.as_ref()),
                Err(refusal) => self.deny(refusal, &told.method, &told.target).await,
            },
            Err(untold) => self.deny(untold.into(), "", "").await,
        };
        Ok(Response::new(answer))
    }
}

impl Checks {
    /// `None` is a preflight: nobody in particular.
    async fn decide(&self, told: &Told) -> Result<Option<Verified>, Refusal> {
        let original = Original::new(&told.method, &told.target, &told.headers)?;
        let credentials = self.gatekeeper.credentials();
        if self.allow_preflight
            && matches!(told.body, Body::Unseen)
            && preflight::is_one(&original, credentials)
        {
            return Ok(None);
        }
        if matches!(told.body, Body::Cut)
            && let Some(Presented::Signed(signed)) = credentials.read(&told.headers)?
            && !signed.covers_digest()
        {
            return Err(Refusal::PartialBody);
        }
        if self.allow_min_epoch {
            min_epoch::wait(self.gatekeeper.verifier(), &told.headers).await?;
        }
        let demand = Demand { admin: false, scopes: &told.scopes, client: told.client };
        let verified = self.gatekeeper.verify(&original, told.body.content(), &demand);
        Ok(Some(verified.await?))
    }

    fn allow(&self, headers: &HeaderMap, verified: Option<&Verified>) -> CheckResponse {
        let mut identity = HeaderMap::new();
        identity_headers::insert(&mut identity, verified);
        let removed = self.removed(headers, &identity);
        answer::allow(&identity, removed)
    }

    async fn deny(&self, refusal: Refusal, method: &str, target: &str) -> CheckResponse {
        // The path without the query, and no header: both may carry secrets.
        let path = target.split('?').next().unwrap_or_default();
        match refusal.hint() {
            Some(hint) => tracing::warn!(method, path, %refusal, hint, "Envoy is set up wrongly"),
            None => tracing::debug!(method, path, %refusal, "refused"),
        }
        answer::deny(refusal.into_problem(&self.gatekeeper)).await
    }

    /// Credentials, which end here, and names that programs behind Envoy would take for ours: many
    /// fold `X_Rescind_Subject` and `X-Rescind-Subject` into one. The identity headers themselves
    /// stay: Envoy removes last.
    fn removed(&self, headers: &HeaderMap, identity: &HeaderMap) -> Vec<String> {
        let credentials = self.gatekeeper.credentials();
        let is_taken = |folded: &str| {
            folded.starts_with(OURS)
                || credentials.names().any(|name| fold(name.as_str()) == folded)
        };
        let present = headers.keys().filter(|name| is_taken(&fold(name.as_str())));
        let all = credentials.names().chain(present).filter(|name| !identity.contains_key(*name));
        let mut removed: Vec<_> = all.map(ToString::to_string).collect();
        removed.sort_unstable();
        removed.dedup();
        removed
    }
}
