//! Forward-auth as proxies speak it, in bytes, on a real listener.

mod answers;
mod bodies;
mod clients;
mod originals;
mod preflights;
mod routes;
mod verifier;
