//! Sealing: how a signing secret rests in the database.
//!
//! A bearer token is kept as a digest, but the secret of a signing token is needed again to check a
//! signature, so it is encrypted. A stolen database is then worth nothing without the key file.
//! Three things are easy to get wrong. A ciphertext that is not bound to its place can be copied
//! over another row by whoever may write to the database, who then signs as that token's owner:
//! table, row and column are authenticated with it. A nonce that repeats breaks AES-GCM: each is
//! random, and at 96 bits one key is good for 2^32 secrets. And a lost key must not look like
//! damage: each sealed blob starts with the id of its key, so the error can say which one is
//! missing.
//!
//! Keys rotate by order: the first of the ring seals, all of them open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use rand::CryptoRng;
use rescind_core::Digest;
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// What a key's text starts with.
const KEY_TEXT_PREFIX: &str = "rescind-key-v1:";
/// AES-256.
const KEY_BYTES: usize = 32;
/// Enough of SHA-256 to tell an operator's keys apart.
const KEY_ID_BYTES: usize = 8;
/// GCM's nonce (NIST SP 800-38D §5.2.1.1).
const NONCE_BYTES: usize = 12;
/// First byte of a sealed blob: this layout, this cipher.
const LAYOUT: u8 = 1;
/// Separates these authenticated bytes from any other use of the key.
const DOMAIN: &[u8] = b"rescind-seal-v1";
/// Separates the key id from any other hash of the key.
const KEY_ID_DOMAIN: &[u8] = b"rescind-key-id-v1";

/// The keys that open sealed secrets; the first one seals. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing(Arc<[Key]>);

/// Names a key without revealing it: 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyId([u8; KEY_ID_BYTES]);

/// Where a sealed value stands. It opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) table: &'a str,
    pub(crate) row: &'a str,
    pub(crate) column: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    #[error("there is no sealing key")]
    Empty,
    #[error(
        "sealing key number {number} is not `{KEY_TEXT_PREFIX}` followed by {KEY_BYTES} bytes in base64"
    )]
    Malformed { number: usize },
    #[error("sealing key {key} is needed and not in the key ring")]
    Missing { key: KeyId },
    #[error("a sealed value is cut short or of an unknown layout")]
    Unreadable,
    #[error("a sealed value does not open with its key {key}: it was changed or moved")]
    Refused { key: KeyId },
    #[error("the cipher could not seal")]
    Cipher,
}

impl KeyRing {
    /// Reads keys as a key file has them, one text each, the sealing one first.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, KeyRingError> {
        let keys = texts
            .into_iter()
            .enumerate()
            .map(|(n, text)| Key::parse(text).ok_or(KeyRingError::Malformed { number: n + 1 }))
            .collect::<Result<Arc<[Key]>, _>>()?;
        if keys.is_empty() { Err(KeyRingError::Empty) } else { Ok(Self(keys)) }
    }

    /// No key at all: nothing can be sealed or opened, and trying to says so.
    pub fn none() -> Self {
        Self(Arc::new([]))
    }

    /// A fresh key as a line for a key file. Wiped when dropped.
    pub fn generate_text(rng: &mut impl CryptoRng) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill_bytes(&mut *bytes);
        let encoded = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        Zeroizing::new([KEY_TEXT_PREFIX, &encoded].concat())
    }

    /// The ids of all keys, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    /// `layout · key id · nonce · ciphertext · tag`.
    pub(crate) fn seal(&self, place: Place<'_>, secret: &[u8]) -> Result<Vec<u8>, KeyRingError> {
        let key = self.0.first().ok_or(KeyRingError::Empty)?;
        let mut boxed = Zeroizing::new(secret.to_vec());
        let (nonce, tag) = key
            .aead
            .seal_in_place_separate_tag(Aad::from(place.authenticated()), &mut boxed)
            .map_err(|_| KeyRingError::Cipher)?;
        Ok([&[LAYOUT], &key.id.0[..], nonce.as_ref(), &boxed, tag.as_ref()].concat())
    }

    pub(crate) fn open(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyRingError> {
        let (id, nonce, ciphertext) = split(sealed).ok_or(KeyRingError::Unreadable)?;
        let key = self.0.iter().find(|key| key.id == id);
        let key = key.ok_or(KeyRingError::Missing { key: id })?;
        let mut bytes = Zeroizing::new(ciphertext.to_vec());
        let length = key
            .aead
            .open_in_place(Nonce::from(nonce), Aad::from(place.authenticated()), &mut bytes)
            .map_err(|_| KeyRingError::Refused { key: id })?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

struct Key {
    id: KeyId,
    aead: RandomizedNonceKey,
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let encoded = text.trim().strip_prefix(KEY_TEXT_PREFIX)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        if bytes.len() != KEY_BYTES {
            return None;
        }
        let aead = RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()?;
        Some(Self { id: KeyId::of(&bytes)?, aead })
    }
}

impl KeyId {
    fn of(key: &[u8]) -> Option<Self> {
        let hashed = Zeroizing::new([KEY_ID_DOMAIN, key].concat());
        Digest::of(&hashed).as_bytes().first_chunk().copied().map(Self)
    }
}

impl Place<'_> {
    /// Each part is preceded by its length, so that no two places read alike.
    fn authenticated(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        for part in [self.table, self.row, self.column] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Key id, nonce and ciphertext with its tag.
fn split(sealed: &[u8]) -> Option<(KeyId, &[u8; NONCE_BYTES], &[u8])> {
    let (&[layout], rest) = sealed.split_first_chunk::<1>()?;
    let (id, rest) = rest.split_first_chunk::<KEY_ID_BYTES>()?;
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
    (layout == LAYOUT).then_some((KeyId(*id), nonce, ciphertext))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    const SECRET: &[u8] = b"thirty-two bytes that nobody sees";

    fn text(seed: u64) -> Zeroizing<String> {
        KeyRing::generate_text(&mut StdRng::seed_from_u64(seed))
    }

    fn ring(seeds: &[u64]) -> KeyRing {
        let texts: Vec<_> = seeds.iter().map(|seed| text(*seed)).collect();
        KeyRing::parse(texts.iter().map(|text| text.as_str())).unwrap()
    }

    fn row(row: &str) -> Place<'_> {
        Place { table: "tokens", row, column: "sealed_secret" }
    }

    #[test]
    fn sealed_secret_opens_in_its_own_place_only() {
        let ring = ring(&[1]);
        let sealed = ring.seal(row("a"), SECRET).unwrap();
        assert_eq!(*ring.open(row("a"), &sealed).unwrap(), SECRET);
        let key = ring.ids().next().unwrap();
        let elsewhere = [
            row("b"),
            Place { table: "owners", ..row("a") },
            Place { column: "label", ..row("a") },
            Place { table: "tokensa", row: "", column: "sealed_secret" },
        ];
        for place in elsewhere {
            assert_eq!(ring.open(place, &sealed), Err(KeyRingError::Refused { key }), "{place:?}");
        }
    }

    #[test]
    fn same_secret_is_never_sealed_to_the_same_bytes() {
        let ring = ring(&[1]);
        assert_ne!(ring.seal(row("a"), SECRET), ring.seal(row("a"), SECRET));
        let sealed = ring.seal(row("a"), SECRET).unwrap();
        assert!(!sealed.windows(8).any(|part| SECRET.windows(8).any(|plain| plain == part)));
    }

    #[test]
    fn missing_key_is_named() {
        let sealed = ring(&[1]).seal(row("a"), SECRET).unwrap();
        let key = ring(&[1]).ids().next().unwrap();
        let refused = ring(&[2]).open(row("a"), &sealed).unwrap_err();
        assert_eq!(refused, KeyRingError::Missing { key });
        assert!(refused.to_string().contains(&key.to_string()));
    }

    #[test]
    fn every_key_of_the_ring_opens_and_the_first_one_seals() {
        let old = ring(&[1]).seal(row("a"), SECRET).unwrap();
        let rotated = ring(&[2, 1]);
        assert_eq!(*rotated.open(row("a"), &old).unwrap(), SECRET);
        let new = rotated.seal(row("a"), SECRET).unwrap();
        assert_eq!(*ring(&[2]).open(row("a"), &new).unwrap(), SECRET);
    }

    #[test]
    fn changed_or_shortened_blob_does_not_open() {
        let ring = ring(&[1]);
        let sealed = ring.seal(row("a"), SECRET).unwrap();
        for end in 0..sealed.len() {
            assert!(ring.open(row("a"), &sealed[..end]).is_err(), "cut at {end}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(ring.open(row("a"), &changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn key_text_is_read_strictly() {
        let good = text(1);
        assert!(KeyRing::parse([good.as_str()]).is_ok());
        assert_eq!(KeyRing::parse([]).unwrap_err(), KeyRingError::Empty);
        let short = format!("{KEY_TEXT_PREFIX}{}", STANDARD.encode([0; 31]));
        let long = format!("{KEY_TEXT_PREFIX}{}", STANDARD.encode([0; 33]));
        for bad in ["", "rescind-key-v2:AAAA", &good[1..], &good[..good.len() - 1], &short, &long] {
            let refused = KeyRing::parse([good.as_str(), bad]).unwrap_err();
            assert_eq!(refused, KeyRingError::Malformed { number: 2 }, "{bad}");
            assert!(bad.is_empty() || !refused.to_string().contains(&bad[15..]));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", ring(&[1])), "KeyRing");
    }
}
