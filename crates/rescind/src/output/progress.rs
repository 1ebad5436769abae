//! How far something long has come: a bar where there is a terminal, else a line now and then.
//! Programs that asked for JSON are told nothing.

use super::{Output, printable};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};

/// Lines for one thing, besides its last.
const LINES_MAX: u64 = 10;

pub(crate) struct Bar {
    output: Output,
    bar: Option<ProgressBar>,
    /// What the last line was about, and how many tenths of it it told of.
    told: (String, u64),
}

impl Bar {
    pub(crate) fn new(output: Output) -> Self {
        let shown = !output.is_json() && stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg:28} {wide_bar} {percent:>3} % {eta:>4}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { output, bar, told: (String::new(), 0) }
    }

    pub(crate) fn at(&mut self, what: &str, done: u64, of: u64) {
        match &self.bar {
            Some(bar) if bar.message() == what => bar.set_position(done),
            Some(bar) => {
                bar.reset();
                bar.set_length(of);
                bar.set_message(what.to_owned());
                bar.set_position(done);
            }
            None if self.output.is_json() => {}
            None => self.line(what, done, of),
        }
    }

    fn line(&mut self, what: &str, done: u64, of: u64) {
        let part = done.saturating_mul(LINES_MAX).checked_div(of).unwrap_or(LINES_MAX);
        let (last, told) = &self.told;
        let is_news = part > *told || done >= of;
        if (last == what && !is_news) || *last == format!("{what}.") {
            return;
        }
        if done > 0 || of == 0 {
            self.output.talk(&printable(&format!("{what}: {done} of {of}")));
        }
        let ended = if done >= of { format!("{what}.") } else { what.to_owned() };
        self.told = (ended, part);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
