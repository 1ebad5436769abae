//! The pure rules of Rescind.
//!
//! Everything that decides lives here and can be read in an afternoon: what a token's text looks
//! like, which bytes a signature covers, which targets are ambiguous, what a record says, and the
//! one function, [`decide`], that every way of enforcement ends in.
//!
//! What is deliberately absent: I/O, async, clocks, randomness (both are arguments), logging and
//! JSON. The verified thing is a type: [`Presented`] is a claim, [`Authentic`] is a claim that
//! matched a record, [`Permitted`] has passed the decision. The latter two can be made only by the
//! functions that check.

#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod acting;
pub mod audit;
mod decision;
mod ids;
mod issuance;
mod narrowing;
mod network;
mod presented;
mod record;
mod rotation;
mod scope;
pub mod signature;
pub mod target;
mod time;
mod token;

pub use acting::{ActingDenial, ActingToken, LetIn};
pub use decision::{Authentic, Bounds, Demand, Denial, NotBefore, Permitted, decide, in_window};
pub use ids::{ID_BYTES_MAX, IdError, IdTail, OwnerId, TenantId, TokenId};
pub use issuance::{ACTIVE_TOKENS_MAX, IssueDenial, may_have_another, may_issue};
pub use narrowing::{TokenUpdate, Widening};
pub use network::{NETWORKS_MAX, Network, NetworkError, NetworkSet};
pub use presented::{BEARER_BYTES_MAX, KEY_ID_BYTES_MAX, Malformed, Presented, SignedHeaders};
pub use record::{
    Actor, Capabilities, Owner, OwnerKind, OwnerState, RevocationReason, Rotation, TokenKind,
    TokenRecord, TokenState,
};
pub use rotation::{OVERLAP_MAX, overlap_end, successor_end};
pub use scope::{SCOPE_BYTES_MAX, SCOPES_MAX, Scope, ScopeError, ScopeSet};
pub use time::{TIMESTAMP_BYTES_MAX, Timestamp, TimestampError};
pub use token::{
    BODY_CHARS, CHECK_CHARS, Digest, FINGERPRINT_BYTES, Fingerprint, PREFIX_BYTES_MAX, Plain,
    PrefixError, Recognised, TokenPrefix, recognise,
};
