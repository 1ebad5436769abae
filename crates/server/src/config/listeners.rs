//! The three sockets, and what a connection may cost before it is served.

use super::{Config, Faults, SecretPath, duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Most connections that may be configured; beyond it descriptors run out first.
const CONNECTIONS_MAX: u32 = 1_000_000;
/// Longest time-out of any kind that may be configured: an hour of waiting is a hang.
pub(super) const TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// Where one listener listens, and how long it waits for slow clients.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
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

pub(super) const fn public() -> Listener {
    Listener::on_loopback(8080)
}

pub(super) const fn verify() -> Listener {
    Listener::on_loopback(8081)
}

impl Admin {
    /// What it has in common with the other two.
    pub fn listener(&self) -> Listener {
        Listener {
            listen: self.listen,
            connections_max: self.connections_max,
            header_timeout: self.header_timeout,
            body_timeout: self.body_timeout,
        }
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
        ("public", config.public.clone()),
        ("verify", config.verify.clone()),
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
    for (index, (section, listener)) in listeners.iter().enumerate() {
        let taken = |other: &&(&str, Listener)| other.1.listen == listener.listen;
        if let Some((other, _)) = listeners.iter().take(index).find(taken)
            && listener.listen.port() != 0
        {
            faults.add(
                format!("{section}.listen"),
                format!("{} is already {other}.listen; give each its own port", listener.listen),
            );
        }
    }
    if let Some(path) = &config.admin.bootstrap_token_file {
        path.check(faults, "admin.bootstrap_token_file");
    }
}

pub(super) fn check_timeout(faults: &mut Faults, key: impl Into<String>, value: Duration) {
    if value.is_zero() || value > TIMEOUT_MAX {
        let most = duration::in_words(TIMEOUT_MAX);
        faults.add(key, format!("must be longer than 0s and at most {most}"));
    }
}
