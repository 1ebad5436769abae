//! Envoy's gRPC: a real client against the real listener.

mod body;
mod bounds;
mod check;
mod envoy;
mod health;
mod house;
