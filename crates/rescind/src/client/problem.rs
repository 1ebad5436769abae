//! What goes wrong, in words, and which command helps.

use super::{Client, TIMEOUT};
use crate::failure::{Exit, Failure};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use std::time::Duration;

/// Longest problem text that is repeated, in characters.
const PROBLEM_CHARS_MAX: usize = 500;
/// Before what had no answer is sent again, unless the server says how long.
const RETRY_WAIT: Duration = Duration::from_millis(500);
/// Nobody waits for longer, whatever the server says.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);

/// A failed request.
#[derive(Debug)]
pub(super) struct Fault {
    failure: Failure,
    /// Sent again after this time, it may succeed.
    pub(super) again: Option<Duration>,
}

impl Fault {
    /// The second attempt failed too. With the key, whoever repeats the command repeats no deed.
    pub(super) fn with_key(mut self, key: &str) -> Failure {
        if self.again.is_some() {
            let next = "whether it was done is not known: repeat the command with";
            self.failure.next = Some(format!("{next} `--idempotency-key {key}`"));
        }
        self.failure
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self { failure, again: None }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        fault.failure
    }
}

impl Client {
    pub(super) fn unreachable(&self, fault: &reqwest::Error) -> Fault {
        let base = &self.base;
        let failure = if fault.is_connect() {
            Failure::unreachable(format!("cannot connect to {base}: {}", innermost(fault)))
                .next("start a server with `rescind dev`, or look into it with `rescind doctor`")
        } else {
            let message = if fault.is_timeout() {
                format!("no answer from {base} within {} s", TIMEOUT.as_secs())
            } else {
                format!("the exchange with {base} broke off: {}", innermost(fault))
            };
            Failure::unreachable(message)
                .next("whether it was done is not known: look before repeating")
        };
        Fault { failure, again: Some(RETRY_WAIT) }
    }

    /// An answer other than 2xx: RFC 9457, or not ours.
    pub(super) fn problem(
        &self,
        path: &[&str],
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Fault {
        let Ok(problem) = serde_json::from_slice::<Value>(body) else {
            return self.stranger().into();
        };
        let part = |name| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let message: String = match (part("title"), part("detail")) {
            (Some(title), Some(detail)) => format!("{title}: {detail}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => format!("the server answered {status}"),
        };
        let message = message.chars().take(PROBLEM_CHARS_MAX).collect();
        let exit = if status.is_server_error() { Exit::Unreachable } else { Exit::Refused };
        let name = part("type").and_then(|urn| urn.rsplit(':').next()).unwrap_or_default();
        let next = next_command(status, name, path).map(Into::into);
        let is_out = status == StatusCode::SERVICE_UNAVAILABLE;
        Fault { failure: Failure { exit, message, next }, again: is_out.then(|| wait(headers)) }
    }

    pub(crate) fn stranger(&self) -> Failure {
        Failure::unreachable(format!("{} does not answer as Rescind's admin API does", self.base))
            .next("check the URL: it is that of the admin listener")
    }
}

fn next_command(status: StatusCode, name: &str, path: &[&str]) -> Option<&'static str> {
    let resource = path.get(1).copied().unwrap_or_default();
    Some(match (name, status, resource) {
        ("last-admin", ..) => {
            "make another token that can administer first: `rescind operator create`, then \
             `rescind token create --kind admin`"
        }
        ("idempotency-key-reused", ..) => "leave --idempotency-key out, or give a new one",
        ("insufficient-scope", ..) => "`rescind whoami` shows what this admin token may do",
        (_, StatusCode::UNAUTHORIZED, _) => "check the admin token with `rescind doctor`",
        (_, StatusCode::TOO_MANY_REQUESTS, _) => "wait a little, then repeat the command",
        (_, StatusCode::SERVICE_UNAVAILABLE, _) => "look into it with `rescind doctor`",
        (_, StatusCode::NOT_FOUND | StatusCode::CONFLICT, "users") => {
            "`rescind user list` shows those that there are"
        }
        (_, StatusCode::NOT_FOUND | StatusCode::CONFLICT, "partners") => {
            "`rescind partner list` shows those that there are"
        }
        (_, StatusCode::NOT_FOUND | StatusCode::CONFLICT, "operators") => {
            "`rescind operator list` shows those that there are"
        }
        (_, StatusCode::NOT_FOUND, "revocations") => "`rescind token list` shows whose there are",
        (_, StatusCode::NOT_FOUND, "tokens") if path.len() == 2 => {
            "`rescind user list`, `partner list` and `operator list` show who can have tokens"
        }
        (_, StatusCode::NOT_FOUND, "tokens") => "`rescind token list --all` shows those there are",
        (_, StatusCode::CONFLICT, "tokens") => {
            "`rescind token get TOKEN` shows its state, and its successor if it has one"
        }
        ("not-allowed", ..) => "`rescind problem not-allowed` says what that means",
        _ => return None,
    })
}

fn wait(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(RETRY_WAIT, Duration::from_secs).min(RETRY_WAIT_MAX)
}

/// The last of the chain says what happened; those before it repeat the URL.
pub(super) fn innermost(fault: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = fault;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
