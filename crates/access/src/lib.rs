//! Whether one HTTP request may pass: asked in every way of enforcement, and answered alike.
//!
//! The gateway and the library's layer have the request itself. Everybody else is only told of it,
//! by a proxy (forward-auth, Envoy's gRPC) or a service (`POST /v1/verify`), and often without its
//! body. The naive way gives each its own reading of paths, headers and bodies; then whoever is
//! refused on one way tries the next. So all of them make an [`Original`], ask the [`Gatekeeper`],
//! and word what it says with [`Gatekeeper::problem`].
//!
//! What it deliberately does not do: say which scopes a path asks for. The caller knows, and puts
//! them into the `Demand`, with where the request comes from ([`client_address`]).

#![warn(missing_docs)]

pub mod client_address;
mod gatekeeper;
mod original;
pub mod problem;
mod refusal;
mod signed_bodies;

pub use client_address::{ClientAddress, client_address};
pub use gatekeeper::{Gatekeeper, Read, Sight};
pub use original::Original;
pub use problem::{Problem, ProblemType};
pub use refusal::{BodyFault, Refusal};
