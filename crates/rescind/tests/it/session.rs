//! What an operator types and sees, written down word for word. Ids, times, hashes and durations
//! differ each time: they become others of the same length, the same one for the same thing.

use crate::caller::Dev;
use crate::process::{Home, Ran, run};
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(crate) struct Session<'a> {
    home: &'a Home,
    variables: Vec<(&'static str, String)>,
    text: String,
    /// What stands for which value.
    known: BTreeMap<String, String>,
}

impl<'a> Session<'a> {
    /// With the context that `rescind dev` saved.
    pub(crate) fn new(home: &'a Home) -> Self {
        Self { home, variables: Vec::new(), text: String::new(), known: BTreeMap::new() }
    }

    /// By the environment.
    pub(crate) fn with_token(home: &'a Home, dev: &Dev, token: &str) -> Self {
        let mut session = Self::new(home);
        session.variables = vec![
            ("RESCIND_ADMIN_URL", dev.fact("admin_url").to_owned()),
            ("RESCIND_ADMIN_TOKEN", token.to_owned()),
        ];
        session
    }

    /// A value that has no form of its own, and what is written for it.
    pub(crate) fn stands_for(&mut self, value: &str, word: &str) {
        self.known.insert(value.to_owned(), format!("[{word}]"));
    }

    /// Runs it, and writes down what is seen.
    pub(crate) async fn run(&mut self, line: &str) -> Ran {
        self.run_with(line, "").await
    }

    /// With something on standard input.
    pub(crate) async fn run_with(&mut self, line: &str, input: &str) -> Ran {
        let mut command = self.home.rescind(line.split_whitespace());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let ran = run(command, input).await;
        let _ = writeln!(self.text, "$ rescind {line}");
        for line in input.lines() {
            let _ = writeln!(self.text, "< {line}");
        }
        for line in ran.out.lines() {
            let _ = writeln!(self.text, "{line}");
        }
        for line in ran.talk.lines() {
            let _ = writeln!(self.text, "! {line}");
        }
        if ran.exit != 0 {
            let _ = writeln!(self.text, "? {}", ran.exit);
        }
        self.text.push('\n');
        ran
    }

    /// Runs it without writing it down.
    pub(crate) async fn json(&self, line: &str, input: &str) -> serde_json::Value {
        let mut command = self.home.rescind(format!("{line} --json").split_whitespace());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        run(command, input).await.well().json()
    }

    /// All that was typed and seen.
    pub(crate) fn transcript(self) -> String {
        let Self { home, mut text, mut known, .. } = self;
        text = text.replace(home.path("").to_str().unwrap().trim_end_matches('/'), "[HOME]");
        for (value, word) in &known {
            text = text.replace(value, word);
        }
        known.clear();
        let mut counts = BTreeMap::new();
        for (pattern, kind) in VARYING {
            let varying = Regex::new(pattern).unwrap();
            let stand_in = |found: &Captures<'_>| {
                let value = found[0].to_owned();
                let count = counts.entry(*kind).or_insert(0);
                let word = known.entry(value.clone()).or_insert_with(|| {
                    *count += 1;
                    kind.stand_in(&value, *count)
                });
                word.clone()
            };
            text = varying.replace_all(&text, stand_in).into_owned();
        }
        text
    }
}

/// What differs from run to run, in the order in which it is looked for.
const VARYING: &[(&str, Kind)] = &[
    (r"\b(?:api_prod|lmts|rescind_admin)_[0-9A-Za-z]{38}\b", Kind::Secret),
    (r"\b[0-9A-Za-z+/]{43}=", Kind::Secret),
    (r"\b(?:user|partner|operator|tenant|token|admin|key)_[0-9A-Za-z]{16}\b", Kind::Id),
    (r"\b[0-9a-f]{64}\b", Kind::Hash),
    (r#""last_used_at":(?:null|"[^"]*")"#, Kind::Use),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", Kind::Time),
    (r"\b\d+ ms\b", Kind::Duration),
    (r#""took_ms":\d+"#, Kind::Duration),
    (r"127\.0\.0\.1:\d{4,5}", Kind::Address),
];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Secret,
    Id,
    Hash,
    Time,
    Duration,
    Use,
    Address,
}

impl Kind {
    /// Of the same length where tables are aligned by it.
    fn stand_in(self, value: &str, count: usize) -> String {
        match self {
            Self::Secret => format!("[SECRET {count}]"),
            Self::Id => {
                let (prefix, _) = value.rsplit_once('_').unwrap();
                format!("{prefix}_{count:0>width$}", width = value.len() - prefix.len() - 1)
            }
            Self::Hash => format!("{count:0>64}"),
            Self::Time => "YYYY-MM-DDTHH:MM:SS.mmmZ".to_owned(),
            Self::Duration if value.starts_with('"') => "\"took_ms\":[N]".to_owned(),
            Self::Duration => "[N] ms".to_owned(),
            Self::Use => "\"last_used_at\":[SOON]".to_owned(),
            Self::Address => format!("127.0.0.1:[PORT {count}]"),
        }
    }
}
