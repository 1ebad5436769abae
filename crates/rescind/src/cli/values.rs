//! What a word on the command line may be. What is refused here is refused before anything is sent.

use rescind_core::{
    Digest, NetworkSet, OVERLAP_MAX, OwnerId, RevocationReason, Scope, ScopeSet, Timestamp,
    TokenKind,
};
use std::time::Duration;

/// Longest context name, in characters; it is typed again and again.
const CONTEXT_CHARS_MAX: usize = 64;
/// Longest idempotency key, in characters, as the server takes it.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Longest cursor, in characters: an id or a number.
const CURSOR_CHARS_MAX: usize = 128;

pub(super) fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

/// As the admin API's paths have it: an id, or `email:ADDRESS`.
pub(super) fn id_or_email(text: &str) -> Result<String, String> {
    if text.contains('@') {
        return Ok(format!("email:{text}"));
    }
    OwnerId::parse(text).map(|id| id.to_string()).map_err(|fault| fault.to_string())
}

pub(super) fn scopes(text: &str) -> Result<ScopeSet, String> {
    ScopeSet::parse(listed(text)).map_err(|fault| fault.to_string())
}

pub(super) fn scope(text: &str) -> Result<String, String> {
    Scope::parse(text).map(|_| text.to_owned()).map_err(|fault| fault.to_string())
}

pub(super) fn networks(text: &str) -> Result<NetworkSet, String> {
    NetworkSet::parse(listed(text)).map_err(|fault| fault.to_string())
}

pub(super) fn kind(text: &str) -> Result<TokenKind, String> {
    let names = || TokenKind::ALL.map(TokenKind::as_str).join(", ");
    TokenKind::parse(text).ok_or_else(|| format!("one of {}", names()))
}

pub(super) fn reason(text: &str) -> Result<RevocationReason, String> {
    let names = || RevocationReason::ALL.map(RevocationReason::as_str).join(", ");
    RevocationReason::parse(text).ok_or_else(|| format!("one of {}", names()))
}

pub(super) fn time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).map_err(|_| "times look like 2026-11-21T21:56:11Z, with their offset")
}

pub(super) fn lifetime(text: &str) -> Result<Duration, &'static str> {
    match duration(text)? {
        given if given.as_secs() > 0 => Ok(given),
        _ => Err("a token lives at least a second"),
    }
}

pub(super) fn overlap(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        given if given <= OVERLAP_MAX => Ok(given),
        _ => Err(format!("at most {}", humantime::format_duration(OVERLAP_MAX))),
    }
}

pub(super) fn context_name(text: &str) -> Result<String, String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let length = text.chars().count();
    if (1..=CONTEXT_CHARS_MAX).contains(&length) && text.chars().all(known) {
        return Ok(text.to_owned());
    }
    Err(format!("a name has 1 to {CONTEXT_CHARS_MAX} letters, digits, `-`, `_` or `.`"))
}

pub(super) fn problem_name(text: &str) -> Result<String, &'static str> {
    let name = text.rsplit(':').next().unwrap_or_default();
    let known = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    if !name.is_empty() && name.bytes().all(known) {
        return Ok(name.to_owned());
    }
    Err("a name looks like last-admin or urn:rescind:problem:last-admin")
}

pub(super) fn idempotency_key(text: &str) -> Result<String, String> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(format!("a key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters"))
}

pub(super) fn cursor(text: &str) -> Result<String, &'static str> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if (1..=CURSOR_CHARS_MAX).contains(&text.len()) && text.bytes().all(known) {
        return Ok(text.to_owned());
    }
    Err("an id or a number, as the end of a longer list says")
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2)?;
        // `from_str_radix` takes a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(Digest::from_bytes(bytes))
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| "durations look like 12h or 30d")
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}
