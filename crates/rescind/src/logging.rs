//! Logs go to standard error: JSON lines in production, text for people. `RESCIND_LOG` says more,
//! as in `RESCIND_LOG=rescind_server=debug`.
//!
//! No token, secret, signature, password or query string is ever given to a log line; the types
//! that hold them print their own name only.

use rescind_server::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

pub(crate) fn start(log: &Log) {
    let level = log.level.as_str();
    // refinery tells of each migration, also when there was nothing to do.
    let usual = format!("{level},refinery_core=warn");
    let filter = EnvFilter::try_from_env("RESCIND_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let is_terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).with_timer(SystemTime).try_init(),
        LogFormat::Text => {
            builder.with_ansi(is_terminal).with_target(false).without_time().try_init()
        }
    };
    // Only a second call fails, and the first one's choice stands.
    drop(started);
}
