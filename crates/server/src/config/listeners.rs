//! The three sockets, and what a connection may cost before it is served.

use super::{Config, Faults, SecretPath, duration};
use rescind_core::NetworkSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Most connections that may be configured; beyond it descriptors run out first.
pub(super) const CONNECTIONS_MAX: u32 = 1_000_000;
/// Longest time-out of any kind that may be configured: an hour of waiting is a hang.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// What each listener has: where it listens, and how long it waits for slow clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    pub listen: SocketAddr,
    pub connections_max: u32,
    pub header_timeout: Duration,
    pub body_timeout: Duration,
}

/// The listener for clients: both contracts, and the gateway for every other path.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Public {
    /// Address and port, as `127.0.0.1:8080` or `[::1]:8080`. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Most connections open at once; further ones wait unaccepted.
    pub connections_max: u32,
    /// How long a client may take to send a request's headers, and how long a connection may idle.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a body that is read whole may take, and how long a streamed one may pause.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// Proxies in front, as `10.0.0.0/8` or `2001:db8::7`: their `X-Forwarded-For` is believed, and
    /// the rightmost address in it that is none of theirs is the client. Name proxies only: where
    /// they name nobody else, the client is not known, and a token that is bound to networks is
    /// refused.
    pub trusted_proxies: Vec<String>,
}

/// The listener for proxies and services inside: verification and health.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    /// Address and port, as `127.0.0.1:8081` or `[::1]:8081`. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Most connections open at once; further ones wait unaccepted.
    pub connections_max: u32,
    /// How long a client may take to send a request's headers, and how long a connection may idle.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a body that is read whole may take, and how long a streamed one may pause.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// Proxies that may ask by forward-auth; everybody else is refused there. Their word about the
    /// request and its client is taken, as that of `public.trusted_proxies`.
    pub trusted_peers: Vec<String>,
    /// Whether forward-auth lets CORS preflights pass without a credential. Otherwise the proxy must
    /// answer them itself: no browser sends a credential with one.
    pub allow_preflight: bool,
    /// Whether forward-auth takes `X-Rescind-Min-Epoch`. Proxies pass it on from clients, which can
    /// then make a request of theirs wait for a second, and find out how many changes there were.
    pub allow_min_epoch: bool,
}

/// The listener for operators, authenticated from the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// Address and port, as `127.0.0.1:8082` or `[::1]:8082`. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Most connections open at once; further ones wait unaccepted.
    pub connections_max: u32,
    /// How long a client may take to send a request's headers, and how long a connection may idle.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub header_timeout: Duration,
    /// How long a body that is read whole may take, and how long a streamed one may pause.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub body_timeout: Duration,
    /// A file with the first operator's token (`rescind keygen admin-token` makes one). Each start
    /// makes it known; it is accepted until it is revoked, also when it stands here no more.
    pub bootstrap_token_file: Option<SecretPath>,
}

impl Listener {
    const fn on_loopback(port: u16) -> Self {
        Self {
            listen: SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            connections_max: 4096,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Public {
    fn default() -> Self {
        let Listener { listen, connections_max, header_timeout, body_timeout } =
            Listener::on_loopback(8080);
        let trusted_proxies = Vec::new();
        Self { listen, connections_max, header_timeout, body_timeout, trusted_proxies }
    }
}

impl Default for Verify {
    fn default() -> Self {
        let Listener { listen, connections_max, header_timeout, body_timeout } =
            Listener::on_loopback(8081);
        let trusted_peers = ["127.0.0.0/8", "::1"].map(Into::into).into();
        let (allow_preflight, allow_min_epoch) = (false, false);
        Self {
            listen,
            connections_max,
            header_timeout,
            body_timeout,
            trusted_peers,
            allow_preflight,
            allow_min_epoch,
        }
    }
}

impl Public {
    /// What it has in common with the others.
    pub fn listener(&self) -> Listener {
        let &Self { listen, connections_max, header_timeout, body_timeout, .. } = self;
        Listener { listen, connections_max, header_timeout, body_timeout }
    }
}

impl Verify {
    /// What it has in common with the others.
    pub fn listener(&self) -> Listener {
        let &Self { listen, connections_max, header_timeout, body_timeout, .. } = self;
        Listener { listen, connections_max, header_timeout, body_timeout }
    }
}

impl Admin {
    /// What it has in common with the others.
    pub fn listener(&self) -> Listener {
        let &Self { listen, connections_max, header_timeout, body_timeout, .. } = self;
        Listener { listen, connections_max, header_timeout, body_timeout }
    }
}

impl Default for Admin {
    fn default() -> Self {
        let Listener { listen, connections_max, header_timeout, body_timeout } =
            Listener::on_loopback(8082);
        let bootstrap_token_file = None;
        Self { listen, connections_max, header_timeout, body_timeout, bootstrap_token_file }
    }
}

pub(super) fn validate(config: &Config, faults: &mut Faults) {
    let listeners = [
        ("public", config.public.listener()),
        ("verify", config.verify.listener()),
        ("admin", config.admin.listener()),
    ];
    for (section, listener) in &listeners {
        if !(1..=CONNECTIONS_MAX).contains(&listener.connections_max) {
            let key = format!("{section}.connections_max");
            faults.add(key, format!("must be from 1 to {CONNECTIONS_MAX}"));
        }
        check_timeout(faults, format!("{section}.header_timeout"), listener.header_timeout);
        check_timeout(faults, format!("{section}.body_timeout"), listener.body_timeout);
    }
    let mut addresses = listeners.map(|(section, listener)| (section, listener.listen)).to_vec();
    addresses.extend(config.grpc.listen.map(|listen| ("grpc", listen)));
    addresses.extend(config.cluster.listen.map(|listen| ("cluster", listen)));
    check_apart(faults, &addresses);
    check_networks(faults, "public.trusted_proxies", &config.public.trusted_proxies);
    check_networks(faults, "verify.trusted_peers", &config.verify.trusted_peers);
    if let Some(path) = &config.admin.bootstrap_token_file {
        path.check(faults, "admin.bootstrap_token_file");
    }
}

fn check_apart(faults: &mut Faults, addresses: &[(&str, SocketAddr)]) {
    for (index, (section, listen)) in addresses.iter().enumerate() {
        let taken = |(_, other): &&(&str, SocketAddr)| other == listen;
        if let Some((other, _)) = addresses.iter().take(index).find(taken)
            && listen.port() != 0
        {
            faults.add(
                format!("{section}.listen"),
                format!("{listen} is already {other}.listen; give each its own port"),
            );
        }
    }
}

fn check_networks(faults: &mut Faults, key: &str, blocks: &[String]) {
    if let Err(fault) = NetworkSet::parse(blocks.iter().map(String::as_str)) {
        faults.add(key, fault.to_string());
    }
}

pub(super) fn check_timeout(faults: &mut Faults, key: impl Into<String>, value: Duration) {
    if value.is_zero() || value > TIMEOUT_MAX {
        let most = duration::in_words(TIMEOUT_MAX);
        faults.add(key, format!("must be longer than 0s and at most {most}"));
    }
}
