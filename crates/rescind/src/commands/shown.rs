//! From what the server says to what is printed.

use crate::client::{Created, List};
use crate::output::{Answer, Column, Text, field};
use serde_json::{Value, json};

/// A list; the first column is what `-o id` prints.
pub(super) fn list_of(list: List, columns: &'static [Column]) -> Answer {
    let List { items, next } = list;
    let json = json!({"items": items, "next": next});
    let ids = columns.first().map(|id| items.iter().map(|item| field(item, id.field)).collect());
    let count = items.len();
    let answer = Answer { ids, ..Answer::new(json, Text::Table { columns, rows: items }) };
    match (count, next) {
        (0, None) => Answer { text: Text::Line(String::new()), ..answer.note("none") },
        (_, None) => answer,
        (_, Some(next)) => answer
            .note(format!("these are the first {count}; there are more"))
            .next(format!("go on with `--after {next}`")),
    }
}

/// One thing, with the id that its first column shows.
pub(super) fn one_of(item: Value, columns: &'static [Column]) -> Answer {
    let ids = columns.first().map(|id| vec![field(&item, id.field)]);
    Answer { ids, ..Answer::new(item.clone(), Text::Fields { columns, of: item }) }
}

/// One thing that was just made, or was made before with the same key.
pub(super) fn created_of(created: Created, columns: &'static [Column]) -> Answer {
    let Created { body, replayed, retried } = created;
    told(one_of(body, columns), replayed, retried)
}

/// Says how a creation went, if not straight ahead.
pub(super) fn told(answer: Answer, replayed: bool, retried: bool) -> Answer {
    match (replayed, retried) {
        (false, false) => answer,
        (_, true) => answer.note(
            "the first attempt was not answered; it was sent once more with the same \
             idempotency key, which makes it once",
        ),
        (true, false) => answer
            .note("this was done before with the same idempotency key; it is shown as it is now"),
    }
}

/// Adds what was given on the command line, and leaves the rest to the server.
pub(super) fn add(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
        body.insert(name.to_owned(), value.into());
    }
}

/// Adds a list, or null for "no bound".
pub(super) fn add_bound<T: ToString>(
    body: &mut Value,
    name: &str,
    items: Option<impl Iterator<Item = T>>,
    none: bool,
) {
    let list = items.map(|items| items.map(|item| item.to_string()).collect::<Vec<_>>());
    let value = if none { Some(Value::Null) } else { list.map(Value::from) };
    add(body, name, value);
}
