//! Holds one layer against the known keys, before layers are merged: only then is it still known
//! who said what.

use super::{Fault, Faults, schema::Shape};
use ::config::{Value, ValueKind};

/// How alike two keys are, from 0 to 1, before one is offered for the other.
const ALIKE_MIN: f64 = 0.7;

/// Adds a fault for each unknown key and each value of the wrong kind, at `path` and below it.
pub(super) fn check(
    path: &str,
    value: &Value,
    shape: &Shape,
    known: &[String],
    origin: &str,
    faults: &mut Faults,
) {
    Check { known, origin, faults }.value(path, value, Some(shape));
}

/// "unknown key", with the known one that was probably meant.
pub(super) fn unknown(path: &str, known: &[String]) -> String {
    match nearest(path, known) {
        Some(meant) => format!("unknown key; did you mean `{meant}`?"),
        None => "unknown key".to_owned(),
    }
}

pub(super) fn nearest<'a>(path: &str, known: &'a [String]) -> Option<&'a str> {
    let alike = |known: &str| strsim::normalized_damerau_levenshtein(&without_indexes(path), known);
    let (best, likeness) = known
        .iter()
        .map(|known| (known.as_str(), alike(known)))
        .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    if likeness >= ALIKE_MIN {
        return Some(best);
    }
    // The right name in the wrong section: `upstream` for `gateway.upstream`.
    let mut same = known.iter().filter(|known| last_name(known) == last_name(path));
    same.next().filter(|_| same.next().is_none()).map(String::as_str)
}

struct Check<'a> {
    known: &'a [String],
    origin: &'a str,
    faults: &'a mut Faults,
}

impl Check<'_> {
    fn value(&mut self, path: &str, value: &Value, shape: Option<&Shape>) {
        match (&value.kind, shape) {
            (ValueKind::Table(table), Some(Shape::Section(keys))) => {
                for (name, value) in table {
                    self.value(&join(path, name), value, keys.get(name).map(|key| &key.shape));
                }
            }
            // Down to the leaves of an unknown section, so that each is named in full.
            (ValueKind::Table(table), None) if !table.is_empty() => {
                for (name, value) in table {
                    self.value(&join(path, name), value, None);
                }
            }
            (ValueKind::Array(list), Some(Shape::List(element))) => {
                for (index, value) in list.iter().enumerate() {
                    self.value(&format!("{path}[{index}]"), value, Some(element));
                }
            }
            (_, None) => self.fault(path, unknown(path, self.known)),
            (kind, Some(shape)) if !fits(kind, shape) => {
                self.fault(path, format!("expected {}", shape.name()));
            }
            _ => {}
        }
    }

    fn fault(&mut self, path: &str, message: String) {
        let origin = Some(self.origin.to_owned());
        self.faults.push(Fault { key: path.to_owned(), message, origin });
    }
}

/// Nothing is converted: `1.5` connections are not two, and `"no"` is not a switch.
fn fits(kind: &ValueKind, shape: &Shape) -> bool {
    match (shape, kind) {
        (Shape::Choice(choices), ValueKind::String(text)) => choices.contains(text),
        (Shape::Text, ValueKind::String(_))
        | (Shape::Integer, ValueKind::I64(0..))
        | (Shape::Switch, ValueKind::Boolean(_)) => true,
        _ => false,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `gateway.routes[2].pth` as `gateway.routes[].pth`, which is how known paths are spelt.
fn without_indexes(path: &str) -> String {
    path.chars()
        .fold((String::new(), false), |(mut out, inside), c| {
            let inside = (inside || c == '[') && c != ']';
            if !inside || c == '[' {
                out.push(c);
            }
            (out, inside)
        })
        .0
}

fn last_name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
