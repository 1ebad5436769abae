//! Why Envoy is told no. What its operator must mend has a hint, which is logged.

use super::told::Untold;
use crate::access::{self, Gatekeeper, MinEpochFault};
use crate::http::{Problem, ProblemType};
use rescind_core::Malformed;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Access(#[from] access::Refusal),
    #[error(transparent)]
    Untold(#[from] Untold),
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
            // No fault of the client's, which must not throw its token away.
            Self::Untold(Untold::Extension | Untold::Scopes(_)) => Problem::unavailable(),
            Self::Untold(_) => Problem::bad_request(detail),
            Self::PartialBody => Problem::of(ProblemType::BodyTooLarge, detail),
        }
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Untold(Untold::Extension | Untold::Scopes(_)) => {
                Some("set context_extensions of the route to {scopes: \"a,b\"}, or to nothing")
            }
            Self::PartialBody => Some("set allow_partial_message: false, or max_request_bytes"),
            Self::Access(_) | Self::Untold(_) | Self::MinEpoch(_) => None,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(fault: Malformed) -> Self {
        Self::Access(fault.into())
    }
}
