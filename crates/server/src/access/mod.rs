//! Whether one HTTP request may pass (`rescind-access`), and who asks, told to the API behind us.
//!
//! Every way of enforcement makes an [`Original`], asks the [`Gatekeeper`], and words what it says
//! with [`Gatekeeper::problem`] and [`identity_headers`].

pub mod identity_headers;
pub mod min_epoch;

pub use min_epoch::MinEpochFault;
pub use rescind_access::{BodyFault, Gatekeeper, Original, Read, Refusal, Sight};
