//! Whether a page shows what is printed.
//!
//! What differs from run to run (ids, times, hashes, durations) is masked on both sides, a run of
//! spaces counts as one, and `…` on the page stands for anything. All else must be printed
//! as it stands, line by line, in this order; a page may leave lines out.

use anyhow::{Context as _, bail};
use regex::Regex;

/// Each with what stands for it.
const MASKS: [(&str, &str); 8] = [
    (r"\r|\x1b\[[0-9;]*m", ""),
    (r"\b(user|partner|operator|tenant|profile|token)_[0-9A-Za-z]{16}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [0-9:]{8} GMT", "<date>"),
    (r"\b[0-9a-f]{16,64}\b", "<hash>"),
    (r"\b\d+(\.\d+)? (ns|µs|ms|s)\b", "<duration>"),
    (r"\brescind_[a-z]+_[0-9A-Za-z_-]{20,}", "<token>"),
    (r" {2,}", " "),
];

pub struct Masks(Vec<(Regex, &'static str)>);

impl Masks {
    pub fn new() -> anyhow::Result<Self> {
        let masks = MASKS.iter().map(|(what, name)| Ok((Regex::new(what)?, *name)));
        Ok(Self(masks.collect::<anyhow::Result<_>>()?))
    }

    /// An error names the first line that was not printed after those before it.
    pub fn find(&self, shown: &str, printed: &str) -> anyhow::Result<()> {
        let printed = self.mask(printed);
        let mut rest = printed.lines();
        for line in shown.lines().filter(|line| !line.trim().is_empty()) {
            let wanted = self.pattern(line)?;
            if !rest.any(|line| wanted.is_match(line.trim())) {
                bail!("this line is not printed there: {line}");
            }
        }
        Ok(())
    }

    fn mask(&self, text: &str) -> String {
        let fold = |text: String, (what, name): &(Regex, &str)| {
            what.replace_all(&text, *name).into_owned()
        };
        self.0.iter().fold(text.to_owned(), fold)
    }

    fn pattern(&self, line: &str) -> anyhow::Result<Regex> {
        let pattern = regex::escape(self.mask(line).trim()).replace('…', ".+");
        Regex::new(&format!("^{pattern}$")).context("a line too long to look for")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
HTTP/1.1 200 OK\r\n  date: Sat, 21 Nov 2026 21:56:11 GMT\nid    token_AJ2tilY3tCXuZxLb\n\
done (epoch 2, 3 ms) at 2026-11-21T21:40:56.461Z\n{\"password\":\"abc\"}\n";

    fn finds(shown: &str) -> bool {
        Masks::new().unwrap().find(shown, PRINTED).is_ok()
    }

    #[test]
    fn what_differs_from_run_to_run_does_not_count() {
        assert!(finds("date: Mon, 01 Jan 2001 00:00:00 GMT\n\nid  token_0000000000000000\n"));
        assert!(finds("done (epoch 2, 250 ms) at 2001-01-01T00:00:00Z\n{\"password\":\"…\"}\n"));
    }

    #[test]
    fn what_is_not_printed_is_missed() {
        let lies = [
            "HTTP/1.1 201 OK",
            "done (epoch 3, 3 ms) at 2026-11-21T21:40:56.461Z",
            "id token_short",
            "done",
            "{\"password\":\"…\",…}",
            "id token_AJ2tilY3tCXuZxLb\nHTTP/1.1 200 OK",
        ];
        for shown in lies {
            assert!(!finds(shown), "{shown}");
        }
    }
}
