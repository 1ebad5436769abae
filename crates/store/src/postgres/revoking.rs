//! Revocations on their way through the writer: each by itself, or all that wait in one statement.
//!
//! Others hold up nobody's revocation but by their round trips, so those that wait together share
//! them. What each has come to is as if it had been made alone: an epoch, an entry in the log and in
//! the audit trail of its own.

use super::{
    actor,
    fault::Fault,
    job::{Body, Ran, kept},
    revocation::{self, Found, note},
    rows::{Columns, signed},
    tx::{Parameter, Tx},
};
use crate::{
    By, Epoch, Revocation, StoreError,
    outage::{Outage, Reply},
};
use futures_util::{future::BoxFuture, try_join};
use rescind_core::{Digest, OwnerId, TokenId};
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

/// All that wait. Whatever is out of the ordinary is left to be made alone: what is not there or is
/// over, what is an operator's, what is there twice; and everything if only one may not act.
pub(super) struct Together<'a>(pub(super) &'a mut [Revoking]);

/// They become visible at once, so the first of their epochs will do for all.
const END: &str = "UPDATE tokens SET revoked_at = asked.at, revoked_by = asked.actor,
         revocation_reason = asked.reason, sealed_secret = NULL, changed_at = $6
     FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
         AS asked (id, owner, at, actor, reason)
     WHERE tokens.id = asked.id AND (asked.owner IS NULL OR tokens.owner = asked.owner)
         AND tokens.revoked_at IS NULL AND tokens.kind <> 'admin'
     RETURNING tokens.id, tokens.digest";

type Ended = HashMap<TokenId, Option<Digest>>;

impl Body for Together<'_> {
    fn name(&self) -> &'static str {
        "revoke together"
    }

    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Ran> {
        Box::pin(async move {
            match self.check_and_end(tx).await {
                Ok((true, ended)) => {
                    self.keep(tx, ended);
                    Ran::Done
                }
                Ok((false, _)) => Ran::Refused,
                Err(fault) => Ran::Stopped(fault),
            }
        })
    }
}

impl Together<'_> {
    async fn check_and_end(&self, tx: &Tx) -> Result<(bool, Ended), Fault> {
        tx.ready([&actor::query(), END]).await?;
        let others = self.0.iter().filter(|one| !revocation::of_itself(&one.what, &one.by));
        try_join!(tx.all_may_act(others.map(|one| &one.by)), self.end(tx))
    }

    async fn end(&self, tx: &Tx) -> Result<Ended, Fault> {
        let all = || self.0.iter().map(|one| (&one.what, &one.by));
        let ids: Vec<_> = all().map(|(what, _)| what.id.as_str()).collect();
        let owners: Vec<_> =
            all().map(|(what, _)| what.owner.as_ref().map(OwnerId::as_str)).collect();
        let times: Vec<_> = all().map(|(_, by)| by.at.as_millis()).collect();
        let actors: Vec<_> = all().map(|(_, by)| by.actor.as_str()).collect();
        let reasons: Vec<_> = all().map(|(what, _)| what.reason.as_str()).collect();
        let epoch = signed(tx.next_epoch());
        let asked: [Parameter<'_>; 6] = [&ids, &owners, &times, &actors, &reasons, &epoch];
        let rows = tx.rows(END, &asked).await?;
        let ended = rows.iter().map(|row| {
            let mut columns = Columns::of(row);
            Ok((columns.token_id()?, columns.digest_or_null()?))
        });
        ended.collect()
    }

    fn keep(&mut self, tx: &mut Tx, mut ended: Ended) {
        for one in self.0.iter_mut() {
            let Some(digest) = ended.remove(&one.what.id) else { continue };
            note(tx, &one.what, digest, &one.by);
            one.reply.keep(Ok((Found::Active, tx.books.epoch)));
            one.done = true;
        }
    }
}
