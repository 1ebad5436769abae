//! An issuer's public keys (RFC 7517), those that can be used: P-256 for ES256, Ed25519 for EdDSA.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Most keys in a set; an issuer has two or three.
pub const KEYS_MAX: usize = 64;
/// Largest key set, in bytes.
pub(super) const KEY_SET_BYTES_MAX: usize = 64 * 1024;

/// A key and the one algorithm that it is for.
#[derive(Clone)]
pub struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    #[error("larger than {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    #[error("not a JWK set")]
    NotAKeySet,
    #[error("more than {KEYS_MAX} keys")]
    TooManyKeys,
    #[error("two keys have the same kid")]
    Ambiguous,
}

impl KeySet {
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        #[derive(Deserialize)]
        struct Raw {
            keys: Vec<serde_json::Value>,
        }
        if json.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let raw: Raw = serde_json::from_slice(json).map_err(|_| KeySetError::NotAKeySet)?;
        if raw.keys.len() > KEYS_MAX {
            return Err(KeySetError::TooManyKeys);
        }
        // A set may hold keys of kinds that we do not know: they are passed over (RFC 7517 §5).
        let keys: Vec<Key> = raw.keys.into_iter().filter_map(usable).collect();
        let mut ids: Vec<_> = keys.iter().map(|key| key.id.as_deref()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(KeySetError::Ambiguous);
        }
        // None at all is an answer: an issuer that withdraws its keys must be believed.
        Ok(Self(keys))
    }

    /// The key that `kid` names. A token without `kid` means the only key there is.
    pub fn find(&self, kid: Option<&str>) -> Option<Key> {
        match (kid, self.0.as_slice()) {
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == kid).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn usable(value: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let named = match jwk.common.key_algorithm {
        None => true,
        Some(KeyAlgorithm::ES256) => algorithm == Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => algorithm == Algorithm::EdDSA,
        Some(_) => false,
    };
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    (named && signs).then_some(Key { id: jwk.common.key_id, algorithm, decoding })
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:?}, {:?})", self.id, self.algorithm)
    }
}
