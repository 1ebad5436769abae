//! The wire contracts, one module each. A contract is names, shapes and statuses; what it does is
//! in `service`.

mod achieved;
pub mod limitless;
pub mod wizcommerce;

use crate::service::Services;
use rescind_guard::credentials::CredentialHeaders;
use std::sync::Arc;

/// What the contracts' handlers share.
#[derive(Debug)]
pub struct Contracts {
    pub services: Arc<Services>,
    pub credentials: CredentialHeaders,
    /// Whether new legacy keys (`/auth/api-keys`) can be made.
    pub legacy_api_keys: bool,
}
