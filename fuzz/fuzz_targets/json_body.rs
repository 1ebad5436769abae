//! What is said about a body that is not as expected never repeats what was in it: it may have been
//! a password.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_server::http::{BodyError, body::parse_json};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// Every kind of field that our own requests have, and then some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read counts")]
struct Strict {
    email: String,
    password: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    expires_in_seconds: Option<u64>,
    kind: Option<Kind>,
    nested: Option<Box<Strict>>,
    by_name: Option<HashMap<String, i8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Bearer,
    Signing,
}

/// As lenient as the contracts are.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read counts")]
struct Lenient {
    email: Option<String>,
    password: Option<String>,
}

/// A piece of a text, in bytes; a shorter one is in any message by accident.
const PIECE_BYTES: usize = 8;

/// Everything that messages are made of; a password that is one of these words stays one.
const OUR_WORDS: &str = "it ends too early; it is not well-formed JSON; \
    a field has the wrong type; missing field \"email\"; duplicate field \"email\"; \
    duplicate field \"password\"; duplicate field \"scopes\"; duplicate field \"kind\"; \
    duplicate field \"expires_in_seconds\"; duplicate field \"nested\"; \
    duplicate field \"by_name\"; expected one of `email`, `password`, `scopes`, \
    `expires_in_seconds`, `kind`, `nested`, `by_name`; expected `bearer` or `signing`; \
    expected a string; expected a sequence; expected u64; expected i8; expected a map; \
    expected struct Strict; expected struct Strict with 7 elements; expected struct Lenient; \
    expected struct Lenient with 2 elements; expected an object; expected an array; \
    expected string or map; expected unit; expected unit variant";

fuzz_target!(|data: &[u8]| {
    check(data, parse_json::<Strict>(data).err());
    check(data, parse_json::<Lenient>(data).err());
    check(data, parse_json::<Vec<Kind>>(data).err());
});

fn check(body: &[u8], error: Option<BodyError>) {
    let (Some(error), Ok(json)) = (error, serde_json::from_slice::<Value>(body)) else { return };
    let said = error.to_string();
    let (_, said) = said.split_once("expected: ").expect("it begins so");
    let (said, _) = said.rsplit_once(" (line ").expect("it ends so");
    let mut texts = Vec::new();
    collect(&json, &mut texts);
    let pieces = texts.iter().flat_map(|text| text.as_bytes().windows(PIECE_BYTES));
    for piece in pieces.filter_map(|piece| str::from_utf8(piece).ok()) {
        assert!(!said.contains(piece) || OUR_WORDS.contains(piece), "`{piece}` is in: {said}");
    }
}

/// Every string in it, keys too.
fn collect(json: &Value, texts: &mut Vec<String>) {
    match json {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            texts.push(name.clone());
            collect(value, texts);
        }),
        _ => {}
    }
}
