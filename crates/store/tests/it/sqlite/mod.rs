//! What only SQLite can get wrong.

#[cfg(unix)]
mod crash;
mod opening;
mod publication;
pub(crate) mod scene;
mod upgrade;
