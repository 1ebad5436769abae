//! The wire contracts, and what their tokens look like.

use super::{Faults, duration};
use rescind_core::{ScopeSet, TokenPrefix};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest lifetime of a token; longer is "for ever" by another name.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_hours(10 * 365 * 24);
/// Longest prefix of the signing headers, in bytes.
const HEADER_PREFIX_BYTES_MAX: usize = 32;

/// What each kind of token starts with. No two may start alike.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Users' bearer tokens.
    pub bearer_prefix: String,
    /// Partners' bearer keys.
    pub api_key_prefix: String,
    /// Operators' tokens, for the admin listener only.
    pub admin_prefix: String,
}

/// The WizCommerce contract: `POST` and `DELETE /auth/token`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wizcommerce {
    /// Whether the contract's paths are served; otherwise they go to the upstream.
    pub enabled: bool,
    /// How long a token lives, at most ten years.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub token_lifetime: Duration,
    /// Scopes that every user's token carries.
    pub scopes: Vec<String>,
}

/// The Limitless Exchange contract: `/auth/api-tokens`, `/auth/api-keys`, and signed requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limitless {
    /// Whether the contract's paths are served; otherwise they go to the upstream.
    pub enabled: bool,
    /// The signing headers are `PREFIX-api-key`, `PREFIX-timestamp` and `PREFIX-signature`.
    pub header_prefix: String,
    /// Every scope that a token may have.
    pub scopes: Vec<String>,
    /// What a new partner is allowed, and what a token gets that asks for nothing.
    pub default_scopes: Vec<String>,
    /// Whether the older bearer keys (`/auth/api-keys`) can still be made.
    pub legacy_api_keys: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            bearer_prefix: "api_prod_".into(),
            api_key_prefix: "lmts_".into(),
            admin_prefix: "rescind_admin_".into(),
        }
    }
}

impl Default for Wizcommerce {
    fn default() -> Self {
        let token_lifetime = Duration::from_hours(365 * 24);
        Self { enabled: true, token_lifetime, scopes: Vec::new() }
    }
}

impl Default for Limitless {
    fn default() -> Self {
        let scopes = ["trading", "account_creation", "delegated_signing", "withdrawal"];
        Self {
            enabled: true,
            header_prefix: "lmts".into(),
            scopes: scopes.map(Into::into).into(),
            default_scopes: vec!["trading".into()],
            legacy_api_keys: true,
        }
    }
}

impl Tokens {
    pub(super) fn validate(&self, faults: &mut Faults) {
        let all = [
            ("tokens.bearer_prefix", &self.bearer_prefix),
            ("tokens.api_key_prefix", &self.api_key_prefix),
            ("tokens.admin_prefix", &self.admin_prefix),
        ];
        for (index, (key, prefix)) in all.iter().enumerate() {
            if let Err(fault) = TokenPrefix::parse(prefix) {
                faults.add(*key, fault.to_string());
            }
            // What a token is for is read from its prefix; two answers would be a guess.
            for (other, taken) in all.iter().take(index) {
                if prefix.starts_with(taken.as_str()) || taken.starts_with(prefix.as_str()) {
                    faults.add(*key, format!("`{prefix}` and `{taken}` ({other}) start alike"));
                }
            }
        }
    }
}

impl Wizcommerce {
    pub(super) fn validate(&self, faults: &mut Faults) {
        let lifetime = self.token_lifetime;
        if lifetime < Duration::from_secs(1) || lifetime > TOKEN_LIFETIME_MAX {
            let most = duration::in_words(TOKEN_LIFETIME_MAX);
            faults.add("wizcommerce.token_lifetime", format!("must be from 1s to {most}"));
        }
        check_scopes(faults, "wizcommerce.scopes", &self.scopes);
    }
}

impl Limitless {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if let Err(message) = check_header_prefix(&self.header_prefix) {
            faults.add("limitless.header_prefix", message);
        }
        let most = check_scopes(faults, "limitless.scopes", &self.scopes);
        let given = check_scopes(faults, "limitless.default_scopes", &self.default_scopes);
        if let (Some(most), Some(given)) = (most, given)
            && let Some(other) = given.iter().find(|scope| !most.contains(scope))
        {
            faults.add(
                "limitless.default_scopes",
                format!("`{other}` is not among limitless.scopes ({})", most.join(", ")),
            );
        }
    }
}

pub(super) fn check_scopes(
    faults: &mut Faults,
    key: impl Into<String>,
    names: &[String],
) -> Option<ScopeSet> {
    match ScopeSet::parse(names.iter().map(String::as_str)) {
        Ok(scopes) => Some(scopes),
        Err(fault) => {
            faults.add(key, fault.to_string());
            None
        }
    }
}

fn check_header_prefix(prefix: &str) -> Result<(), &'static str> {
    let fits = (1..=HEADER_PREFIX_BYTES_MAX).contains(&prefix.len());
    let clean = prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits || !clean || prefix.starts_with('-') || prefix.ends_with('-') {
        return Err("must be 1 to 32 characters a-z 0-9 -, without - at either end");
    }
    if prefix == "x" {
        return Err("`x` would make x-api-key, which already means a bearer token");
    }
    if prefix == "x-rescind" || prefix.starts_with("x-rescind-") {
        return Err("x-rescind-... are the identity headers, which clients may not send");
    }
    Ok(())
}
