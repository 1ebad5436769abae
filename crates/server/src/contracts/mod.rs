//! The wire contracts, one module each. A contract is names, shapes and statuses; what it does is in `service`.

pub mod limitless;
pub mod wizcommerce;
