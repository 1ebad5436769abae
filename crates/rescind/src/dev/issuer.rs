//! The demo identity issuer: the part of a login service that our server sees.
//!
//! One P-256 key in `DIR/issuer.pem`, ES256, and a key set with its public half. Beside valid
//! tokens it makes each kind of bad one, so that refusals can be tried as easily.

use crate::{cli::IdentityKind, private_file};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use pem::Pem;
use rescind_core::Timestamp;
use serde::Serialize;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The claim `iss`; `.localhost` never leaves a machine (RFC 6761).
pub(crate) const ISSUER: &str = "https://issuer.rescind.localhost";
/// The claim `aud`.
pub(crate) const AUDIENCE: &str = "rescind-dev";

const KEY_FILE: &str = "issuer.pem";
/// How long a token lives.
const LIFETIME_SECONDS: i64 = 60 * 60;

/// Somebody who may say who a partner is.
pub(crate) struct Issuer {
    key: EncodingKey,
    public: Jwk,
    /// RFC 7638 thumbprint of the key.
    kid: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum IssuerError {
    #[error("there is no issuer key in {}", .0.display())]
    Missing(PathBuf),
    #[error("the issuer key {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not a P-256 key in PKCS#8: move it away, and a new one is made", .0.display())]
    Malformed(PathBuf),
    #[error("the identity token cannot be signed")]
    Signing,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
}

impl Issuer {
    /// The issuer of this directory; made if there is none. Two that start at once get the same.
    pub(crate) fn load_or_create(directory: &Path) -> Result<Self, IssuerError> {
        match Self::load(directory) {
            Err(IssuerError::Missing(path)) => {
                let pem = Zeroizing::new(pem::encode(&Pem::new("PRIVATE KEY", generate()?)));
                match private_file::create(&path, pem.as_bytes()) {
                    Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                        Err(IssuerError::File { path, source })
                    }
                    _ => Self::load(directory),
                }
            }
            loaded => loaded,
        }
    }

    pub(crate) fn load(directory: &Path) -> Result<Self, IssuerError> {
        let path = directory.join(KEY_FILE);
        let pem = match private_file::read(&path) {
            Ok(pem) => pem,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                return Err(IssuerError::Missing(path));
            }
            Err(source) => return Err(IssuerError::File { path, source }),
        };
        let key = EncodingKey::from_ec_pem(pem.as_bytes());
        key.and_then(Self::of_key).map_err(|_| IssuerError::Malformed(path))
    }

    /// The public half, as issuers publish it (RFC 7517).
    pub(crate) fn jwks_json(&self) -> String {
        let set = JwkSet { keys: vec![self.public.clone()] };
        serde_json::to_string(&set).unwrap_or_default()
    }

    /// An identity token about `subject`, valid for an hour or with the fault that `kind` names.
    pub(crate) fn sign(
        &self,
        subject: &str,
        kind: IdentityKind,
        now: Timestamp,
    ) -> Result<String, IssuerError> {
        let now = now.as_millis().div_euclid(1000);
        let iat = if kind == IdentityKind::Expired { now - 2 * LIFETIME_SECONDS } else { now };
        let claims = Claims {
            iss: if kind == IdentityKind::WrongIss { "https://other.localhost" } else { ISSUER },
            aud: if kind == IdentityKind::WrongAud { "another-app" } else { AUDIENCE },
            sub: subject,
            iat,
            exp: iat + LIFETIME_SECONDS,
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        // It claims to be ours: same `kid`, another key.
        let other = EncodingKey::from_ec_der(&generate()?);
        let key = if kind == IdentityKind::WrongKey { &other } else { &self.key };
        jsonwebtoken::encode(&header, &claims, key).map_err(|_| IssuerError::Signing)
    }

    fn of_key(key: EncodingKey) -> Result<Self, jsonwebtoken::errors::Error> {
        let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
        let kid = public.thumbprint(ThumbprintHash::SHA256)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { key, public, kid })
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A fresh key in PKCS#8.
fn generate() -> Result<Vec<u8>, IssuerError> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_| IssuerError::Signing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, errors::ErrorKind};
    use serde_json::Value;
    use std::os::unix::fs::PermissionsExt;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    /// What a server does that knows nothing but the key set.
    fn accept(jwks: &str, token: &str) -> Result<Value, ErrorKind> {
        let set: JwkSet = serde_json::from_str(jwks).unwrap();
        let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        // The clock is ours: lifetimes are looked at below.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Value>(token, &key, &rules);
        claims.map(|token| token.claims).map_err(|fault| fault.into_kind())
    }

    #[test]
    fn each_kind_has_exactly_its_fault() {
        let root = tempfile::tempdir().unwrap();
        let issuer = Issuer::load_or_create(root.path()).unwrap();
        let sign = |kind| accept(&issuer.jwks_json(), &issuer.sign("ada", kind, NOW).unwrap());
        let valid = sign(IdentityKind::Valid).unwrap();
        assert_eq!(valid["sub"], "ada");
        assert_eq!(valid["iat"], 1_790_000_000_i64);
        assert_eq!(valid["exp"], 1_790_003_600_i64);
        assert_eq!(sign(IdentityKind::Expired).unwrap()["exp"], 1_789_996_400_i64);
        assert_eq!(sign(IdentityKind::WrongAud).unwrap_err(), ErrorKind::InvalidAudience);
        assert_eq!(sign(IdentityKind::WrongIss).unwrap_err(), ErrorKind::InvalidIssuer);
        assert_eq!(sign(IdentityKind::WrongKey).unwrap_err(), ErrorKind::InvalidSignature);
    }

    #[test]
    fn the_key_is_private_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("data");
        assert!(matches!(Issuer::load(&directory), Err(IssuerError::Missing(_))));
        let issuer = Issuer::load_or_create(&directory).unwrap();
        let again = Issuer::load_or_create(&directory).unwrap();
        assert_eq!(issuer.jwks_json(), again.jwks_json());
        let about = std::fs::metadata(directory.join(KEY_FILE)).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
        assert!(!issuer.jwks_json().contains("\"d\""), "a private part is published");
    }

    #[test]
    fn a_damaged_key_is_said_to_be_damaged_and_not_replaced() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join(KEY_FILE);
        private_file::write(&file, b"-----BEGIN PRIVATE KEY-----\n").unwrap();
        let failed = Issuer::load_or_create(root.path());
        assert!(matches!(failed, Err(IssuerError::Malformed(_))), "{failed:?}");
        assert_eq!(private_file::read(&file).unwrap().as_str(), "-----BEGIN PRIVATE KEY-----\n");
    }
}
