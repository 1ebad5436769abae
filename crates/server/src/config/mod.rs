//! Configuration: what an operator may say, and nothing that they did not mean.
//!
//! Four layers, each over the one before: defaults, a TOML file, the environment
//! (`RESCIND_GATEWAY__UPSTREAM` is `gateway.upstream`), flags. A key that nobody knows is refused
//! wherever it stands: a misspelt `acces_token_lifetime` that is silently ignored leaves a server
//! open that its operator believes closed. The same goes for a value of the wrong kind.
//!
//! The types below are the one description. Their JSON Schema, taken from the doc comments and
//! types, gives the known keys, the "did you mean" and the printed reference.
//!
//! Secrets are never values here, only paths of files (`SecretPath`): what cannot be
//! in the configuration cannot be in a backup, a diff or a log of it.

mod check;
mod cluster;
mod contracts;
mod duration;
mod fault;
mod gateway;
mod grpc;
mod identity;
mod listeners;
mod load;
mod reference;
mod schema;
mod secret;
mod sections;
#[cfg(test)]
mod tests;

pub use cluster::{Cluster, Durability, Postgres, Verification};
pub use contracts::{Limitless, TOKEN_LIFETIME_MAX, Tokens, Wizcommerce};
pub use fault::{ConfigError, Fault, Faults};
pub use gateway::{Gateway, Route};
pub use grpc::Grpc;
pub use identity::{Identity, Issuer};
pub use listeners::{Admin, Listener, Public, Verify};
pub use load::{NOT_CONFIGURATION, Sources, load};
pub use reference::reference;
pub use secret::{SECRET_FILE_BYTES_MAX, SecretError, SecretFault, SecretPath};
pub use sections::{Log, LogFormat, LogLevel, Login, Sealing, Shutdown, Store};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub public: Public,
    pub verify: Verify,
    pub admin: Admin,
    pub grpc: Grpc,
    pub store: Store,
    pub postgres: Postgres,
    pub cluster: Cluster,
    pub sealing: Sealing,
    pub tokens: Tokens,
    pub wizcommerce: Wizcommerce,
    pub limitless: Limitless,
    pub identity: Identity,
    pub gateway: Gateway,
    pub login: Login,
    pub shutdown: Shutdown,
    pub log: Log,
}

impl Config {
    /// Everything that types cannot say, with every fault at once.
    ///
    /// # Errors
    /// Each fault names its key.
    pub fn validate(&self) -> Result<(), Faults> {
        let mut faults = Faults::default();
        listeners::validate(self, &mut faults);
        self.grpc.validate(&mut faults);
        self.store.validate(&mut faults);
        self.postgres.validate(&mut faults);
        self.cluster.validate(self.postgres.connection_file.is_some(), &mut faults);
        self.sealing.validate(self.limitless.enabled, &mut faults);
        self.tokens.validate(&mut faults);
        self.wizcommerce.validate(&mut faults);
        self.limitless.validate(&mut faults);
        self.identity.validate(&mut faults);
        self.gateway.validate(&mut faults);
        self.login.validate(&mut faults);
        self.shutdown.validate(&mut faults);
        faults.into_result()
    }
}
