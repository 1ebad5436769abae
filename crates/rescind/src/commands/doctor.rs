//! `rescind doctor`: goes the way to the server step by step, stops at the first that is broken,
//! and says what to do.

pub(super) mod cluster;
pub(super) mod echo;
pub(super) mod proxy;

use crate::{
    cli::DoctorArgs,
    client::{Client, Reply},
    context::Context,
    failure::{Exit, Failure},
    output::{Answer, Column, Text, field},
};
use rescind_core::Timestamp;
use rescind_guard::{Clock as _, clock::SystemClock};
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

/// Difference of the clocks from which it is worth a word: signed requests allow 30 seconds, and
/// the header that it is read from has whole seconds.
const CLOCK_WARN_SECONDS: u64 = 5;
/// Difference from which signed requests from this machine are refused.
const CLOCK_FAIL_SECONDS: u64 = 30;

const COLUMNS: [Column; 3] =
    [Column::new("check", "check"), Column::new("state", "state"), Column::new("found", "message")];

/// What was found out, in order.
#[derive(Debug, Default)]
pub(super) struct Findings {
    rows: Vec<(&'static str, State, String)>,
    pub(super) exit: Option<Exit>,
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Good,
    Warning,
    Bad,
}

/// `named` is what `--context` says.
pub(crate) async fn run(args: &DoctorArgs, named: Option<&str>) -> Answer {
    let mut findings = Findings::default();
    if let Err(failure) = examine(args, named, &mut findings).await {
        findings.exit = Some(failure.exit);
        findings.next = failure.next;
    }
    findings.into_answer()
}

async fn examine(
    args: &DoctorArgs,
    named: Option<&str>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let context = findings.step("context", Context::find(named))?;
    let from = format!("{} from {}", context.admin_url, context.origin);
    findings.add("context", State::Good, from);
    if context.is_exposed() {
        let message = "the admin token crosses the network in the clear: use https or a tunnel";
        findings.add("transport", State::Warning, message);
    }
    let client = findings.step("context", Client::new(&context))?;
    let health = client.get(&["health"], &[]).await;
    // What a client says next is to ask the doctor.
    let advice = "start it with `rescind dev` or `rescind serve`, or correct the URL";
    findings.step("server", health.map_err(|failure| failure.next(advice)))?;
    findings.add("server", State::Good, "is there and well");
    if client.get(&["readyz"], &[]).await.is_err() {
        findings.add("ready", State::Warning, "it is about to stop: clients should go elsewhere");
    }
    let status = client.get(&["v1", "status"], &[]).await;
    let advice = "use the token that `rescind dev` shows, or that of admin.bootstrap_token_file";
    let status = findings.step("token", status.map_err(|failure| failure.next(advice)))?;
    findings.add("token", State::Good, "is accepted");
    findings.status(&status.body);
    findings.clock(&status, SystemClock.now());
    if let (Some(name), None) = (&args.save, findings.exit) {
        let file = findings.step("save", context.save(name))?;
        findings.add("save", State::Good, format!("kept as {name} in {}", file.display()));
    }
    Ok(())
}

impl Findings {
    fn add(&mut self, what: &'static str, state: State, message: impl Into<String>) {
        self.rows.push((what, state, message.into()));
    }

    fn count(&self) -> usize {
        self.rows.len()
    }

    /// Notes a failed step, and passes it on.
    fn step<T>(&mut self, what: &'static str, result: Result<T, Failure>) -> Result<T, Failure> {
        result.inspect_err(|failure| self.add(what, State::Bad, failure.message.clone()))
    }

    pub(super) fn status(&mut self, status: &Value) {
        let message = format!(
            "version {}, {} active tokens of {} owners, epoch {}",
            field(status, "version"),
            field(status, "active_tokens"),
            field(status, "owners"),
            field(status, "epoch")
        );
        self.add("status", State::Good, message);
        if status.get("sealed") != Some(&Value::Bool(false)) {
            self.fail("sealed", "the server's store has failed: it verifies nothing and is ending");
            self.next = Some("read the server's log, then start it again".into());
        }
    }

    pub(super) fn clock(&mut self, reply: &Reply, now: Timestamp) {
        let date = reply.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
        let theirs = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
        let Some(theirs) = theirs.and_then(|time| i64::try_from(time.as_millis()).ok()) else {
            self.add("clock", State::Warning, "the server does not say what time it has");
            return;
        };
        let seconds = Timestamp::from_millis(theirs).distance_millis(now) / 1000;
        let message = format!("{seconds} s from the server's");
        if seconds >= CLOCK_FAIL_SECONDS {
            self.fail("clock", &format!("{message}: requests signed here are refused"));
            self.next = Some("set this machine's clock (NTP)".into());
        } else if seconds >= CLOCK_WARN_SECONDS {
            self.add("clock", State::Warning, message);
        } else {
            self.add("clock", State::Good, message);
        }
    }

    fn fail(&mut self, what: &'static str, message: &str) {
        self.add(what, State::Bad, message);
        self.exit = Some(Exit::Refused);
    }

    pub(super) fn into_answer(self) -> Answer {
        let exit = self.exit.unwrap_or(Exit::Done);
        let check = |(what, state, message): &(&str, State, String)| {
            let state = state.name();
            json!({"check": what, "state": state, "message": message})
        };
        let checks: Vec<_> = self.rows.iter().map(check).collect();
        let json = json!({"well": exit == Exit::Done, "checks": checks, "next": self.next});
        let text = Text::Table { columns: &COLUMNS, rows: checks };
        Answer { exit, next: self.next, ..Answer::new(json, text) }
    }
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "wrong",
        }
    }
}
