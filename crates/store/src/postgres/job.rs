//! One named transaction on its way through the writer: a body to run, and somebody who waits.

use super::{
    fault::{Fault, Stop},
    tx::Tx,
};
use crate::{
    StoreError,
    outage::{Outage, Reply},
};
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

/// What runs within a savepoint of its own.
pub(super) trait Body: Send {
    fn name(&self) -> &'static str;
    /// Whatever comes of it is kept until the batch is durable.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran>;
}

/// A job of any result, as the writer sees it.
pub(super) trait Job: Body {
    /// Answers the caller: with the kept result, or with what happened to the batch.
    fn answer(self: Box<Self>, outage: Option<Outage>);
}

/// How a body ended.
#[derive(Debug)]
pub(super) enum Ran {
    Done,
    /// By a rule; its savepoint is rolled back.
    Refused,
    Stopped(Fault),
}

/// A job, and where its answer will arrive.
pub(super) fn job<T, E, F>(
    name: &'static str,
    body: F,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<E>>> + Send + 'static,
{
    let (reply, answer) = Reply::new();
    (Box::new(Waiting { name, body: Some(body), reply }), answer)
}

struct Waiting<F, T, E> {
    name: &'static str,
    body: Option<F>,
    reply: Reply<T, E>,
}

impl<F, T, E> Body for Waiting<F, T, E>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<E>>> + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        Box::pin(async move {
            let Some(body) = self.body.take() else { return Ran::Refused };
            kept(&mut self.reply, body(tx).await)
        })
    }
}

/// Keeps what a body has come to, and says how it ended.
pub(super) fn kept<T, E>(reply: &mut Reply<T, E>, result: Result<T, Stop<E>>) -> Ran
where
    E: From<StoreError>,
{
    match result {
        Ok(value) => {
            reply.keep(Ok(value));
            Ran::Done
        }
        Err(Stop::Refused(refusal)) => {
            reply.keep(Err(refusal));
            Ran::Refused
        }
        Err(Stop::Fault(fault)) => Ran::Stopped(fault),
    }
}

impl<F, T, E> Job for Waiting<F, T, E>
where
    T: Send,
    E: From<StoreError> + Send,
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<T, Stop<E>>> + Send,
{
    fn answer(self: Box<Self>, outage: Option<Outage>) {
        self.reply.answer(outage);
    }
}
