//! The machines that ship, driven by a model checker (every order of few steps) and by a simulator
//! (a random order of very many).

#![cfg(test)]

mod growth;
#[cfg(feature = "ablation")]
mod model;
#[cfg(feature = "ablation")]
mod rounds;
mod simulation;
