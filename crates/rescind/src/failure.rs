//! How a command ends, and what is said when it does not end well: what is wrong, then what to do.

use std::process::ExitCode;

/// Exit codes are part of the interface: scripts branch on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or valid.
    Done = 0,
    /// Refused, denied, not found, not valid. The server is well.
    Refused = 1,
    /// The command was not understood, or lacks something.
    Usage = 2,
    /// There is no server, or it is not well. The same command may succeed later.
    Unreachable = 3,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub exit: Exit,
    pub message: String,
    /// What to do next.
    pub next: Option<String>,
}

impl Failure {
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, message: message.into(), next: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into(), next: None }
    }

    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, message: message.into(), next: None }
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What to do if nothing better is known.
    pub(crate) fn or_next(mut self, next: impl Into<String>) -> Self {
        self.next.get_or_insert_with(|| next.into());
        self
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
