//! What the end-to-end tests are made of: the real binary as a child process, sockets that send
//! exact bytes, a signer of its own, and a judge that reads what the clients saw.
//!
//! Nothing of Rescind's own code is used here, on purpose. The signer, the audit chain and the
//! HTTP reader are written a second time from the published contract, so that a mistake in the
//! product is not repeated, and thereby hidden, in its test.

#![expect(
    missing_debug_implementations,
    reason = "secrets pass through these types, and no test needs to print them"
)]
#![expect(clippy::indexing_slicing, reason = "a JSON object's missing field reads as null")]

pub mod admin;
pub mod audit;
pub mod clock;
pub mod credential;
pub mod faketime;
pub mod front;
pub mod judge;
pub mod link;
pub mod markdown;
pub mod nodes;
pub mod page;
pub mod postgres;
pub mod proxy;
pub mod python;
pub mod recorder;
pub mod server;
pub mod session;
pub mod several;
pub mod shown;
pub mod site;
pub mod strace;
pub mod upstream;
pub mod wire;
pub mod world;
