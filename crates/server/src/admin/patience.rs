//! `Prefer` (RFC 7240) on a revocation: how long its caller waits until it holds everywhere.
//!
//! An operator of one tenant waits until it does. Where to ask on is named by the epoch, which
//! would tell it of the others' revocations.

use super::caller::{Caller, Needs};
use crate::service::{PATIENCE_MAX, STATUS_PATIENCE};
use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use sfv::{Dictionary, ListEntry, Parser};
use std::convert::Infallible;
use std::time::Duration;
use utoipa::IntoParams;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Longest header that is looked at. What prefers more than fits is not heard.
const PREFER_BYTES_MAX: usize = 1_024;

/// What the caller prefers, as far as it is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefer {
    wait: Option<Duration>,
    respond_async: bool,
}

/// The header, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read as a header, by `Prefer`")]
pub(super) struct PreferHeader {
    /// `wait=SECONDS`, up to 360: how long to wait for the answer. `respond-async`: not at all,
    /// unless `wait` says otherwise (RFC 7240). What was heard of it is in `Preference-Applied`.
    #[param(rename = "Prefer", required = false)]
    prefer: Option<String>,
}

const _: () = assert!(PATIENCE_MAX.as_secs() == 360, "as it is documented above");

impl<S: Send + Sync> FromRequestParts<S> for Prefer {
    /// What cannot be read is no preference (RFC 7240 §2).
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(&parts.headers))
    }
}

impl Prefer {
    fn read(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(PREFER).iter().map(HeaderValue::to_str);
        let Ok(lines) = lines.collect::<Result<Vec<_>, _>>() else { return Self::default() };
        // Names are in any case here, and in lower case where dictionaries are read.
        let text = lines.join(",").to_ascii_lowercase();
        if text.len() > PREFER_BYTES_MAX {
            return Self::default();
        }
        let said = Parser::new(&text).parse::<Dictionary>().unwrap_or_default();
        let seconds = match said.get("wait") {
            Some(ListEntry::Item(item)) => item.bare_item.as_integer(),
            _ => None,
        };
        let seconds = seconds.and_then(|seconds| u64::try_from(i64::from(seconds)).ok());
        let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(PATIENCE_MAX));
        Self { wait, respond_async: said.contains_key("respond-async") }
    }

    /// How long to wait until a revocation of this caller's is settled; `None`: until it is.
    pub(super) fn patience<S: Needs>(
        self,
        caller: &Caller<S>,
        otherwise: Duration,
    ) -> Option<Duration> {
        caller.operator().tenant.is_none().then(|| self.or(otherwise))
    }

    pub(super) fn or(self, otherwise: Duration) -> Duration {
        let at_once = if self.respond_async { Duration::ZERO } else { otherwise };
        self.wait.unwrap_or(at_once)
    }

    /// For a question that is answered at once unless its caller prefers to wait.
    pub(super) fn or_at_once(self) -> Duration {
        self.or(STATUS_PATIENCE)
    }

    /// Says what was heard, if it was.
    pub(super) fn applied(self, mut response: Response) -> Response {
        let wait = self.wait.map(|wait| format!("wait={}", wait.as_secs()));
        let respond_async = self.respond_async.then(|| "respond-async".to_owned());
        let applied = [respond_async, wait].into_iter().flatten().collect::<Vec<_>>().join(", ");
        if let Some(applied) = HeaderValue::from_str(&applied).ok().filter(|_| !applied.is_empty())
        {
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (Option<u64>, bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, HeaderValue::from_str(line).unwrap());
        }
        let Prefer { wait, respond_async } = Prefer::read(&headers);
        (wait.map(|wait| wait.as_secs()), respond_async)
    }

    #[test]
    fn preferences_are_read_in_any_case_and_beside_others() {
        for (lines, read_as) in [
            (&["wait=5"][..], (Some(5), false)),
            (&["Respond-Async, WAIT=0"], (Some(0), true)),
            (&["respond-async", "wait=7"], (Some(7), true)),
            (&["handling=lenient; x=y, wait=10, return=minimal"], (Some(10), false)),
            (&["wait=999999"], (Some(360), false)),
        ] {
            assert_eq!(read(lines), read_as, "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_preference() {
        let long = format!("wait=5, x=\"{}\"", "y".repeat(PREFER_BYTES_MAX));
        for lines in [&[][..], &["wait"], &["wait=-1"], &["wait=1.5"], &["wait=("], &[&long]] {
            assert_eq!(read(lines), (None, false), "{lines:?}");
        }
    }

    #[test]
    fn to_wait_is_heard_before_not_to_wait() {
        let otherwise = Duration::from_secs(30);
        let prefer = |wait, respond_async| {
            Prefer { wait: Option::map(wait, Duration::from_secs), respond_async }.or(otherwise)
        };
        assert_eq!(prefer(None, false), otherwise);
        assert_eq!(prefer(None, true), Duration::ZERO);
        assert_eq!(prefer(Some(5), true), Duration::from_secs(5));
    }
}
