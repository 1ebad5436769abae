//! The answer to one question.

use super::question::{About, Question};
use super::whole_request::ReceivedRequest;
use crate::access::{Gatekeeper, Refusal};
use crate::http::Problem;
use crate::http::problem::{ProblemType, RETRY_AFTER_TOO_MANY_NEW};
use rescind_core::{Demand, Denial, Malformed, Presented, TenantId};
use rescind_guard::Verified;
use rescind_node::Verifier;

pub(super) enum Verdict {
    Valid(Verified),
    Invalid(&'static str),
}

/// `within` is the one tenant whose tokens the asker may see.
pub(super) async fn on(
    verifier: &Verifier,
    gatekeeper: &Gatekeeper,
    question: Question<'_>,
    within: Option<&TenantId>,
) -> Result<Verdict, Problem> {
    let demand = question.demand();
    let verified = match &question.about {
        About::Token(text) => token(verifier, text, &demand).await,
        // In a box, because it is rare, and each of a hundred questions would have to hold it.
        About::Request(request) => Box::pin(whole(gatekeeper, request, &demand)).await,
    };
    Verdict::of(verified, within)
}

/// The same about a token, if memory has the answer; otherwise [`on`] is yet to be asked.
pub(super) fn at_once(
    verifier: &Verifier,
    question: &Question<'_>,
    within: Option<&TenantId>,
) -> Option<Result<Verdict, Problem>> {
    let About::Token(text) = &question.about else { return None };
    let verified = match bearer(text) {
        Ok(text) => verifier.bearer_at_once(text, &question.demand())?.map_err(refusal),
        Err(refusal) => Err(refusal),
    };
    Some(Verdict::of(verified, within))
}

/// Whether somebody who may see only this tenant may see this token.
pub(super) fn is_within(verified: &Verified, tenant: Option<&TenantId>) -> bool {
    tenant.is_none_or(|tenant| verified.owner().tenant.as_ref() == Some(tenant))
}

async fn token(verifier: &Verifier, text: &str, demand: &Demand<'_>) -> Result<Verified, Refusal> {
    verifier.bearer(bearer(text)?, demand).await.map_err(refusal)
}

fn bearer(text: &str) -> Result<&str, Refusal> {
    match Presented::bearer(text)? {
        Presented::Bearer(text) => Ok(text),
        Presented::Signed(_) => Err(Refusal::NoCredential),
    }
}

fn refusal(refusal: rescind_guard::Refusal) -> Refusal {
    match refusal {
        rescind_guard::Refusal::Denied(denial) => Refusal::Denied(denial),
        rescind_guard::Refusal::Sealed => Refusal::Sealed,
        rescind_guard::Refusal::TooManyNew => Refusal::TooManyNew,
    }
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

impl Verdict {
    fn of(verified: Result<Verified, Refusal>, within: Option<&TenantId>) -> Result<Self, Problem> {
        Ok(match verified {
            Ok(verified) if is_within(&verified, within) => Self::Valid(verified),
            Ok(_) => Self::Invalid(Denial::Unknown.as_str()),
            Err(refusal) => Self::Invalid(reason(refusal, within)?),
        })
    }

    /// As JSON. A serializer would look into each text for what has to be escaped, and in words, ids,
    /// names of scopes and times there is no such thing.
    pub(super) fn write(&self, text: &mut String) {
        match self {
            Self::Valid(verified) => write_valid(verified, text),
            Self::Invalid(reason) => {
                push(text, [r#"{"valid":false,"reason":""#, reason, r#""}"#]);
            }
        }
    }
}

fn write_valid(verified: &Verified, text: &mut String) {
    let (token, owner) = (verified.token(), verified.owner());
    text.push_str(r#"{"valid":true,"token_id":""#);
    token.write_id(text);
    push(text, [r#"","owner_id":""#, owner.id.as_str(), r#"","kind":""#, token.kind().as_str()]);
    text.push_str(r#"","scopes":["#);
    for (index, scope) in verified.scopes().enumerate() {
        push(text, [if index == 0 { "\"" } else { ",\"" }, scope, "\""]);
    }
    text.push_str(r#"],"expires_at":"#);
    match token.expires_at() {
        Some(end) => {
            text.push('"');
            end.write_rfc3339_millis(text);
            text.push('"');
        }
        None => text.push_str("null"),
    }
    push(text, [r#","body":""#, verified.body().as_str(), r#""}"#]);
}

fn push<const PARTS: usize>(text: &mut String, parts: [&str; PARTS]) {
    parts.into_iter().for_each(|part| text.push_str(part));
}
