//! What only SQLite can get wrong.

#[cfg(unix)]
mod crash;
mod opening;
pub(crate) mod scene;
