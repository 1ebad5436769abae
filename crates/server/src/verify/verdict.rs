//! The answer to one question.

use super::question::{About, Question};
use super::whole_request::ReceivedRequest;
use crate::access::{Gatekeeper, Refusal};
use crate::http::Problem;
use crate::http::problem::{ProblemType, RETRY_AFTER_TOO_MANY_NEW};
use rescind_core::{Demand, Denial, Malformed, Presented, TenantId};
use rescind_guard::Verified;
use rescind_node::Verifier;
use serde::{Serialize, Serializer};

pub(super) enum Verdict {
    Valid(Verified),
    Invalid(&'static str),
}

/// `within` is the one tenant whose tokens the asker may see.
pub(super) async fn on(
    verifier: &Verifier,
    gatekeeper: &Gatekeeper,
    question: Question,
    within: Option<&TenantId>,
) -> Result<Verdict, Problem> {
    let demand = Demand { admin: false, scopes: &question.scopes, client: question.client };
    let verified = match &question.about {
        About::Token(text) => token(verifier, text, &demand).await,
        // In a box, because it is rare, and each of a hundred questions would have to hold it.
        About::Request(request) => Box::pin(whole(gatekeeper, request, &demand)).await,
    };
    Ok(match verified {
        Ok(verified) if is_within(&verified, within) => Verdict::Valid(verified),
        Ok(_) => Verdict::Invalid(Denial::Unknown.as_str()),
        Err(refusal) => Verdict::Invalid(reason(refusal, within)?),
    })
}

/// Whether somebody who may see only this tenant may see this token.
pub(super) fn is_within(verified: &Verified, tenant: Option<&TenantId>) -> bool {
    tenant.is_none_or(|tenant| verified.owner().tenant.as_ref() == Some(tenant))
}

async fn token(verifier: &Verifier, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
    let Presented::Bearer(text) = Presented::bearer(text)? else {
        return Err(Refusal::NoCredential);
    };
    verifier.bearer(text, demand).await.map_err(|refusal| match refusal {
        rescind_guard::Refusal::Denied(denial) => Refusal::Denied(denial),
        rescind_guard::Refusal::Sealed => Refusal::Sealed,
        rescind_guard::Refusal::TooManyNew => Refusal::TooManyNew,
    })
}

async fn whole(
    gatekeeper: &Gatekeeper,
    request: &ReceivedRequest,
    demand: &Demand<'_>,
) -> Result<Verified, Refusal> {
    gatekeeper.verify(&request.original()?, request.content(), demand).await
}

/// In one word, unless it is a fault of ours.
fn reason(refusal: Refusal, within: Option<&TenantId>) -> Result<&'static str, Problem> {
    Ok(match refusal {
        Refusal::Form | Refusal::Target(_) => "bad_target",
        Refusal::NoCredential => "no_credential",
        Refusal::Malformed(Malformed::Several) => "several_credentials",
        Refusal::Malformed(_) => "malformed",
        Refusal::ContentCoding => "content_coding",
        // The text alone shows it.
        Refusal::Denied(Denial::Mistyped) => Denial::Mistyped.as_str(),
        // Whatever else is known of it, it may be another tenant's.
        Refusal::Denied(_) | Refusal::MissingScope { .. } if within.is_some() => {
            Denial::Unknown.as_str()
        }
        Refusal::Denied(denial) => denial.as_str(),
        Refusal::MissingScope { .. } => Denial::MissingScope.as_str(),
        Refusal::TooManyNew => {
            let problem = Problem::of(ProblemType::Unavailable, format!("{refusal}."));
            return Err(problem.retry_after(RETRY_AFTER_TOO_MANY_NEW));
        }
        Refusal::Sealed | Refusal::NoRoom | Refusal::BodyTooLarge { .. } | Refusal::Body(_) => {
            return Err(Problem::unavailable());
        }
    })
}

#[derive(Serialize)]
struct Valid<'a> {
    valid: bool,
    token_id: &'a str,
    owner_id: &'a str,
    kind: &'static str,
    scopes: Scopes<'a>,
    expires_at: Option<String>,
    body: &'static str,
}

struct Scopes<'a>(&'a Verified);

impl Serialize for Scopes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.scopes())
    }
}

#[derive(Serialize)]
struct Invalid {
    valid: bool,
    reason: &'static str,
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let verified = match self {
            Self::Valid(verified) => verified,
            Self::Invalid(reason) => {
                return Invalid { valid: false, reason }.serialize(serializer);
            }
        };
        let token = verified.token();
        let id = token.id();
        let valid = Valid {
            valid: true,
            token_id: id.as_str(),
            owner_id: verified.owner().id.as_str(),
            kind: token.kind().as_str(),
            scopes: Scopes(verified),
            expires_at: token.expires_at().map(|at| at.to_rfc3339_millis()),
            body: verified.body().as_str(),
        };
        valid.serialize(serializer)
    }
}
