//! The reverse proxy: where verified requests go, and what each route asks for.

use super::{Faults, contracts::check_scopes, duration, listeners::check_timeout};
use rescind_core::target::unambiguous_path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, time::Duration};

/// Most routes; they are compared one by one.
const ROUTES_MAX: usize = 1024;
/// Most bytes of a signed body: it is held in memory before a byte goes upstream.
const SIGNED_BODY_BYTES_CEILING: u64 = 64 * 1024 * 1024;

/// The reverse proxy for every path that is not a contract's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gateway {
    /// The API behind it, as `http://127.0.0.1:3000`: scheme, host and port, no path. Without it
    /// there is no gateway.
    pub upstream: Option<String>,
    /// How long connecting to the upstream may take; then 504.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// How long the upstream may take to send its response's headers; then 504.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub response_timeout: Duration,
    /// Longest body of a signed request, which is read and verified as a whole first.
    pub signed_body_bytes_max: u64,
    /// Whether the upstream sees the client's `Host` rather than its own.
    pub preserve_host: bool,
    /// Protocols that a connection may be upgraded to; everything else stays HTTP.
    pub upgrades: Vec<String>,
    /// What is asked for where. The longest path that fits decides; without one, any valid token
    /// will do.
    pub routes: Vec<Route>,
}

/// What one part of the upstream asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// This path and everything below it: `/v1/orders` covers `/v1/orders/7`, not `/v1/ordersets`.
    pub path: String,
    /// Methods that it is about; all, if empty.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Scopes that a token must have, every one of them.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether requests pass without a token.
    #[serde(default)]
    pub public: bool,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            upstream: None,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(30),
            signed_body_bytes_max: 1024 * 1024,
            preserve_host: false,
            upgrades: vec!["websocket".into()],
            routes: Vec::new(),
        }
    }
}

impl Gateway {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if let Some(Err(message)) = self.upstream.as_deref().map(check_origin) {
            faults.add("gateway.upstream", message);
        }
        check_timeout(faults, "gateway.connect_timeout", self.connect_timeout);
        check_timeout(faults, "gateway.response_timeout", self.response_timeout);
        if !(1..=SIGNED_BODY_BYTES_CEILING).contains(&self.signed_body_bytes_max) {
            let message = format!("must be from 1 to {SIGNED_BODY_BYTES_CEILING} bytes");
            faults.add("gateway.signed_body_bytes_max", message);
        }
        if let Some(odd) = self.upgrades.iter().find(|name| !is_header_token(name)) {
            faults.add("gateway.upgrades", format!("`{odd}` is not a protocol name"));
        }
        if self.routes.len() > ROUTES_MAX {
            faults.add("gateway.routes", format!("at most {ROUTES_MAX}"));
        }
        self.validate_routes(faults);
    }

    fn validate_routes(&self, faults: &mut Faults) {
        let mut taken: HashMap<&str, Vec<(usize, &Route)>> = HashMap::new();
        for (index, route) in self.routes.iter().enumerate() {
            let key = format!("gateway.routes[{index}]");
            route.validate(&key, faults);
            let same_path = taken.entry(route.path.as_str()).or_default();
            if let Some((other, _)) = same_path.iter().find(|(_, other)| other.overlaps(route)) {
                let message = format!("gateway.routes[{other}] is already about this");
                faults.add(key, message);
            }
            same_path.push((index, route));
        }
    }
}

impl Route {
    fn validate(&self, key: &str, faults: &mut Faults) {
        if let Err(message) = check_route_path(&self.path) {
            faults.add(format!("{key}.path"), message);
        }
        if let Some(odd) = self.methods.iter().find(|name| !is_method(name)) {
            faults.add(format!("{key}.methods"), format!("`{odd}` is not a method (as GET, POST)"));
        }
        check_scopes(faults, format!("{key}.scopes"), &self.scopes);
        if self.public && !self.scopes.is_empty() {
            faults.add(key, "it is public and asks for scopes; only one of the two can be meant");
        }
    }

    /// Whether some method is covered by both. Their paths are the same.
    fn overlaps(&self, other: &Self) -> bool {
        self.methods.is_empty()
            || other.methods.is_empty()
            || self.methods.iter().any(|method| other.methods.contains(method))
    }
}

fn check_origin(text: &str) -> Result<(), &'static str> {
    let shape = "must be scheme, host and port, as http://127.0.0.1:3000";
    let uri: http::Uri = text.parse().map_err(|_| shape)?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(shape);
    }
    if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err("must not contain a user or password");
    }
    match uri.path_and_query().map_or("", |rest| rest.as_str()) {
        // The target goes upstream byte for byte as it was verified, so nothing can be put before
        // it.
        "" | "/" => Ok(()),
        _ => Err("must not have a path or query: targets are passed on unchanged"),
    }
}

/// Compared with decoded paths, so it is written decoded, and as a request could have it.
fn check_route_path(path: &str) -> Result<(), String> {
    if path.contains(['%', '?']) {
        return Err("must be a plain path, without % or ?".into());
    }
    if path.len() > 1 && path.ends_with('/') {
        return Err("must not end in /; it covers everything below it".into());
    }
    unambiguous_path(path).map(|_| ()).map_err(|fault| fault.to_string())
}

fn is_method(text: &str) -> bool {
    !text.bytes().any(|b| b.is_ascii_lowercase()) && http::Method::try_from(text).is_ok()
}

fn is_header_token(text: &str) -> bool {
    http::HeaderName::try_from(text).is_ok()
}
