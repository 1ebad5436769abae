//! Rescind as a server: use cases, the wire contracts it speaks, the gateway, and the admin API.
//!
//! A handler extracts, authorises, calls one function of [`service`] and maps its answer; no rule
//! is decided here that `rescind-core` could hold. Which line decides? `core::decide`, asked
//! through `rescind-guard`.

pub mod access;
pub mod admin;
pub mod config;
pub mod contracts;
pub mod forward_auth;
pub mod gateway;
pub mod grpc;
pub mod http;
pub mod inside;
pub mod public;
pub mod service;
pub mod verify;
