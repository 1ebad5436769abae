//! Everything that can be answered instead of the upstream's response. Why a request may not pass is
//! worded where it is decided (`access`); here stands what goes wrong on its way.

use crate::access::{self, BodyFault, Gatekeeper};
use crate::http::problem::RETRY_AFTER_OUTAGE;
use crate::http::{Problem, ProblemType};
use http::{HeaderValue, header};

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Access(#[from] access::Refusal),
    #[error("there is no upstream")]
    NoUpstream,
    #[error("the route does not name this method")]
    Method { allow: HeaderValue },
    #[error("too many upgraded connections")]
    Tunnels,
    #[error("the upstream cannot be reached")]
    UpstreamUnreachable,
    #[error("the upstream broke the connection off or answered what is not HTTP")]
    UpstreamBroken,
    #[error("the upstream switched to a protocol that nobody asked for")]
    UnaskedUpgrade,
    #[error("the upstream did not answer in time")]
    UpstreamSlow,
}

impl Refusal {
    pub(super) fn is_upstreams_fault(&self) -> bool {
        use Refusal::{UnaskedUpgrade, UpstreamBroken, UpstreamSlow, UpstreamUnreachable};
        matches!(self, UpstreamUnreachable | UpstreamBroken | UpstreamSlow | UnaskedUpgrade)
    }

    pub(super) fn into_problem(self, gatekeeper: &Gatekeeper) -> Problem {
        let detail = format!("{self}.");
        match self {
            Self::Access(refusal) => gatekeeper.problem(refusal).into(),
            Self::NoUpstream => Problem::not_found("Nothing is served here."),
            Self::Method { allow } => {
                Problem::of(ProblemType::MethodNotAllowed, detail).header(header::ALLOW, allow)
            }
            Self::Tunnels => {
                Problem::of(ProblemType::Unavailable, detail).retry_after(RETRY_AFTER_OUTAGE)
            }
            Self::UpstreamUnreachable | Self::UpstreamBroken | Self::UnaskedUpgrade => {
                Problem::of(ProblemType::BadGateway, detail)
            }
            Self::UpstreamSlow => Problem::of(ProblemType::GatewayTimeout, detail),
        }
    }
}

impl From<BodyFault> for Refusal {
    fn from(fault: BodyFault) -> Self {
        Self::Access(access::Refusal::Body(fault))
    }
}
