//! A credential as it was sent: bounded and readable, and nothing more is known about it.

use crate::{
    Digest, TIMESTAMP_BYTES_MAX, Timestamp,
    signature::{Covers, Mac},
};

/// Longest bearer token that is looked at. Ours have at most 55 bytes; imported ones may be longer.
pub const BEARER_BYTES_MAX: usize = 512;
/// Longest token id in a signing header.
pub const KEY_ID_BYTES_MAX: usize = crate::ids::ID_BYTES_MAX;

/// The one credential of a request.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    Bearer(&'a str),
    Signed(SignedHeaders<'a>),
}

/// The three signing headers, readable.
#[derive(Clone, Copy)]
pub struct SignedHeaders<'a> {
    key_id: &'a str,
    /// As sent: the signature covers this text, not the instant.
    timestamp_text: &'a str,
    timestamp: Timestamp,
    mac: Mac,
    covers: Covers<'a>,
}

/// Why a credential cannot be read. A malformed one is refused; no other scheme is tried after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("more than one credential")]
    Several,
    #[error("the credential is empty")]
    Empty,
    #[error("the credential is too long")]
    TooLong,
    #[error("the credential has characters that no token has")]
    Characters,
    #[error("the Authorization scheme is not Bearer")]
    Scheme,
    #[error("a signed request needs all three signing headers")]
    Incomplete,
    #[error("the timestamp is not an ISO 8601 date and time with an offset")]
    Timestamp,
    #[error("the signature is not padded standard base64 of 32 bytes")]
    Signature,
    #[error("what the signature covers is not named as content-digest, or has no SHA-256 digest")]
    Covers,
}

impl<'a> Presented<'a> {
    /// Characters after RFC 6750 §2.1 (`b64token`); a comma, as in joined headers, is none of them.
    pub fn bearer(text: &'a str) -> Result<Self, Malformed> {
        match text.len() {
            0 => Err(Malformed::Empty),
            1..=BEARER_BYTES_MAX => {
                // All of them are looked at, for a branch at each takes three times as long.
                if text.bytes().fold(true, |good, byte| good & is_of_a_b64token(byte)) {
                    Ok(Self::Bearer(text))
                } else {
                    Err(Malformed::Characters)
                }
            }
            _ => Err(Malformed::TooLong),
        }
    }
}

const fn is_of_a_b64token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

impl<'a> SignedHeaders<'a> {
    pub fn parse(key_id: &'a str, timestamp: &'a str, signature: &str) -> Result<Self, Malformed> {
        if key_id.is_empty() {
            return Err(Malformed::Empty);
        }
        if key_id.len() > KEY_ID_BYTES_MAX || timestamp.len() > TIMESTAMP_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        if !key_id.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
            return Err(Malformed::Characters);
        }
        Ok(Self {
            key_id,
            timestamp_text: timestamp,
            timestamp: Timestamp::parse(timestamp).map_err(|_| Malformed::Timestamp)?,
            mac: Mac::parse(signature).ok_or(Malformed::Signature)?,
            covers: Covers::Body,
        })
    }

    /// The signature covers a `Content-Digest` in place of the body: its value as sent, and the
    /// SHA-256 in it.
    pub fn covering_digest(self, content_digest: &'a str, sha256: Digest) -> Self {
        Self { covers: Covers::Digest(content_digest, sha256), ..self }
    }

    pub fn key_id(&self) -> &'a str {
        self.key_id
    }

    /// Whether the body's digest is signed, in place of the body.
    pub fn covers_digest(&self) -> bool {
        matches!(self.covers, Covers::Digest(..))
    }

    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    pub(crate) fn timestamp_text(&self) -> &'a str {
        self.timestamp_text
    }

    pub(crate) fn covers(&self) -> Covers<'a> {
        self.covers
    }

    pub(crate) fn mac(&self) -> &Mac {
        &self.mac
    }
}

/// Prints which kind of credential it is, never the credential.
impl core::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Presented::Bearer",
            Self::Signed(_) => "Presented::Signed",
        })
    }
}

impl core::fmt::Debug for SignedHeaders<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SignedHeaders")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;
    use rstest::rstest;

    const TIME: &str = "2026-03-23T12:34:56.789Z";
    const MAC: &str = "oMeoGw/k9lOlgmdkx4Upqmm99pJ2pHBYkt1CRO5d6bk=";

    #[rstest]
    #[case::ours("api_prod_0123456789abcdefghijABCDEFGHIJ011ahSqu", None)]
    #[case::b64token("AZaz09-._~+/=", None)]
    #[case::empty("", Some(Malformed::Empty))]
    #[case::blank("a b", Some(Malformed::Characters))]
    #[case::blank_before(" a", Some(Malformed::Characters))]
    #[case::tab("a\t", Some(Malformed::Characters))]
    #[case::joined("a,b", Some(Malformed::Characters))]
    #[case::with_scheme("Bearer a", Some(Malformed::Characters))]
    #[case::quoted("\"a\"", Some(Malformed::Characters))]
    #[case::line_feed("a\n", Some(Malformed::Characters))]
    #[case::null("a\0", Some(Malformed::Characters))]
    #[case::non_ascii("t\u{f6}k", Some(Malformed::Characters))]
    fn bearer_text_is_checked(#[case] text: &str, #[case] fault: Option<Malformed>) {
        assert_eq!(Presented::bearer(text).err(), fault);
    }

    #[test]
    fn longest_bearer_is_taken_and_one_more_byte_is_not() {
        assert!(Presented::bearer(&"a".repeat(BEARER_BYTES_MAX)).is_ok());
        let past = "a".repeat(BEARER_BYTES_MAX + 1);
        assert_eq!(Presented::bearer(&past).err(), Some(Malformed::TooLong));
    }

    #[rstest]
    #[case::no_key("", TIME, MAC, Malformed::Empty)]
    #[case::no_time("k", "", MAC, Malformed::Timestamp)]
    #[case::no_signature("k", TIME, "", Malformed::Signature)]
    #[case::joined_key("k, k", TIME, MAC, Malformed::Characters)]
    #[case::key_with_comma("k,k", TIME, MAC, Malformed::Characters)]
    #[case::key_with_blank("k k", TIME, MAC, Malformed::Characters)]
    #[case::key_with_line_feed("k\n", TIME, MAC, Malformed::Characters)]
    #[case::non_ascii_key("k\u{e9}", TIME, MAC, Malformed::Characters)]
    #[case::time_without_offset("k", "2026-03-23T12:34:56.789", MAC, Malformed::Timestamp)]
    #[case::time_with_line_feed("k", "2026-03-23T12:34:56Z\n", MAC, Malformed::Timestamp)]
    #[case::unpadded("k", TIME, MAC.trim_end_matches('='), Malformed::Signature)]
    fn unreadable_signing_headers_are_refused(
        #[case] key: &str,
        #[case] time: &str,
        #[case] mac: &str,
        #[case] fault: Malformed,
    ) {
        assert_eq!(SignedHeaders::parse(key, time, mac).err(), Some(fault));
    }

    #[test]
    fn longest_signing_headers_are_taken_and_one_more_byte_is_not() {
        let fault = |key: usize, time: usize| {
            let time = format!("2026-03-23T12:34:56.{}Z", "7".repeat(time - 21));
            SignedHeaders::parse(&"k".repeat(key), &time, MAC).err()
        };
        assert_eq!(fault(KEY_ID_BYTES_MAX, TIMESTAMP_BYTES_MAX), None);
        assert_eq!(fault(KEY_ID_BYTES_MAX + 1, 24), Some(Malformed::TooLong));
        assert_eq!(fault(1, TIMESTAMP_BYTES_MAX + 1), Some(Malformed::TooLong));
    }

    #[test]
    fn signing_headers_are_kept_as_sent() {
        let signed = SignedHeaders::parse("dGVzdC10b2tlbi0x=", TIME, MAC).unwrap();
        assert_eq!(signed.key_id(), "dGVzdC10b2tlbi0x=");
        assert_eq!(signed.timestamp_text(), TIME);
        assert_eq!(signed.timestamp(), Timestamp::parse(TIME).unwrap());
    }

    #[test]
    fn debug_shows_nothing_of_a_credential() {
        let bearer = Presented::bearer("SECRET").unwrap();
        let signed = SignedHeaders::parse("SECRET", TIME, MAC).unwrap();
        let shown = format!("{bearer:?} {:?} {signed:?}", Presented::Signed(signed));
        assert_eq!(shown, "Presented::Bearer Presented::Signed SignedHeaders");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(one in "\\PC{0,70}", two in "\\PC{0,70}") {
            prop_assert!(SignedHeaders::parse(&one, &two, &two).is_err());
            let accepted = Presented::bearer(&one).is_ok();
            let clean = one.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
            prop_assert_eq!(accepted, clean && !one.is_empty());
        }
    }
}
