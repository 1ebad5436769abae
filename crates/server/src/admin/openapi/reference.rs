//! The document as Markdown, for people: each operation with what it takes and what it answers,
//! and then the shapes that they share.

use serde_json::{Map, Value};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Admin API reference

Made from the code, like `GET /v1/openapi.json`, which says the same to programs. How the API is to
be used is in [api-design.md](api-design.md).

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problems; `GET /v1/problems` explains
each. Besides those that are listed, any request may be answered with 400 or 417 if its head is at
fault, and with 405 if the path does not take its method.
";

pub(super) fn markdown(document: &Value) -> String {
    let mut out = String::from(INTRODUCTION);
    for tag in list(document, "tags") {
        let name = text(tag, "name");
        let _ = write!(out, "\n## {name}\n\n{}\n", text(tag, "description"));
        for (path, item) in entries(document.get("paths")) {
            for (method, operation) in entries(Some(item)) {
                if list(operation, "tags").any(|tag| tag == name) {
                    describe(&mut out, &method.to_uppercase(), path, operation);
                }
            }
        }
    }
    let schemas = document.pointer("/components/schemas");
    out.push_str("\n## Shapes\n");
    for (name, schema) in entries(schemas).filter(|(_, schema)| !is_value(schema)) {
        shape(&mut out, name, schema);
    }
    out.push_str("\n## Values\n\n| Name | In JSON | |\n| --- | --- | --- |\n");
    for (name, schema) in entries(schemas).filter(|(_, schema)| is_value(schema)) {
        let meaning = cell(text(schema, "description"));
        let _ = writeln!(
            out,
            "| <a id=\"{}\"></a>{name} | {} | {meaning} |",
            name.to_lowercase(),
            limits(schema)
        );
    }
    out
}

fn describe(out: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(out, "\n### {}\n\n`{method} {path}`\n", plain(text(operation, "summary")));
    let description = text(operation, "description");
    if !description.is_empty() {
        let _ = write!(out, "\n{description}\n");
    }
    let parameters: Vec<_> = list(operation, "parameters").collect();
    if !parameters.is_empty() {
        out.push_str("\n| Parameter | In | Type | |\n| --- | --- | --- | --- |\n");
    }
    for parameter in parameters {
        let (name, place) = (text(parameter, "name"), text(parameter, "in"));
        let shape = parameter.get("schema").map(type_of).unwrap_or_default();
        let meaning = cell(text(parameter, "description"));
        let _ = writeln!(out, "| `{name}` | {place} | {shape} | {meaning} |");
    }
    for (media_type, content) in entries(operation.pointer("/requestBody/content")) {
        let shape = content.get("schema").map(type_of).unwrap_or_default();
        let _ = write!(out, "\nBody: {shape}, `{media_type}`.\n");
    }
    answers(out, operation);
}

fn answers(out: &mut String, operation: &Value) {
    let mut errors = Vec::new();
    out.push_str("\n| Answer | | |\n| --- | --- | --- |\n");
    for (status, answer) in entries(operation.get("responses")) {
        let Some(description) = answer.get("description").and_then(Value::as_str) else {
            errors.push(format!("`{status}`"));
            continue;
        };
        let shapes: Vec<_> = entries(answer.get("content"))
            .filter_map(|(_, content)| content.get("schema").map(type_of))
            .collect();
        let _ = writeln!(out, "| `{status}` | {} | {} |", cell(description), shapes.join(", "));
    }
    if !errors.is_empty() {
        let _ = write!(out, "\nErrors as everywhere: {}.\n", errors.join(", "));
    }
}

fn shape(out: &mut String, name: &str, schema: &Value) {
    let _ = write!(out, "\n### {name}\n");
    let description = text(schema, "description");
    if !description.is_empty() {
        let _ = write!(out, "\n{description}\n");
    }
    let mut properties = entries(schema.get("properties")).peekable();
    if properties.peek().is_none() {
        let _ = write!(out, "\n{}.\n", type_of(schema));
        return;
    }
    out.push_str("\n| Field | Type | |\n| --- | --- | --- |\n");
    for (name, property) in properties {
        let needed = list(schema, "required").any(|needed| needed == name);
        let left_out = if needed { "" } else { ", may be left out" };
        let meaning = cell(text(property, "description"));
        let _ = writeln!(out, "| `{name}` | {}{left_out} | {meaning} |", type_of(property));
    }
}

/// What a schema takes, in a few words.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(|to| to.as_str()?.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(one) = schema.get("const") {
        return format!("`{one}`");
    }
    let alternatives: Vec<_> =
        ["oneOf", "anyOf", "allOf"].iter().flat_map(|key| list(schema, key)).map(type_of).collect();
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    let words: Vec<_> = list(schema, "enum").map(|word| format!("`{}`", said(word))).collect();
    if !words.is_empty() {
        return words.join(", ");
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", type_of(items));
    }
    match schema.get("type") {
        Some(Value::Array(names)) => names.iter().map(said).collect::<Vec<_>>().join(" or "),
        Some(name) => said(name),
        None => "anything".into(),
    }
}

/// Whether it is a single value, and not an object or one of several shapes.
fn is_value(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind != "object")
}

fn limits(schema: &Value) -> String {
    let mut said = vec![type_of(schema)];
    let rules = [
        ("format", ""),
        ("minLength", "at least "),
        ("maxLength", "at most "),
        ("minimum", "from "),
        ("maximum", "to "),
        ("maxItems", "at most "),
    ];
    for (key, words) in rules {
        said.extend(schema.get(key).map(|limit| format!("{words}{}", self::said(limit))));
    }
    said.extend(schema.get("pattern").map(|pattern| format!("`{}`", cell(&self::said(pattern)))));
    said.join(", ")
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

fn plain(summary: &str) -> &str {
    summary.trim_end_matches('.')
}

/// For a cell of a table, on one line.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}
