//! Request targets that mean one thing to everybody.
//!
//! A gateway decides by path and lets another program act on it. Where the two read a path
//! differently (`//admin`, `/a/../admin`, `%2e%2e`, `/admin;x`), a rule can be walked around. So
//! nothing is normalised: an ambiguous target is refused, and what was verified goes upstream byte
//! for byte.

use alloc::{borrow::Cow, string::String, vec::Vec};

/// Longest request target, in bytes; nginx's and Apache's usual limit.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    #[error("the target is not an absolute path")]
    NotAPath,
    #[error("the target is longer than {TARGET_BYTES_MAX} bytes")]
    TooLong,
    #[error("the path has an empty segment (//)")]
    EmptySegment,
    #[error("the path has a dot segment (. or ..)")]
    DotSegment,
    #[error("the path has a backslash, a semicolon, or an encoded slash, ? or #")]
    Separator,
    #[error("the path has a null or another control character")]
    Control,
    #[error("the target has a character that must be percent-encoded")]
    Character,
    #[error("the path has a broken percent-encoding")]
    Encoding,
}

/// The path of a raw request target, decoded once, if nobody can read it in two ways.
///
/// `/a/b?c` gives `/a/b`. A trailing slash is kept, and is part of the path.
pub fn unambiguous_path(target: &str) -> Result<Cow<'_, str>, TargetFault> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(TargetFault::TooLong);
    }
    if !target.starts_with('/') {
        return Err(TargetFault::NotAPath);
    }
    if let Some(odd) = target.bytes().find(|b| !b.is_ascii_graphic()) {
        return Err(if odd.is_ascii_control() {
            TargetFault::Control
        } else {
            TargetFault::Character
        });
    }
    if target.contains('#') {
        return Err(TargetFault::Character);
    }
    let raw = target.split_once('?').map_or(target, |(path, _)| path);
    let path = decode_once(raw)?;
    check_segments(&path)?;
    Ok(path)
}

fn check_segments(path: &str) -> Result<(), TargetFault> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let mut segments = inner.as_bytes().split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            // Only the last may be empty: `/` and a trailing slash.
            b"" if segments.peek().is_some() => return Err(TargetFault::EmptySegment),
            b"." | b".." => return Err(TargetFault::DotSegment),
            _ => {}
        }
    }
    Ok(())
}

/// Percent-decodes a path, refusing what would change its structure or be read twice.
fn decode_once(raw: &str) -> Result<Cow<'_, str>, TargetFault> {
    if raw.bytes().any(|b| b == b'\\' || b == b';') {
        return Err(TargetFault::Separator);
    }
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (&[high, low], tail) = rest.split_first_chunk().ok_or(TargetFault::Encoding)?;
        rest = tail;
        let value = hex(high).zip(hex(low)).map(|(high, low)| high << 4 | low);
        match value.ok_or(TargetFault::Encoding)? {
            // An encoded `?` or `#` ends the path for programs that decode before they split.
            b'/' | b'\\' | b';' | b'?' | b'#' => return Err(TargetFault::Separator),
            // A percent sign that was itself encoded is decoded again by careless programs behind
            // us.
            b'%' => return Err(TargetFault::Encoding),
            byte => decoded.push(byte),
        }
    }
    let path = String::from_utf8(decoded).map_err(|_| TargetFault::Encoding)?;
    if path.contains(char::is_control) { Err(TargetFault::Control) } else { Ok(Cow::Owned(path)) }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
