//! The reference of all keys as Markdown, generated, so that it cannot say anything else than the
//! code.

use super::{
    Config,
    schema::{self, Key, Shape},
};
use serde_json::Value as Json;
use std::{collections::BTreeMap, fmt::Write as _};

const HEAD: &str = "\
# Configuration

Generated from the code; do not edit. Each layer goes over the one before: defaults, the TOML file
given to `rescind serve --config FILE`, the environment, `--set key=value`.

The variable for `gateway.upstream` is `RESCIND_GATEWAY__UPSTREAM`: the prefix, then the key in
capitals with `__` for each dot. Lists are separated by commas there, or written as in TOML. Unknown
keys are refused wherever they stand. Durations look like `30s`, `10m` or `365d`. Secrets are never
values, only paths of files, or `credential:NAME` for a systemd credential.

`RESCIND_ADMIN_URL`, `RESCIND_ADMIN_TOKEN`, `RESCIND_LOG` and `RESCIND_CRASH_POINT` are no keys.
";

/// The reference as Markdown.
pub fn reference() -> String {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut out = HEAD.to_owned();
    if let Shape::Section(sections) = schema::shape() {
        for (name, section) in &sections {
            add_section(&mut out, name, section, defaults.get(name));
        }
    }
    out
}

fn add_section(out: &mut String, name: &str, section: &Key, defaults: Option<&Json>) {
    let Shape::Section(keys) = &section.shape else { return };
    let _ = write!(out, "\n## `[{name}]`\n\n{}\n", section.doc);
    add_table(out, name, keys, defaults);
    for (name_inside, key) in keys {
        if let Shape::List(element) = &key.shape
            && let Shape::Section(keys) = &**element
        {
            let path = format!("{name}.{name_inside}");
            let _ = write!(out, "\n### `[[{path}]]`\n\n{}\n", key.doc);
            add_table(out, &format!("{path}[]"), keys, None);
        }
    }
}

/// `defaults` are absent in lists: their elements' own are in the schema.
fn add_table(out: &mut String, path: &str, keys: &BTreeMap<String, Key>, defaults: Option<&Json>) {
    out.push_str("\n| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n");
    for (name, key) in keys {
        let default = defaults.map_or(key.default.as_ref(), |all| all.get(name));
        let default = default.map_or_else(|| "required".to_owned(), default_text);
        let value = value_text(&key.shape);
        let _ = writeln!(out, "| `{path}.{name}` | {value} | {default} | {} |", key.doc);
    }
}

fn value_text(shape: &Shape) -> String {
    match shape {
        Shape::List(element) => match **element {
            Shape::Section(_) => "sections".to_owned(),
            _ => "list of text".to_owned(),
        },
        other => other.name(),
    }
}

fn default_text(value: &Json) -> String {
    match value {
        Json::Null => "none".to_owned(),
        other => format!("`{other}`"),
    }
}
