//! What is written down about a request: not what it carries.

use super::upstream::{Echo, says};
use super::wire::ask;
use super::world::{API_KEY, TOKEN, World, public, signed};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged in this thread, at every level, by us and by the libraries.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// In this thread, until it is dropped: the runtime of a test has no other.
    pub(crate) fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_secret_of_a_request_is_ever_logged() {
    let (log, _logging) = Log::begin();
    let echo = Echo::start().await;
    let world = World::before(echo.address).await;
    let signed = signed("POST", "/a?q=queried", b"in the body");
    let credentials = [
        format!("X-API-Key: {TOKEN}\r\n"),
        format!("Authorization: Bearer {API_KEY}\r\nCookie: a=cookie\r\n"),
        format!("X-API-Key: {TOKEN}\r\nX-API-Key: {TOKEN}\r\n"),
        "X-API-Key: api_test_Unknown\r\nidentity: Bearer cookie\r\n".into(),
        signed.clone(),
    ];
    let mut config = super::world::config(says("gibberish").await);
    config.routes = vec![public("/public")];
    let broken = World::with(&config).await;
    for credential in &credentials {
        for world in [&world, &broken] {
            let head = format!("POST /a?q=queried HTTP/1.1\r\nHost: x\r\n{credential}");
            ask(world.address, format!("{head}Content-Length: 11\r\n\r\nin the body")).await;
        }
    }
    let log = log.text();
    assert!(
        log.contains("refused") && log.contains("upstream failed") && log.contains("/a"),
        "{log}"
    );
    let signature = signed.lines().last().unwrap().split_once(": ").unwrap().1;
    let secrets = [TOKEN, API_KEY, "Unknown", signature, "cookie", "queried", "in the body"];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
