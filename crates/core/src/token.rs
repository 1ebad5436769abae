//! The text of a bearer token, and the two things that are ever made of it.
//!
//! `prefix · 32 uniform base62 characters (190 bits) · 6 base62 characters of CRC-32`. The prefix
//! and the check let secret scanners and typing errors be recognised without a lookup; the check
//! protects nothing. [`Plain`] is the text and is shown once; [`Digest`] is its SHA-256 and is all
//! that is kept; [`Fingerprint`] is as much of that as memory needs.
//!
//! The digest is taken over the text as it stands, without decoding: with a prefix of at most
//! [`PREFIX_BYTES_MAX`] bytes the whole fits SHA-256's first block, which halves its cost.

use alloc::{boxed::Box, string::String};
use constant_time_eq::constant_time_eq_n;
use core::fmt;
use rand::{CryptoRng, RngExt, distr::Alphanumeric};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Random characters in a token: 32 · log2(62) = 190.5 bits.
pub const BODY_CHARS: usize = 32;
/// Characters of the check: 62^6 > 2^32.
pub const CHECK_CHARS: usize = 6;
/// SHA-256 pads at least nine bytes into its 64-byte block: 55 - 32 - 6.
pub const PREFIX_BYTES_MAX: usize = 17;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a kind of token starts with: `api_prod_`, `lmts_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenPrefix(Box<str>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token prefix has 2 to {PREFIX_BYTES_MAX} characters from a-z A-Z 0-9 _ - and ends in _ or -"
)]
pub struct PrefixError;

impl TokenPrefix {
    pub fn parse(text: &str) -> Result<Self, PrefixError> {
        let fits = (2..=PREFIX_BYTES_MAX).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits && clean && text.ends_with(['_', '-']) {
            Ok(Self(text.into()))
        } else {
            Err(PrefixError)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The secret text itself. It can be shown only through [`Plain::expose`], and is wiped when
/// dropped.
pub struct Plain(Zeroizing<String>);

impl Plain {
    /// A fresh token.
    pub fn random(prefix: &TokenPrefix, rng: &mut impl CryptoRng) -> Self {
        let mut text = String::with_capacity(prefix.0.len() + BODY_CHARS + CHECK_CHARS);
        text.push_str(&prefix.0);
        text.extend(rng.sample_iter(Alphanumeric).take(BODY_CHARS).map(char::from));
        let check = check_of(text.get(prefix.0.len()..).unwrap_or_default());
        text.extend(check.iter().copied().map(char::from));
        Self(Zeroizing::new(text))
    }

    /// A secret that was made elsewhere (an administrator's key file).
    pub fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain")
    }
}

/// SHA-256 of a token's text: what is stored and looked up. Equality takes constant time.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq_n(&self.0, &other.0)
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

/// Bytes of a [`Fingerprint`]: 144 bits. Whoever knows those of ten million tokens has to try 2^120
/// texts for one that is taken for any of them; NIST SP 800-57 asks for 2^112.
pub const FINGERPRINT_BYTES: usize = 18;

/// The beginning of a digest, by which memory knows a token. Equality takes constant time.
#[derive(Clone, Copy)]
#[repr(align(2))]
pub struct Fingerprint([u8; FINGERPRINT_BYTES]);

impl Fingerprint {
    pub const fn as_bytes(&self) -> &[u8; FINGERPRINT_BYTES] {
        &self.0
    }
}

impl From<&Digest> for Fingerprint {
    fn from(Digest([beginning @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _]): &Digest) -> Self {
        Self(*beginning)
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq_n(&self.0, &other.0)
    }
}

impl Eq for Fingerprint {}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}

/// What can be said of a text without a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// One of our prefixes, the right length and the right check.
    Whole,
    /// One of our prefixes, but cut short or mistyped.
    Damaged,
    /// None of our prefixes: somebody else's, or an imported one.
    Foreign,
}

/// Whether `text` looks like a token with one of `prefixes`. Says nothing about its being valid.
pub fn recognise<'a>(
    text: &str,
    prefixes: impl IntoIterator<Item = &'a TokenPrefix>,
) -> Recognised {
    // The longest prefix that fits is the one meant: `lmts_` must not claim `lmts_live_...`.
    let Some(prefix) = prefixes
        .into_iter()
        .filter(|prefix| text.starts_with(prefix.as_str()))
        .max_by_key(|prefix| prefix.as_str().len())
    else {
        return Recognised::Foreign;
    };
    let rest = text.get(prefix.as_str().len()..).unwrap_or_default();
    match (rest.get(..BODY_CHARS), rest.get(BODY_CHARS..)) {
        (Some(body), Some(check))
            if body.bytes().all(|b| b.is_ascii_alphanumeric())
                && check.as_bytes() == check_of(body).as_slice() =>
        {
            Recognised::Whole
        }
        _ => Recognised::Damaged,
    }
}

/// CRC-32 (IEEE 802.3) of the body in base62, most significant digit first.
fn check_of(body: &str) -> [u8; CHECK_CHARS] {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut check = [b'0'; CHECK_CHARS];
    for digit in check.iter_mut().rev() {
        *digit = BASE62.get(rest as usize % BASE62.len()).copied().unwrap_or(b'0');
        rest /= 62;
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec::Vec};
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};
    use rstest::rstest;

    /// Its CRC-32 is 0x56ee0708 (zlib), in base62 1ahSqu.
    const BODY: &str = "0123456789abcdefghijABCDEFGHIJ01";
    const WHOLE: &str = "api_prod_0123456789abcdefghijABCDEFGHIJ011ahSqu";

    fn prefixes(texts: &[&str]) -> Vec<TokenPrefix> {
        texts.iter().map(|text| TokenPrefix::parse(text).unwrap()).collect()
    }

    fn random(seed: u64) -> Plain {
        let prefix = TokenPrefix::parse("api_prod_").unwrap();
        Plain::random(&prefix, &mut StdRng::seed_from_u64(seed))
    }

    #[rstest]
    #[case::whole(WHOLE, Recognised::Whole)]
    #[case::cut_short(&WHOLE[..WHOLE.len() - 1], Recognised::Damaged)]
    #[case::nothing_but_prefix("api_prod_", Recognised::Damaged)]
    #[case::cut_prefix("api_prod", Recognised::Foreign)]
    #[case::other_case("API_PROD_", Recognised::Foreign)]
    #[case::blank_before(" api_prod_", Recognised::Foreign)]
    #[case::empty("", Recognised::Foreign)]
    #[case::somebody_elses("ghp_0123456789abcdefghijABCDEFGHIJ01", Recognised::Foreign)]
    #[case::multibyte_at_the_cut(
        "api_prod_0123456789abcdefghijABCDEFGHIJ0\u{e9}",
        Recognised::Damaged
    )]
    fn token_is_recognised(#[case] text: &str, #[case] expected: Recognised) {
        assert_eq!(recognise(text, &prefixes(&["api_prod_", "lmts_"])), expected);
    }

    #[test]
    fn check_of_a_wrong_alphabet_does_not_make_a_token_whole() {
        let body = "0123456789_bcdefghijABCDEFGHIJ01";
        let check = check_of(body).map(char::from);
        let text = format!("lmts_{body}{}", check.iter().collect::<String>());
        assert_eq!(recognise(&text, &prefixes(&["lmts_"])), Recognised::Damaged);
    }

    #[test]
    fn longest_prefix_claims_the_token_whatever_the_order() {
        let text = random(7).expose().replace("api_prod_", "lmts_live_");
        for order in [["lmts_", "lmts_live_"], ["lmts_live_", "lmts_"]] {
            assert_eq!(recognise(&text, &prefixes(&order)), Recognised::Whole);
        }
        assert_eq!(recognise(&text, &prefixes(&["lmts_"])), Recognised::Damaged);
        assert_eq!(recognise(&text, &prefixes(&[])), Recognised::Foreign);
    }

    #[test]
    fn check_is_the_crc_in_base62() {
        assert!(WHOLE.as_bytes().ends_with(&check_of(BODY)));
        // A body chosen for its small CRC (8326924): leading zeros stand.
        assert_eq!(&check_of("00000000000000000000000000000172"), b"00YwDE");
    }

    #[rstest]
    #[case::wizcommerce("api_prod_", true)]
    #[case::dash("a-", true)]
    #[case::at_max("abcdefghijklmnop_", true)]
    #[case::past_max("abcdefghijklmnopq_", false)]
    #[case::one_character("_", false)]
    #[case::no_end_mark("lmts", false)]
    #[case::dot("lm.ts_", false)]
    #[case::blank("lm ts_", false)]
    #[case::non_ascii("lmts\u{e9}_", false)]
    #[case::empty("", false)]
    fn prefix_is_checked(#[case] text: &str, #[case] good: bool) {
        assert_eq!(TokenPrefix::parse(text).is_ok(), good);
    }

    #[test]
    fn longest_token_fits_one_block_of_sha256() {
        let prefix = TokenPrefix::parse("abcdefghijklmnop_").unwrap();
        let plain = Plain::random(&prefix, &mut StdRng::seed_from_u64(1));
        assert_eq!(plain.expose().len(), 55);
    }

    #[test]
    fn digest_is_sha256_of_the_text() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let digest = Plain::from_text("abc").digest();
        let hex: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
        assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
        assert_ne!(Digest::of(b"abd"), digest);
    }

    #[test]
    fn fingerprint_is_the_beginning_of_the_digest() {
        let digest = Digest::of(b"abc");
        let fingerprint = Fingerprint::from(&digest);
        assert_eq!(fingerprint.as_bytes(), digest.as_bytes().first_chunk().unwrap());
        let mut last_bit = *digest.as_bytes();
        last_bit[FINGERPRINT_BYTES - 1] ^= 1;
        assert_ne!(Fingerprint::from(&Digest::from_bytes(last_bit)), fingerprint);
        let mut behind = *digest.as_bytes();
        behind[FINGERPRINT_BYTES] ^= 1;
        assert_eq!(Fingerprint::from(&Digest::from_bytes(behind)), fingerprint);
    }

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let plain = random(3);
        assert_eq!(format!("{plain:?}"), "Plain");
        assert_eq!(format!("{:?}", plain.digest()), "Digest");
        assert_eq!(format!("{:?}", Fingerprint::from(&plain.digest())), "Fingerprint");
    }

    proptest! {
        #[test]
        fn random_token_is_whole_and_uniformly_base62(seed: u64) {
            let text = random(seed).expose().to_string();
            let rest = text.strip_prefix("api_prod_").unwrap();
            prop_assert_eq!(rest.len(), BODY_CHARS + CHECK_CHARS);
            prop_assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric()));
            prop_assert_eq!(recognise(&text, &prefixes(&["api_prod_"])), Recognised::Whole);
            prop_assert_ne!(text, random(seed.wrapping_add(1)).expose().to_string());
        }

        /// CRC-32 sees every change within one byte, so this is certain and not merely likely.
        #[test]
        fn one_changed_character_is_damage(seed: u64, at in 9..47_usize, to in "[ -~]") {
            let mut text = random(seed).expose().to_string();
            prop_assume!(text[at..=at] != to);
            text.replace_range(at..=at, &to);
            prop_assert_eq!(recognise(&text, &prefixes(&["api_prod_"])), Recognised::Damaged);
        }

        #[test]
        fn any_text_after_a_prefix_is_read_without_panic(text in "(lmts_)?\\PC{0,60}") {
            let known = prefixes(&["lmts_"]);
            let foreign = recognise(&text, &known) == Recognised::Foreign;
            prop_assert_eq!(foreign, !text.starts_with("lmts_"));
        }
    }
}
