//! The header fields of a request, in whatever they are held.

use http::{HeaderMap, HeaderName};

/// See the module's head. Names are compared without regard to case (RFC 9110 §5.1).
pub trait Fields {
    /// Each value of this name, as it was sent, in the order in which they came.
    fn values<'f>(&'f self, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'f [u8]>;

    /// Every name, as often as it stands there.
    fn names(&self) -> impl Iterator<Item = &str>;

    fn has(&self, name: &HeaderName) -> bool {
        self.values(name).next().is_some()
    }
}

impl Fields for HeaderMap {
    fn values<'f>(&'f self, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'f [u8]> {
        self.get_all(name).iter().map(http::HeaderValue::as_bytes)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name.as_str())
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.contains_key(name)
    }
}

/// A value that is all visible ASCII, blanks and tabs.
pub fn text(value: &[u8]) -> Option<&str> {
    if is_text(value) { std::str::from_utf8(value).ok() } else { None }
}

/// See [`text`]. It looks at each byte, whatever the one before was, which takes a CPU less time.
pub fn is_text(value: &[u8]) -> bool {
    value.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn text_is_what_a_header_value_takes_for_text() {
        for byte in 0..=u8::MAX {
            let bytes = [b'a', byte];
            let known = HeaderValue::from_bytes(&bytes).ok();
            let known = known.as_ref().and_then(|value| value.to_str().ok());
            assert_eq!(text(&bytes), known, "{byte}");
        }
    }
}
