//! Who a partner is, said by an issuer that the operator trusts: a JWT (RFC 7519), verified after
//! RFC 8725.
//!
//! The issuer is picked by the claim `iss` among those configured, the key by `kid` among that
//! issuer's own, and the algorithm by the *key*, never by the token: ES256 or EdDSA. Nothing in the
//! token says where keys come from (`jku`, `jwk`, `x5u`, `x5c` are not looked at). `exp`, `aud`,
//! `iss` and `sub` are required.

mod fetch;
mod keys;

pub use fetch::FetchError;
pub use keys::{KEYS_MAX, KeySet, KeySetError};

use super::causes;
use crate::config;
use fetch::Source;
use jsonwebtoken::{Validation, decode, decode_header, errors::ErrorKind};
use rescind_core::Timestamp;
use rescind_guard::Clock;
use serde::Deserialize;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Longest identity token that is looked at; with a list of linked accounts a real one has a few
/// KiB.
pub const IDENTITY_BYTES_MAX: usize = 8 * 1024;
/// Longest subject: what the store keeps of it.
pub const SUBJECT_CHARS_MAX: usize = 256;
/// How far an issuer's clock may run ahead of ours (`nbf`, `iat`). Expiry has no such grace.
const CLOCK_AHEAD_MILLIS: i64 = 30_000;

/// The trusted issuers.
pub struct Identity {
    issuers: Vec<Arc<Issuer>>,
    clock: Arc<dyn Clock>,
}

struct Issuer {
    name: String,
    audience: String,
    create_partners: bool,
    source: Source,
}

/// Somebody an issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    pub issuer: String,
    pub subject: String,
    /// The first wallet among the linked accounts, if the token has them.
    pub account: Option<String>,
    /// Whether somebody unknown may become a partner.
    pub may_create: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Whatever is wrong with it; said in the log, not to the caller.
    #[error("the identity token is not valid: {0}")]
    Refused(&'static str),
    /// No key set could be had from the issuer: an outage, not the caller's fault.
    #[error("the issuer's keys are not available")]
    Unavailable,
}

/// The claims that are read. `aud` is checked by the library, which takes a string or an array.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    /// Privy sends a JSON array as a string.
    linked_accounts: Option<String>,
}

#[derive(Deserialize)]
struct IssuerClaim {
    iss: String,
}

impl Identity {
    pub fn new(config: &config::Identity, clock: Arc<dyn Clock>) -> Result<Self, FetchError> {
        let issuers = config
            .issuers
            .iter()
            .map(|issuer| {
                Ok(Arc::new(Issuer {
                    name: issuer.issuer.clone(),
                    audience: issuer.audience.clone(),
                    create_partners: issuer.create_partners,
                    source: Source::new(issuer, Arc::clone(&clock))?,
                }))
            })
            .collect::<Result<_, FetchError>>()?;
        Ok(Self { issuers, clock })
    }

    /// The name of the first issuer: the one that is meant where none is named.
    pub fn default_issuer(&self) -> Option<&str> {
        self.issuers.first().map(|issuer| issuer.name.as_str())
    }

    /// Reads every issuer's keys again, as on SIGHUP, and says whether all could be had. Where they
    /// could not, the old ones stay.
    pub async fn refresh(&self) -> bool {
        let mut all = true;
        for issuer in &self.issuers {
            if let Err(error) = issuer.source.refresh().await {
                let (issuer, causes) = (&issuer.name, causes(&error));
                tracing::warn!(%issuer, %error, causes, "cannot read the issuer's keys");
                all = false;
            }
        }
        all
    }

    /// Keeps key sets fresh in the background, until the returned set is dropped.
    pub fn keep_fresh(&self) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for issuer in self.issuers.iter().cloned() {
            tasks.spawn(async move { issuer.source.keep_fresh(&issuer.name).await });
        }
        tasks
    }

    pub async fn identify(&self, token: &str) -> Result<Identified, IdentityError> {
        use IdentityError::Refused;
        if token.len() > IDENTITY_BYTES_MAX {
            return Err(Refused("too long"));
        }
        let header = decode_header(token).map_err(|_| Refused("not a JWT"))?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: what must be understood and is not makes the whole invalid.
            return Err(Refused("critical extensions"));
        }
        let IssuerClaim { iss } = jsonwebtoken::dangerous::insecure_decode_claims(token)
            .map_err(|_| Refused("claims cannot be read"))?;
        let mut last = Refused("unknown issuer");
        // One issuer may serve several audiences, each configured on its own.
        for issuer in &self.issuers {
            if issuer.name != iss {
                continue;
            }
            match issuer.verify(token, header.kid.as_deref()).await {
                Ok(claims) => return self.check_times(issuer, claims),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn check_times(&self, issuer: &Issuer, claims: Claims) -> Result<Identified, IdentityError> {
        use IdentityError::Refused;
        let now = self.clock.now();
        let seconds = |at: i64| Timestamp::from_millis(at.saturating_mul(1_000));
        if now >= seconds(claims.exp) {
            return Err(Refused("expired"));
        }
        let soon = now.plus_millis(CLOCK_AHEAD_MILLIS);
        if claims.nbf.is_some_and(|nbf| seconds(nbf) > soon) {
            return Err(Refused("not valid yet"));
        }
        if claims.iat.is_some_and(|iat| seconds(iat) > soon) {
            return Err(Refused("issued in the future"));
        }
        let printable = claims.sub.chars().all(|c| !c.is_control());
        if claims.sub.is_empty() || claims.sub.chars().count() > SUBJECT_CHARS_MAX || !printable {
            return Err(Refused("the subject is empty, too long or not printable"));
        }
        Ok(Identified {
            issuer: claims.iss,
            subject: claims.sub,
            account: claims.linked_accounts.as_deref().and_then(first_wallet),
            may_create: issuer.create_partners,
        })
    }
}

impl Issuer {
    async fn verify(&self, token: &str, kid: Option<&str>) -> Result<Claims, IdentityError> {
        let key = self.source.key(kid).await?.ok_or(IdentityError::Refused("unknown key"))?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.name]);
        // By our own clock, below: this one would read the machine's, with a minute's grace.
        validation.validate_exp = false;
        let verified = decode::<Claims>(token, &key.decoding, &validation);
        verified
            .map(|token| token.claims)
            .map_err(|error| IdentityError::Refused(why(error.kind())))
    }
}

fn why(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "the signature does not match",
        ErrorKind::InvalidIssuer => "wrong issuer",
        ErrorKind::InvalidAudience => "wrong audience",
        ErrorKind::MissingRequiredClaim(_) => "a required claim is missing",
        ErrorKind::InvalidAlgorithm => "wrong algorithm",
        _ => "not a JWT that can be verified",
    }
}

/// `[{"type":"wallet","address":"0x…"}, …]`, as a string.
fn first_wallet(linked_accounts: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Linked {
        r#type: String,
        address: Option<String>,
    }
    let accounts: Vec<Linked> = serde_json::from_str(linked_accounts).ok()?;
    let is_address = |text: &String| {
        text.len() == 42
            && text.starts_with("0x")
            && text.bytes().skip(2).all(|b| b.is_ascii_hexdigit())
    };
    accounts
        .into_iter()
        .filter(|one| one.r#type == "wallet")
        .find_map(|one| one.address.filter(is_address))
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|issuer| &issuer.name)).finish()
    }
}
