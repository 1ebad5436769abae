//! What was found, in order, each with what to do about it.

use super::super::State;
use super::TOKEN_VARIABLE;
use crate::failure::Exit;
use crate::output::Answer;
use serde_json::{Value, json};

#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    check: &'static str,
    state: State,
    message: String,
    next: Option<String>,
}

impl Report {
    pub(super) fn good(&mut self, check: &'static str, message: impl Into<String>) {
        self.findings.push(Finding {
            check,
            state: State::Good,
            message: message.into(),
            next: None,
        });
    }

    pub(super) fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        let (message, next) = (message.into(), Some(next.into()));
        self.findings.push(Finding { check, state: State::Warning, message, next });
    }

    pub(super) fn wrong(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        next: impl Into<String>,
    ) {
        let (message, next) = (message.into(), Some(next.into()));
        self.findings.push(Finding { check, state: State::Bad, message, next });
    }

    pub(super) fn exposed(&mut self) {
        let next = "give the https URL, as clients use it";
        self.warning("transport", "tokens cross the network in the clear", next);
    }

    pub(super) fn no_token(&mut self) {
        let next = format!("put a token into {TOKEN_VARIABLE}, or on standard input");
        self.warning("token", "nothing that should pass was tried: there is no token", next);
    }

    pub(super) fn no_echo(&mut self) {
        let next = "put `rescind doctor echo` in the place of the API for this check";
        let message = "what the API is told could not be seen: it is no echo";
        self.warning("identity", message, next);
    }

    /// Whether any finding of this check is worse than good.
    #[cfg(test)]
    pub(super) fn state_of(&self, check: &str) -> Option<State> {
        let states = self.findings.iter().filter(|finding| finding.check == check);
        states.map(|finding| finding.state).max()
    }

    pub(super) fn into_answer(self, url: &str) -> Answer {
        let wrong = self.findings.iter().filter(|f| f.state == State::Bad).count();
        let checks: Vec<_> = self.findings.iter().map(Finding::json).collect();
        let json = json!({"url": url, "well": wrong == 0, "checks": checks});
        let mut text: Vec<_> = self.findings.iter().map(Finding::text).collect();
        text.push(match wrong {
            0 => "nothing wrong was found".to_owned(),
            1 => "one thing is wrong".to_owned(),
            wrong => format!("{wrong} things are wrong"),
        });
        let exit = if wrong == 0 { Exit::Done } else { Exit::Refused };
        Answer { exit, ..Answer::line(json, text.join("\n")) }
    }
}

impl Finding {
    fn json(&self) -> Value {
        let Self { check, state, message, next } = self;
        json!({"check": check, "state": state.name(), "message": message, "next": next})
    }

    fn text(&self) -> String {
        let Self { check, state, message, next } = self;
        let line = format!("{:<8} {check:<16} {message}", state.name());
        match next {
            Some(next) => format!("{line}\n{:26}next: {next}", ""),
            None => line,
        }
    }
}
