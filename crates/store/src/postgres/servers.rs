//! The servers that a connection text names, one of which takes writes.
//!
//! The driver tries them in turn, and waits for the first as long as for all of them once it is
//! connected. One that stands still is connected to all the same, by its kernel, and would hide the
//! living one behind it. So each is tried by itself, and within its time: first the one that was
//! found last.

use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio_postgres::{Config, config::Host};

#[derive(Clone)]
pub(super) struct Servers {
    first: Config,
    others: Arc<[Config]>,
    /// By its number.
    found: Arc<AtomicUsize>,
}

/// A server, and its number in the connection text.
pub(super) type Numbered<'a> = (usize, &'a Config);

impl Servers {
    pub(super) fn of(config: &Config) -> Self {
        let number = config.get_hosts().len().max(config.get_hostaddrs().len());
        let others = (1..number).map(|number| alone(config, number)).collect();
        Self { first: alone(config, 0), others, found: Arc::default() }
    }

    /// In the order in which they are to be tried: all but the last, and the last.
    pub(super) fn in_order(&self) -> (Vec<Numbered<'_>>, Numbered<'_>) {
        let mut order: Vec<_> = iter::once(&self.first).chain(&*self.others).enumerate().collect();
        let found = self.found.load(Ordering::Relaxed).min(self.others.len());
        order.rotate_left(found);
        let last = order.pop().unwrap_or((0, &self.first));
        (order, last)
    }

    pub(super) fn was_found(&self, number: usize) {
        self.found.store(number, Ordering::Relaxed);
    }

    /// As the connection text has it.
    pub(super) fn first(&self) -> &Config {
        &self.first
    }
}

/// Everything of it, but of the servers only this one.
fn alone(config: &Config, number: usize) -> Config {
    let mut alone = Config::new();
    alone
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle());
    config.get_user().map(|user| alone.user(user));
    config.get_password().map(|password| alone.password(password));
    config.get_dbname().map(|name| alone.dbname(name));
    config.get_options().map(|options| alone.options(options));
    config.get_application_name().map(|name| alone.application_name(name));
    config.get_connect_timeout().map(|&time| alone.connect_timeout(time));
    config.get_tcp_user_timeout().map(|&time| alone.tcp_user_timeout(time));
    config.get_keepalives_interval().map(|time| alone.keepalives_interval(time));
    config.get_keepalives_retries().map(|retries| alone.keepalives_retries(retries));
    match config.get_hosts().get(number) {
        Some(Host::Tcp(name)) => drop(alone.host(name)),
        Some(Host::Unix(path)) => drop(alone.host_path(path)),
        None => {}
    }
    config.get_hostaddrs().get(number).map(|&address| alone.hostaddr(address));
    let ports = config.get_ports();
    // One for all.
    ports.get(number).or(ports.first()).map(|&port| alone.port(port));
    alone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_tried_alone_and_the_one_that_was_found_first() {
        let text = "postgresql://ada:secret@one:1,two:2/tokens?sslmode=disable&connect_timeout=2";
        let servers = Servers::of(&text.parse().unwrap());
        let numbers = || {
            let (before, last) = servers.in_order();
            before.iter().chain([&last]).map(|(number, _)| *number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(), [0, 1]);
        servers.was_found(1);
        assert_eq!(numbers(), [1, 0]);
        let (before, last) = servers.in_order();
        for ((_, config), server) in [(before[0], "two:2"), (last, "one:1")] {
            let whole = text.replace("one:1,two:2", server);
            assert_eq!(*config, whole.parse().unwrap());
        }
    }

    #[test]
    fn one_port_is_that_of_all() {
        let servers = Servers::of(&"host=one,two port=7 dbname=tokens".parse().unwrap());
        let (before, (_, last)) = servers.in_order();
        assert_eq!(before.len(), 1);
        assert_eq!(last.get_ports(), [7]);
    }
}
