//! Tables for people: aligned, two spaces apart, without lines that a copy would carry along.

use super::printable;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use serde_json::Value;

/// One field of a thing: a column of a list, or a line of a single one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// In lower case, as in `last used`.
    pub title: &'static str,
    /// Its name in JSON.
    pub field: &'static str,
    /// Where it stands.
    shown: Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// In every list.
    Always,
    /// In lists only with `-o wide`.
    Wide,
}

impl Column {
    pub(crate) const fn new(title: &'static str, field: &'static str) -> Self {
        Self { title, field, shown: Shown::Always }
    }

    pub(crate) const fn wide(title: &'static str, field: &'static str) -> Self {
        Self { title, field, shown: Shown::Wide }
    }
}

/// A list, with a line of titles.
pub(super) fn list(columns: &[Column], rows: &[Value], wide: bool) -> String {
    let shown: Vec<_> =
        columns.iter().filter(|column| wide || column.shown == Shown::Always).collect();
    let mut table = plain();
    table.set_header(shown.iter().map(|column| title(&column.title.to_uppercase())));
    for row in rows {
        table.add_row(shown.iter().map(|column| cell(row, column)));
    }
    lines(table)
}

/// One thing, a line for each field.
pub(super) fn fields(columns: &[Column], of: &Value) -> String {
    let mut table = plain();
    for column in columns {
        table.add_row([title(column.title), cell(of, column)]);
    }
    lines(table)
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

fn title(text: &str) -> Cell {
    Cell::new(text).add_attribute(Attribute::Bold)
}

fn cell(row: &Value, column: &Column) -> Cell {
    let text = printable(&field(row, column.field)).replace('\n', " ");
    let colour = colour(column.field, &text);
    let cell = Cell::new(text);
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

/// Of what one looks for at a glance.
fn colour(field: &str, text: &str) -> Option<Color> {
    match (field, text) {
        ("state", "active" | "ok" | "valid") => Some(Color::Green),
        ("state", "expired" | "warning") | ("suspended", "yes") => Some(Color::Yellow),
        ("state", "revoked" | "wrong") => Some(Color::Red),
        (_, "-") => Some(Color::DarkGrey),
        _ => None,
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    // What no terminal should see is taken out where it is printed.
    table.enforce_styling();
    table
}

fn lines(mut table: Table) -> String {
    // Two spaces between columns, none before the first.
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| trimmed(&line)).collect::<Vec<_>>().join("\n")
}

/// Without the blanks at its end, which stand before the end of a colour.
fn trimmed(line: &str) -> String {
    let mut text = line.trim_end();
    let mut end = String::new();
    while let Some(at) = text.rfind("\u{1b}[").filter(|_| text.ends_with('m')) {
        let (before, code) = text.split_at(at);
        // Not an end, but something coloured.
        if !matches!(code, "\u{1b}[0m" | "\u{1b}[39m") {
            break;
        }
        end.insert_str(0, code);
        text = before.trim_end();
    }
    format!("{text}{end}")
}
