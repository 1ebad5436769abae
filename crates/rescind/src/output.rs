//! The only module that prints. Data goes to standard output, talk to standard error, so that a
//! pipe carries nothing but data; with `--json` the data is one JSON value on one line.
//!
//! Commands do not print: they return an [`Answer`], which holds both forms. What people typed
//! elsewhere (labels, names) may hold escape sequences that rewrite the reader's terminal, so
//! control characters are shown as what they are.

use crate::failure::{Exit, Failure};
use comfy_table::{ContentArrangement, Table, presets};
use owo_colors::OwoColorize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// What a command has to say.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub json: Value,
    pub text: Text,
    /// For people, not part of the data.
    pub notes: Vec<String>,
    pub exit: Exit,
}

#[derive(Clone, Debug)]
pub(crate) enum Text {
    Line(String),
    Table {
        columns: &'static [&'static str],
        rows: Vec<Vec<String>>,
    },
    /// One row, turned on its side.
    Fields(Vec<(&'static str, String)>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Answer {
    pub(crate) const fn new(json: Value, text: Text) -> Self {
        Self { json, text, notes: Vec::new(), exit: Exit::Done }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// # Errors
    /// Standard output cannot be written; a reader that has left (`| head`) is no error.
    pub(crate) fn answer(self, answer: &Answer) -> io::Result<()> {
        for note in &answer.notes {
            self.talk(note);
        }
        self.data(&render(answer, self.json))
    }

    /// Text or JSON, complete as it is; a line feed is added.
    ///
    /// # Errors
    /// As [`Output::answer`].
    pub(crate) fn data(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            Err(fault) if fault.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// For people, on standard error. Nothing can be done if nobody can be told.
    pub(crate) fn talk(self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    pub(crate) fn failure(self, failure: &Failure) {
        let mut err = anstream::stderr().lock();
        if self.json {
            let _ = writeln!(err, "{}", failure_json(failure));
            return;
        }
        let _ = writeln!(err, "{} {}", "error:".red().bold(), printable(&failure.message));
        if let Some(next) = &failure.next {
            let _ = writeln!(err, "{} {}", "next:".bold(), printable(next));
        }
    }
}

/// What goes to standard output.
pub(crate) fn render(answer: &Answer, json: bool) -> String {
    if json {
        return answer.json.to_string();
    }
    match &answer.text {
        Text::Line(line) => line.clone(),
        Text::Table { columns, rows } => table(columns, rows),
        Text::Fields(fields) => {
            let row = |(name, value): &(&str, String)| vec![(*name).to_owned(), value.clone()];
            table(&[], &fields.iter().map(row).collect::<Vec<_>>())
        }
    }
}

/// One field of a JSON object, for people.
pub(crate) fn field(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(list)) if list.is_empty() => "-".to_owned(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
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

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if !columns.is_empty() {
        table.set_header(columns);
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell).replace('\n', " ")));
    }
    // Two spaces between columns, none before the first.
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
