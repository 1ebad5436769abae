//! The smaller sections: where data lies, which keys seal it, how logins are held back, what is
//! logged.

use super::{Faults, SecretPath, duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Name of the database inside `store.path`.
const DATABASE_FILE: &str = "rescind.db";
/// Most keys in the ring: it is tried in order.
const KEY_FILES_MAX: usize = 16;
/// Most password checks at once; each takes 19 MiB.
const HASHES_AT_ONCE_MAX: u32 = 1024;
/// Longest queue before password checks. Whoever waits longer has given up.
const QUEUE_MAX: u32 = 1024;
/// Longest notice of a stop. Whoever waits for longer kills.
const NOTICE_MAX: Duration = Duration::from_mins(5);
/// Highest rate that may be configured, per minute; beyond it there is no limit to speak of.
const RATE_MAX: u32 = 1_000_000;

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Directory of the database. Exactly one server uses it at a time. Not used with
    /// `postgres.connection_file`.
    pub path: PathBuf,
}

/// Keys that seal signing secrets at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sealing {
    /// Key files (`rescind keygen sealing-key` makes one). The first seals, all open.
    pub key_files: Vec<SecretPath>,
}

/// How password logins are held back. Beyond a limit: 429 with `Retry-After`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Attempts per minute from one address.
    pub per_address_per_minute: u32,
    /// Attempts per minute for one e-mail address, whether it exists or not.
    pub per_email_per_minute: u32,
    /// Passwords checked at once; 0 is one for each core.
    pub hashes_at_once: u32,
    /// Logins that may wait for a check.
    pub queue: u32,
}

/// How the server stops when it is told to (SIGTERM, SIGINT).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long it goes on serving while `GET /readyz` and gRPC health say already that it stops:
    /// as long as load balancers take to notice. Then it takes no new connections, and lets requests
    /// in flight finish. From 0s to 5m.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub notice: Duration,
}

/// What is written to standard error. The variable `RESCIND_LOG` overrides the level in detail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// The least that is logged.
    pub level: LogLevel,
    /// One JSON object on each line, or text for people.
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    #[default]
    Json,
    Text,
}

impl Default for Store {
    fn default() -> Self {
        Self { path: "/var/lib/rescind".into() }
    }
}

impl Default for Login {
    fn default() -> Self {
        let (per_address_per_minute, per_email_per_minute) = (30, 10);
        Self { per_address_per_minute, per_email_per_minute, hashes_at_once: 0, queue: 16 }
    }
}

impl Store {
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE_FILE)
    }

    pub(super) fn validate(&self, faults: &mut Faults) {
        if self.path.as_os_str().is_empty() {
            faults.add("store.path", "must not be empty");
        }
    }
}

impl Sealing {
    pub(super) fn validate(&self, needed: bool, faults: &mut Faults) {
        if needed && self.key_files.is_empty() {
            faults.add(
                "sealing.key_files",
                "signing secrets are sealed at rest, and there is no key: make one with \
                 `rescind keygen sealing-key`, or set limitless.enabled = false",
            );
        }
        if self.key_files.len() > KEY_FILES_MAX {
            faults.add("sealing.key_files", format!("at most {KEY_FILES_MAX}"));
        }
        for (index, path) in self.key_files.iter().enumerate() {
            path.check(faults, &format!("sealing.key_files[{index}]"));
        }
    }
}

impl Login {
    pub(super) fn validate(&self, faults: &mut Faults) {
        let rates = [
            ("login.per_address_per_minute", self.per_address_per_minute),
            ("login.per_email_per_minute", self.per_email_per_minute),
        ];
        for (key, rate) in rates {
            if !(1..=RATE_MAX).contains(&rate) {
                faults.add(key, format!("must be from 1 to {RATE_MAX}"));
            }
        }
        if self.hashes_at_once > HASHES_AT_ONCE_MAX {
            faults.add("login.hashes_at_once", format!("must be from 0 to {HASHES_AT_ONCE_MAX}"));
        }
        if self.queue > QUEUE_MAX {
            faults.add("login.queue", format!("must be from 0 to {QUEUE_MAX}"));
        }
    }
}

impl Shutdown {
    pub(super) fn validate(&self, faults: &mut Faults) {
        if self.notice > NOTICE_MAX {
            faults.add("shutdown.notice", "must be from 0s to 5m");
        }
    }
}

impl LogLevel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
