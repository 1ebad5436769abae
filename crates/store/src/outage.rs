//! What went wrong in an engine, sorted by what may still be believed afterwards; and the way that
//! the outcome of a transaction takes to whoever waits for it.

use crate::StoreError;
use std::{error::Error, fmt, sync::Arc};
use tokio::sync::oneshot;

/// Why a transaction's body stops: a rule refused, or the store could not.
#[derive(Debug)]
pub(crate) enum Stop<E, F> {
    Refused(E),
    Fault(F),
}

/// A cause that many callers are told of at once.
#[derive(Clone, Debug)]
pub(crate) struct Cause(Arc<dyn Error + Send + Sync>);

/// What is left of the error of a job or of a whole batch.
#[derive(Clone, Debug)]
pub(crate) enum Outage {
    /// Nothing was changed.
    Unavailable(Cause),
    /// It may have been changed.
    Uncertain(Cause),
    /// Nothing that this process says can be trusted any more.
    Failed(Cause),
    Corrupt(String),
}

/// The result of a body, kept until the fate of its batch is known, and whoever waits for it.
#[derive(Debug)]
pub(crate) struct Reply<T, E> {
    result: Option<Result<T, E>>,
    sender: oneshot::Sender<Result<T, E>>,
}

impl Cause {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self(Arc::from(Box::<dyn Error + Send + Sync>::from(text.into())))
    }
}

impl Outage {
    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(Cause::text(why))
    }
}

impl<T, E: From<StoreError>> Reply<T, E> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (sender, answer) = oneshot::channel();
        (Self { result: None, sender }, answer)
    }

    pub(crate) fn keep(&mut self, result: Result<T, E>) {
        self.result = Some(result);
    }

    /// The kept result, or what happened to the batch.
    pub(crate) fn answer(self, outage: Option<Outage>) {
        let result = match (outage, self.result) {
            (Some(outage), _) => Err(StoreError::from(outage).into()),
            (None, Some(result)) => result,
            (None, None) => Err(StoreError::Unavailable(None).into()),
        };
        // A caller that has gone away changes nothing about what was done.
        let _ = self.sender.send(result);
    }
}

impl From<Outage> for StoreError {
    fn from(outage: Outage) -> Self {
        match outage {
            Outage::Unavailable(cause) => Self::Unavailable(Some(Box::new(cause))),
            Outage::Uncertain(cause) => Self::Uncertain(Some(Box::new(cause))),
            Outage::Failed(cause) => Self::Failed(Some(Box::new(cause))),
            Outage::Corrupt(what) => Self::Corrupt(what),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// An error with all its sources, on one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line = format!("{line}: {source}");
        next = source.source();
    }
    line
}
