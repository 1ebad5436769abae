//! Why a proxy is told no. What its operator must mend has a hint, which is logged.

use crate::access::{self, Gatekeeper, MinEpochFault};
use crate::http::{Problem, ProblemType};
use http::HeaderName;
use rescind_core::ScopeError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Access(#[from] access::Refusal),
    #[error("this address is not trusted to tell of other requests")]
    UntrustedPeer,
    #[error("{header} must be there exactly once, as the proxy sets it")]
    Told { header: HeaderName },
    #[error("forward-auth has no such path")]
    NoSuchPath,
    #[error("scopes: {0}")]
    Scopes(ScopeError),
    #[error(transparent)]
    MinEpoch(#[from] MinEpochFault),
    #[error("the body was passed on in part")]
    PartialBody,
}

impl Refusal {
    pub(super) fn into_problem(self, gatekeeper: &Gatekeeper) -> Problem {
        let detail = format!("{self}.");
        match self {
            Self::Access(refusal) => gatekeeper.problem(refusal).into(),
            Self::MinEpoch(fault) => fault.into(),
            Self::UntrustedPeer => Problem::of(ProblemType::UntrustedPeer, detail),
            Self::Told { .. } | Self::Scopes(_) => Problem::bad_request(detail),
            Self::NoSuchPath => Problem::not_found(detail),
            Self::PartialBody => Problem::of(ProblemType::BodyTooLarge, detail),
        }
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Access(_) | Self::MinEpoch(_) => None,
            Self::UntrustedPeer => Some("if it is your proxy, add it to verify.trusted_peers"),
            Self::Told { .. } => Some("set this header in the proxy, over what the client sent"),
            Self::NoSuchPath | Self::Scopes(_) => {
                Some("ask /v1/forward-auth/PROFILE or /v1/forward-auth/PROFILE/require/SCOPES")
            }
            Self::PartialBody => Some("set allow_partial_message: false"),
        }
    }
}
