//! Revocations on their way through the writer: all that wait in one statement, and each by itself
//! that is out of the ordinary.
//!
//! Others hold up nobody's revocation but by their round trips, so those that wait together share
//! them, and begin with the transaction. What each has come to is as if it had been made alone: an
//! epoch, an entry in the log and in the audit trail of its own.

use super::{
    ablation::marking,
    actor,
    connection::Session,
    fault::Fault,
    job::{Body, Ran, kept},
    revocation::{self, Found, OfAnyKind, note},
    rows::Columns,
    tx::{Parameter, Tx},
};
use crate::{
    By, Epoch, Revocation, StoreError,
    outage::{Outage, Reply},
};
use futures_util::{future::BoxFuture, try_join};
use rescind_core::{Digest, OwnerId};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// One token's revocation, and whoever waits for it.
pub(super) struct Revoking {
    what: Revocation,
    by: By,
    reply: Reply<(Found, Epoch), StoreError>,
    done: bool,
}

/// Where the answer arrives: what was found, and the epoch to be settled.
pub(super) type Answer = oneshot::Receiver<Result<(Found, Epoch), StoreError>>;

impl Revoking {
    pub(super) fn new(what: Revocation, by: By) -> (Box<Self>, Answer) {
        let (reply, answer) = Reply::new();
        (Box::new(Self { what, by, reply, done: false }), answer)
    }

    /// Whether it was made together with others.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// With what it has come to, or with what happened to the batch.
    pub(super) fn answer(self, outage: Option<Outage>) {
        self.reply.answer(outage);
    }
}

impl Body for Revoking {
    fn name(&self) -> &'static str {
        "revoke"
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        Box::pin(async move {
            let found = revocation::revoke(tx, &self.what, &self.by).await;
            kept(&mut self.reply, found.map(|found| (found, tx.books.epoch)))
        })
    }
}

/// As [`revocation::END`], for several.
const END_SEVERAL: &str = "UPDATE tokens SET revoked_at = asked.at, revoked_by = asked.actor,
         revocation_reason = asked.reason, sealed_secret = NULL,
         changed_at = (SELECT n + 1 FROM epoch)
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) WITH ORDINALITY
         AS asked (id, owner, at, actor, reason, number)
     WHERE tokens.id = asked.id AND (asked.owner IS NULL OR tokens.owner = asked.owner)
         AND tokens.revoked_at IS NULL AND tokens.kind <> 'admin'
     RETURNING asked.number, tokens.digest";

/// By whose number a token was ended (from one, in their order), and the digest that it is found by.
/// Two may ask for the same token, and one of them for what is not his.
pub(super) type Ended = HashMap<u64, Option<Digest>>;

/// Before [`end_together`] is sent with others.
pub(super) async fn ready(session: &Session) -> Result<(), Fault> {
    session.ready([&actor::query(), &marking(revocation::END), &marking(END_SEVERAL)]).await
}

/// Ends all that wait, in one statement. Whatever is out of the ordinary is left to be made alone:
/// what is not there or is over, what is an operator's, what is there twice. `None` if only one may
/// not act: then this must be undone, and all is left.
pub(super) async fn end_together(
    session: &Session,
    all: &[Revoking],
) -> Result<Option<Ended>, Fault> {
    let others = all.iter().filter(|one| !revocation::of_itself(&one.what, &one.by));
    let may_act = session.all_may_act(others.map(|one| &one.by));
    let (all_may, ended) = try_join!(may_act, end(session, all))?;
    Ok(all_may.then_some(ended))
}

async fn end(session: &Session, all: &[Revoking]) -> Result<Ended, Fault> {
    let [one] = all else { return end_several(session, all).await };
    let ended = revocation::end(session, &one.what, &one.by, OfAnyKind(false)).await?;
    Ok(ended.map(|digest| (1, digest)).into_iter().collect())
}

async fn end_several(session: &Session, all: &[Revoking]) -> Result<Ended, Fault> {
    let all = || all.iter().map(|one| (&one.what, &one.by));
    let ids: Vec<_> = all().map(|(what, _)| what.id.as_str()).collect();
    let owners: Vec<_> = all().map(|(what, _)| what.owner.as_ref().map(OwnerId::as_str)).collect();
    let times: Vec<_> = all().map(|(_, by)| by.at.as_millis()).collect();
    let actors: Vec<_> = all().map(|(_, by)| by.actor.as_str()).collect();
    let reasons: Vec<_> = all().map(|(what, _)| what.reason.as_str()).collect();
    let asked: [Parameter<'_>; 5] = [&ids, &owners, &times, &actors, &reasons];
    let rows = session.rows(&marking(END_SEVERAL), &asked).await?;
    let ended = rows.iter().map(|row| {
        let mut columns = Columns::of(row);
        Ok((columns.count()?, columns.digest_or_null()?))
    });
    ended.collect()
}

/// Writes down what was ended together, each as if it had been made alone.
pub(super) fn keep(tx: &mut Tx, all: &mut [Revoking], mut ended: Ended) {
    for (number, one) in (1..).zip(all) {
        let Some(digest) = ended.remove(&number) else { continue };
        note(tx, &one.what, digest, &one.by);
        one.reply.keep(Ok((Found::Active, tx.books.epoch)));
        one.done = true;
    }
}
