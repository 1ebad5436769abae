//! The only module that prints. Data goes to standard output, talk to standard error, so that a
//! pipe carries nothing but data.
//!
//! Commands do not print: they return an [`Answer`], which holds every form of what they say. What
//! people typed elsewhere (labels, names) may hold escape sequences that rewrite the reader's
//! terminal, so control characters are shown as what they are. Colours are ours alone, and only
//! where a terminal shows them and `NO_COLOR` is not set.

mod progress;
mod table;

pub(crate) use progress::Bar;
pub(crate) use table::{Column, field};

use crate::cli::Format;
use crate::failure::{Exit, Failure};
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// What a command has to say.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub json: Value,
    pub text: Text,
    /// What `-o id` prints, if the command is about things that have ids.
    pub ids: Option<Vec<String>>,
    /// For people, not part of the data.
    pub notes: Vec<String>,
    /// The command that most people want afterwards; programs are not told.
    pub next: Option<String>,
    pub exit: Exit,
}

#[derive(Clone, Debug)]
pub(crate) enum Text {
    Line(String),
    Table {
        columns: &'static [Column],
        rows: Vec<Value>,
    },
    /// One row, turned on its side.
    Fields {
        columns: &'static [Column],
        of: Value,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Answer {
    pub(crate) const fn new(json: Value, text: Text) -> Self {
        Self { json, text, ids: None, notes: Vec::new(), next: None, exit: Exit::Done }
    }

    pub(crate) fn line(json: Value, line: impl Into<String>) -> Self {
        Self::new(json, Text::Line(line.into()))
    }

    /// All that there was to say has been said.
    pub(crate) fn nothing() -> Self {
        Self { ids: Some(Vec::new()), ..Self::new(Value::Null, Text::Line(String::new())) }
    }

    /// The id of the one thing that this is about.
    pub(crate) fn id(mut self, id: impl Into<String>) -> Self {
        self.ids = Some(vec![id.into()]);
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl Output {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// A secret that is shown once must not be lost to `-o id`.
    ///
    /// # Errors
    /// The form has no place for it.
    pub(crate) fn must_show_secrets(self) -> Result<(), Failure> {
        if self.format != Format::Id {
            return Ok(());
        }
        Err(Failure::usage("`-o id` would lose the secret, which is shown only once")
            .next("without -o the secret alone goes to standard output; `-o json` has both"))
    }

    /// # Errors
    /// Standard output cannot be written (a reader that has left, as `| head`, is no error), or the
    /// command has no ids to print.
    pub(crate) fn answer(self, answer: &Answer) -> Result<(), Failure> {
        for note in &answer.notes {
            self.talk(&printable(note));
        }
        let text = render(answer, self.format)?;
        if !text.is_empty() {
            self.data(&text)?;
        }
        if let (Some(next), Format::Table | Format::Wide) = (&answer.next, self.format) {
            self.talk(&format!("{} {}", "next:".bold(), printable(next)));
        }
        Ok(())
    }

    /// Complete as it is; a line feed is added.
    ///
    /// # Errors
    /// As [`Output::answer`].
    pub(crate) fn data(self, text: &str) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::unreachable(format!("the answer cannot be written: {fault}"))
                    .next("see whether the disk is full; what was done stays done"))
            }
            _ => Ok(()),
        }
    }

    /// Standard output as it is, for what is too long to be held.
    pub(crate) fn raw(self) -> impl Write {
        io::BufWriter::new(io::stdout())
    }

    /// For people, on standard error. Nothing can be done if nobody can be told.
    pub(crate) fn talk(self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// A question, whose answer follows on the same line.
    pub(crate) fn prompt(self, text: &str) {
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "{text}").and_then(|()| err.flush());
    }

    pub(crate) fn failure(self, failure: &Failure) {
        let mut err = anstream::stderr().lock();
        if self.is_json() {
            let _ = writeln!(err, "{}", failure_json(failure));
            return;
        }
        let _ = writeln!(err, "{} {}", "error:".red().bold(), printable(&failure.message));
        if let Some(next) = &failure.next {
            let _ = writeln!(err, "{} {}", "next:".bold(), printable(next));
        }
    }
}

/// What goes to standard output, with colours.
fn render(answer: &Answer, format: Format) -> Result<String, Failure> {
    match format {
        Format::Json => Ok(answer.json.to_string()),
        Format::Id => answer.ids.as_ref().map(|ids| ids.join("\n")).ok_or_else(|| {
            Failure::usage("this command has no ids to print").next("leave `-o id` out")
        }),
        Format::Table | Format::Wide => Ok(match &answer.text {
            Text::Line(line) => printable(line),
            Text::Table { columns, rows } => table::list(columns, rows, format == Format::Wide),
            Text::Fields { columns, of } => table::fields(columns, of),
        }),
    }
}

/// The text with control characters, and those that turn the direction of writing, made visible.
pub(crate) fn printable(text: &str) -> String {
    let odd =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if odd(c) && c != '\n' {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

fn failure_json(failure: &Failure) -> Value {
    let Failure { exit, message, next } = failure;
    json!({"error": {"exit_code": *exit as u8, "message": message, "next": next}})
}

/// As a pipe gets it.
#[cfg(test)]
pub(crate) fn rendered(answer: &Answer, format: Format) -> Result<String, Failure> {
    Ok(anstream::adapter::strip_str(&render(answer, format)?).to_string())
}

#[cfg(test)]
mod tests;
