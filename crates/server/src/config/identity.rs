//! Who may say who a partner is: issuers of identity tokens (JWT).

use super::{Faults, duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::HashSet, net::IpAddr, path::PathBuf, time::Duration};

/// Most issuers; each is asked about in turn, and a list that grows past this is a directory.
const ISSUERS_MAX: usize = 64;
/// A key set that is fetched more often than this is an attack on its issuer.
const REFRESH_MIN: Duration = Duration::from_secs(10);
/// The longest that a withdrawn key is believed while its issuer answers.
const REFRESH_MAX: Duration = Duration::from_hours(24);

/// Who may say who a partner is, with signed identity tokens (JWT).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// Whose identity tokens are accepted; none, if empty.
    pub issuers: Vec<Issuer>,
}

/// One issuer of identity tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What the claim `iss` must be, exactly.
    pub issuer: String,
    /// What the claim `aud` must be or contain.
    pub audience: String,
    /// A file with the issuer's public keys (a JWK set). This or `jwks_url`.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// Where the issuer publishes its keys: https, or http on loopback. This or `jwks_file`.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// Whether somebody seen for the first time becomes a partner.
    #[serde(default = "yes")]
    pub create_partners: bool,
    /// How often the keys are read again.
    #[serde(default = "ten_minutes", with = "duration")]
    #[schemars(with = "String")]
    pub refresh: Duration,
}

const fn yes() -> bool {
    true
}

const fn ten_minutes() -> Duration {
    Duration::from_mins(10)
}

impl Identity {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if self.issuers.len() > ISSUERS_MAX {
            faults.add("identity.issuers", format!("at most {ISSUERS_MAX}"));
        }
        let mut seen = HashSet::new();
        for (index, issuer) in self.issuers.iter().enumerate() {
            let key = format!("identity.issuers[{index}]");
            issuer.validate(&key, faults);
            if !seen.insert((&issuer.issuer, &issuer.audience)) {
                faults.add(key, "an earlier entry has the same issuer and audience");
            }
        }
    }
}

impl Issuer {
    fn validate(&self, key: &str, faults: &mut Faults) {
        for (name, text) in [("issuer", &self.issuer), ("audience", &self.audience)] {
            if text.is_empty() {
                faults.add(format!("{key}.{name}"), "must not be empty");
            }
        }
        match (&self.jwks_file, &self.jwks_url) {
            (Some(_), None) => {}
            (None, Some(url)) => {
                if let Err(message) = check_jwks_url(url) {
                    faults.add(format!("{key}.jwks_url"), message);
                }
            }
            _ => faults.add(key, "give either jwks_file or jwks_url"),
        }
        if !(REFRESH_MIN..=REFRESH_MAX).contains(&self.refresh) {
            let (least, most) = (duration::in_words(REFRESH_MIN), duration::in_words(REFRESH_MAX));
            faults.add(format!("{key}.refresh"), format!("must be from {least} to {most}"));
        }
    }
}

/// Whoever can change the key set in transit can be anybody: plain http never leaves this machine.
fn check_jwks_url(url: &str) -> Result<(), &'static str> {
    let uri: http::Uri = url.parse().map_err(|_| "not a URL")?;
    let authority = uri.authority().ok_or("must be a whole URL, as https://issuer.example/keys")?;
    if authority.as_str().contains('@') {
        return Err("must not contain a user or password");
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(authority.host()) => Ok(()),
        Some("http") => Err("must be https; http is accepted on loopback only"),
        _ => Err("must be https"),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
