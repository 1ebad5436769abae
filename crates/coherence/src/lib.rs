//! Who may still say "valid".
//!
//! # The promise
//!
//! **P.** A verification that is invoked after a revocation was answered is refused, on every node,
//! for ever. **P′**, which is stronger and holds as well: no accept is *decided* after the answer.
//! And so that it is worth something: a revocation *is* answered within a lease and its margins,
//! whatever other nodes do.
//!
//! Every node verifies from its own memory, so the write pays: a node answers only while it holds
//! a short lease, and a revocation waits until each node has applied it or can hold no lease any
//! more (Gray and Cheriton, 1989).
//!
//! # What is assumed
//!
//! Each node's boot clock (it counts suspend) gains or loses no more than ρ = 0.5 % over a lease;
//! readings and the last steps of a decision take less than ε = 250 ms; the primary loses no commit
//! that it acknowledged; nobody lies. Nothing else: crashes, pauses of any length, partitions, wall
//! clocks that step, notifications lost, late and twice, and failover to a synchronous standby are
//! survived.
//!
//! # Where what is decided
//!
//! | Question | File |
//! | --- | --- |
//! | What is the longest that a revoked token can be accepted? | `timing.rs`: [`Timing::surely_over`] |
//! | When may a verification be answered? | `gate.rs`: [`Gate`] |
//! | How does a node get and keep its lease? | `node.rs`: [`Node`] |
//! | When may a revocation be answered? | `settling.rs`: [`Settler`] |
//! | How does a node verify that has no lease? | `rounds.rs`: [`Rounds`] |
//! | When is a node given up for dead? | `reaper.rs`: [`Reaper`] |
//! | Which history does a number belong to? | `position.rs`: [`Position`] |
//! | What breaks without which rule? | `rules.rs`: [`Rule`] |
//!
//! The machines are values: `step(event, now)` gives effects. They own no socket, no task, no clock
//! and no randomness, so `tests/it` drives the very code that ships: `model/full.rs` tries every
//! order of few steps, `simulation/seeds.rs` a random order of very many; and the `ablations.rs`
//! beside each shows that it would have found a missing rule.
//!
//! # One verification
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

extern crate alloc;

mod gate;
mod member;
pub mod node;
mod position;
mod reaper;
pub mod rounds;
mod rules;
pub mod settling;
pub mod timing;

pub use gate::{BootInstant, Gate, Proof, Standing, View};
pub use member::{Incarnation, Member, MemberRow, NodeId};
pub use node::{Alarm, Link, Node, Timeline};
pub use position::{Mark, Position};
pub use reaper::{DeadRow, Reaper};
pub use rounds::{Round, Rounds};
pub use rules::{Rule, Rules};
pub use settling::{Settled, Settler};
pub use timing::{LeaseOutOfRange, Timing};

/// The number of the last change to what nodes hold in memory: without gaps, in commit order.
pub type Epoch = u64;
