//! Who may still say "valid".
//!
//! A node answers from memory only while it holds a lease, and only by the lease end that it read
//! *before* it looked anything up. [`Gate`] is the one place where that is asked; there is no
//! second path for a single node, whose lease simply never lapses.
//!
//! The naive way is a `valid` flag that a timer clears. A process that was paused wakes up with the
//! flag still set and serves before its timer runs. So nothing is kept by a timer: the end of the
//! lease is a number, and each verification compares it with the clock itself.
//!
//! Order within one verification: [`Gate::view`] first, then the look-up, then the decision, and
//! [`Gate::still_holds`] last. Data newer than the lease end is safe; data older than it is not.

#![no_std]

mod gate;

pub use gate::{BootInstant, Gate, Standing, View};
