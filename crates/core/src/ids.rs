//! Typed identifiers.
//!
//! Alphabet: `[A-Za-z0-9_-]` only. A wider one looks harmless, but HTTP clients disagree on how to
//! spell `=`, `:` or `@` in a path, and a signature over one spelling does not verify over another:
//! such a token could never be revoked by the client that made it.

use alloc::{boxed::Box, string::String};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use core::fmt;
use rand::{CryptoRng, RngExt, distr::Alphanumeric};

/// Longest id that is accepted, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// 16 uniform base62 characters: 95 bits, so ids cannot be guessed or collide.
const RANDOM_CHARS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {ID_BYTES_MAX} characters from A-Z a-z 0-9 _ -")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let fits = (1..=ID_BYTES_MAX).contains(&text.len());
                let clean = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                if fits && text.bytes().all(clean) { Ok(Self(text.into())) } else { Err(IdError) }
            }

            /// A fresh id: `prefix` (which must itself be made of id characters) and 95 random
            /// bits.
            pub fn random(prefix: &str, rng: &mut impl CryptoRng) -> Self {
                let mut text = String::with_capacity(prefix.len() + RANDOM_CHARS);
                text.push_str(prefix);
                text.extend(rng.sample_iter(Alphanumeric).take(RANDOM_CHARS).map(char::from));
                debug_assert!(Self::parse(&text).is_ok(), "the prefix has no id characters");
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// Names a token without being one: safe to show, log and list.
    TokenId
}
id! {
    /// Names whoever tokens are issued to.
    OwnerId
}
id! {
    /// Names the organisation that a user belongs to.
    TenantId
}

/// An id's last [`IdTail::CHARS`] characters in three quarters of the room: its alphabet is that of
/// base64url, so they are 96 bits, and each 96 bits are some such characters.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(align(4))]
pub struct IdTail([u8; 12]);

impl IdTail {
    /// As many as are random in an id that we made.
    pub const CHARS: usize = RANDOM_CHARS;
}

impl TokenId {
    /// What stands before the tail, and the tail. An id that is too short for one has none.
    pub fn split(&self) -> (&str, Option<IdTail>) {
        let whole = (self.as_str(), None);
        let at = self.0.len().checked_sub(IdTail::CHARS).and_then(|at| self.0.split_at_checked(at));
        let Some((start, end)) = at else { return whole };
        let mut tail = [0; 12];
        match URL_SAFE_NO_PAD.decode_slice(end, &mut tail) {
            Ok(12) => (start, Some(IdTail(tail))),
            _ => whole,
        }
    }

    /// The id that was split so.
    pub fn join(start: &str, tail: Option<IdTail>) -> Self {
        let mut text = String::with_capacity(start.len() + IdTail::CHARS);
        Self::write_joined(start, tail, &mut text);
        debug_assert!(Self::parse(&text).is_ok(), "not from an id");
        Self(text.into())
    }

    /// Writes the id that was split so to the end of `text`.
    pub fn write_joined(start: &str, tail: Option<IdTail>, text: &mut String) {
        text.push_str(start);
        if let Some(IdTail(tail)) = tail {
            // Into a `String`, the encoder goes by way of a buffer of a kibibyte.
            let mut chars = [0; IdTail::CHARS];
            let written = URL_SAFE_NO_PAD.encode_slice(tail, &mut chars);
            debug_assert_eq!(written, Ok(IdTail::CHARS), "four characters for three bytes");
            text.push_str(str::from_utf8(&chars).unwrap_or_default());
        }
    }
}

impl fmt::Debug for IdTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};
    use rstest::rstest;

    #[rstest]
    #[case::one_character("a", true)]
    #[case::whole_alphabet("ABCXYZabcxyz0189_-", true)]
    #[case::empty("", false)]
    #[case::blank("a b", false)]
    #[case::dot("a.b", false)]
    #[case::slash("a/b", false)]
    #[case::padding("YQ==", false)]
    #[case::percent("a%20b", false)]
    #[case::line_feed("a\n", false)]
    #[case::null("a\0", false)]
    #[case::non_ascii("\u{e9}", false)]
    #[case::colon("owner:1", false)]
    fn id_is_checked(#[case] text: &str, #[case] good: bool) {
        assert_eq!(TokenId::parse(text).is_ok(), good);
        assert_eq!(OwnerId::parse(text).is_ok(), good);
        assert_eq!(TenantId::parse(text).is_ok(), good);
    }

    #[test]
    fn longest_id_is_taken_and_one_more_character_is_not() {
        assert!(TokenId::parse(&"x".repeat(ID_BYTES_MAX)).is_ok());
        assert_eq!(TokenId::parse(&"x".repeat(ID_BYTES_MAX + 1)), Err(IdError));
    }

    #[rstest]
    #[case::ours("token_ABCDabcd01239-_x", "token_", true)]
    #[case::nothing_before("ABCDabcd01239-_x", "", true)]
    #[case::too_short("BCDabcd01239-_x", "BCDabcd01239-_x", false)]
    #[case::one_character("a", "a", false)]
    fn id_is_split_before_its_last_sixteen(
        #[case] text: &str,
        #[case] start: &str,
        #[case] has_tail: bool,
    ) {
        let id = TokenId::parse(text).unwrap();
        let (before, tail) = id.split();
        assert_eq!((before, tail.is_some()), (start, has_tail));
        assert_eq!(TokenId::join(before, tail), id);
    }

    #[test]
    fn id_prints_itself_and_its_type() {
        let id = TokenId::parse("tok_1").unwrap();
        assert_eq!(id.to_string(), "tok_1");
        assert_eq!(format!("{id:?}"), "TokenId(tok_1)");
    }

    proptest! {
        #[test]
        fn every_id_is_joined_as_it_was_split(text in "[A-Za-z0-9_-]{1,64}") {
            let id = TokenId::parse(&text).unwrap();
            let (start, tail) = id.split();
            prop_assert_eq!(tail.is_some(), text.len() >= IdTail::CHARS);
            prop_assert_eq!(TokenId::join(start, tail), id);
        }

        #[test]
        fn random_id_parses_back(seed: u64) {
            let id = TokenId::random("tok_", &mut StdRng::seed_from_u64(seed));
            prop_assert_eq!(id.as_str().len(), "tok_".len() + RANDOM_CHARS);
            prop_assert!(id.as_str().starts_with("tok_"));
            prop_assert_eq!(TokenId::parse(id.as_str()), Ok(id.clone()));
            let other = TokenId::random("tok_", &mut StdRng::seed_from_u64(seed ^ 1));
            prop_assert_ne!(id, other);
        }

        #[test]
        fn id_that_parses_needs_no_escaping_anywhere(text in "\\PC{0,70}") {
            if let Ok(id) = TokenId::parse(&text) {
                prop_assert_eq!(id.as_str(), text.as_str());
                let url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
                prop_assert!(text.bytes().all(url));
            }
        }
    }
}
