//! Transactions that take tokens back: one, all of a kind, or a set by a bound.

use super::{
    ablation::marking,
    actor,
    connection::Session,
    fault::{Fault, Stop},
    owners,
    rows::{Columns, signed},
    tokens,
    tx::{self, Tx},
};
use crate::{
    By, Change, OwnerError, Revocation, RevocationOfAll, SetRevocation, StoreError, TokenSet,
    mutation::token,
};
use futures_util::try_join;
use rescind_core::{
    Digest, OwnerId, RevocationReason, TenantId, Timestamp, TokenId, TokenKind, TokenRecord,
};

/// What a batch changes becomes visible at once, so the first of its epochs will do for all of it;
/// and the right to write, which is taken before this, keeps it from changing.
///
/// Without arrays: PostgreSQL plans those anew each time, which takes as long as the change.
pub(super) const END: &str =
    "UPDATE tokens SET revoked_at = $3, revoked_by = $4, revocation_reason = $5,
         sealed_secret = NULL, changed_at = (SELECT n + 1 FROM epoch)
     WHERE id = $1 AND ($2::text IS NULL OR owner = $2) AND revoked_at IS NULL
         AND (kind <> 'admin' OR $6)
     RETURNING digest";

/// What was found, before it is settled.
pub(super) enum Found {
    Active,
    Revoked(TokenRecord),
    Unknown,
}

/// Whose token it is, is part of the same conditional statement: there is no moment between the
/// check and the change, and another's token is answered like one that does not exist.
///
/// Checks and change are sent together, in this order: everybody's revocations wait for this one's
/// round trips. Whatever a check refuses is rolled back with the job.
pub(super) async fn revoke(
    tx: &mut Tx,
    what: &Revocation,
    by: &By,
) -> Result<Found, Stop<StoreError>> {
    tx.session.ready([&actor::query(), &tx::administered_before_end(), &marking(END)]).await?;
    let ((), administered, ended) = try_join!(
        async { if of_itself(what, by) { Ok(()) } else { tx.check_actor(by).await } },
        async { Ok(tx.administered_before_end(&what.id, by.at).await?) },
        async { Ok(end(&tx.session, what, by, OfAnyKind(true)).await?) },
    )?;
    let Some(digest) = ended else {
        let known = tokens::get(tx, &what.id).await?.map(|(record, _)| record);
        let owned = known.filter(|record| what.owner.as_ref().is_none_or(|id| record.owner == *id));
        return Ok(owned.map_or(Found::Unknown, Found::Revoked));
    };
    tx.require_administered(administered, by.at).await?;
    note(tx, what, digest, by);
    Ok(Found::Active)
}

/// Whoever has a token may always end it.
pub(super) fn of_itself(what: &Revocation, by: &By) -> bool {
    by.actor.token_id().as_ref() == Some(&what.id)
}

/// Within a rotation: the old token's end, for which the new one is the reason.
pub(super) async fn end_superseded(tx: &mut Tx, id: &TokenId, by: &By) -> Result<(), Fault> {
    let what = Revocation { id: id.clone(), owner: None, reason: RevocationReason::Superseded };
    if let Some(digest) = end(&tx.session, &what, by, OfAnyKind(true)).await? {
        note(tx, &what, digest, by);
    }
    Ok(())
}

pub(super) fn note(tx: &mut Tx, what: &Revocation, digest: Option<Digest>, by: &By) {
    let epoch = tx.raise_epoch("token", what.id.as_str(), what.reason.as_str(), by.at);
    tx.audit(by, "token.revoked", what.id.as_str(), &token::revocation(what, epoch));
    tx.tell_changed(Change::Revoked { id: what.id.clone(), digest });
}

/// One epoch and one audit entry, whatever the number.
pub(super) async fn revoke_all(
    tx: &mut Tx,
    what: &RevocationOfAll,
    by: &By,
) -> Result<usize, Stop<StoreError>> {
    let administered = tx.administered_until(what.kind == TokenKind::Admin, by.at).await?;
    let ended = end_all(tx, what, by).await?;
    if ended.is_empty() {
        return Ok(0);
    }
    tx.require_administered(administered, by.at).await?;
    let count = ended.len();
    let epoch = tx.raise_epoch("owner", what.owner.as_str(), what.reason.as_str(), by.at);
    let detail = token::revocation_of_all(what, count, epoch);
    tx.audit(by, "owner.tokens_revoked", what.owner.as_str(), &detail);
    ended.into_iter().for_each(|(id, digest)| tx.tell_changed(Change::Revoked { id, digest }));
    Ok(count)
}

/// One row, whatever the number of tokens. The bound of the level as it stands now.
pub(super) async fn revoke_set(
    tx: &mut Tx,
    what: &SetRevocation,
    by: &By,
) -> Result<Timestamp, Stop<OwnerError>> {
    let start = tx.bound(what.issued_before, by.at).await?;
    // No other set has a token of an operator of no tenant.
    let concerned = matches!(what.set, TokenSet::Owner(_));
    let administered = tx.administered_until(concerned, by.at).await?;
    let (level, subject, not_before, change) = match &what.set {
        TokenSet::Owner(id) => {
            let mut owner = owners::get(tx, id).await?.ok_or(Stop::Refused(OwnerError::Unknown))?;
            let not_before = owner.not_before.map_or(start, |before| before.max(start));
            owner.not_before = Some(not_before);
            owners::raise_not_before(tx, &owner).await?;
            ("owner", id.as_str(), not_before, Change::Owner(owner))
        }
        TokenSet::Tenant(id) => {
            let start = raise(tx, Some(id), start).await?;
            let change = Change::NotBefore { tenant: Some(id.clone()), start };
            ("tenant", id.as_str(), start, change)
        }
        TokenSet::Everything => {
            let start = raise(tx, None, start).await?;
            ("everything", "", start, Change::NotBefore { tenant: None, start })
        }
    };
    tx.require_administered(administered, by.at).await?;
    let epoch = tx.raise_epoch(level, subject, what.reason.as_str(), by.at);
    let detail = token::set_revocation(what.reason, start, epoch);
    tx.audit(by, &format!("{level}.tokens_revoked"), subject, &detail);
    tx.tell_changed(change);
    Ok(not_before)
}

/// A bound only ever goes up.
async fn raise(tx: &Tx, tenant: Option<&TenantId>, start: Timestamp) -> Result<Timestamp, Fault> {
    let statement = "INSERT INTO bounds (tenant, not_before, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant) DO UPDATE SET
             not_before = greatest(bounds.not_before, excluded.not_before),
             changed_at = excluded.changed_at
         RETURNING not_before";
    let (tenant, epoch) = (tenant.map_or("", TenantId::as_str), signed(tx.next_epoch()));
    let row = tx.row(statement, &[&tenant, &start.as_millis(), &epoch]).await?;
    let raised = row.map(|row| Columns::of(&row).time()).transpose()?;
    raised.ok_or_else(|| Fault::Value("a bound was not kept".into()))
}

async fn end_all(
    tx: &Tx,
    what: &RevocationOfAll,
    by: &By,
) -> Result<Vec<(TokenId, Option<Digest>)>, Fault> {
    let statement = "UPDATE tokens SET revoked_at = $3, revoked_by = $4, revocation_reason = $5,
             sealed_secret = NULL, changed_at = $6
         WHERE owner = $1 AND kind = $2 AND revoked_at IS NULL
         RETURNING id, digest";
    let (owner, kind, at) = (what.owner.as_str(), what.kind.as_str(), by.at.as_millis());
    let (reason, epoch) = (what.reason.as_str(), signed(tx.next_epoch()));
    let by = by.actor.as_str();
    let rows = tx.rows(statement, &[&owner, &kind, &at, &by, &reason, &epoch]).await?;
    rows.iter().map(ended).collect()
}

fn ended(row: &tokio_postgres::Row) -> Result<(TokenId, Option<Digest>), Fault> {
    let mut columns = Columns::of(row);
    Ok((columns.token_id()?, columns.digest_or_null()?))
}

/// Whether an operator's token is ended, too: somebody must be left who administers, and whoever asks
/// has seen to it.
pub(super) struct OfAnyKind(pub(super) bool);

/// `None` if no active token of this id (and owner, if given) was there to end. The secret is not
/// needed any more, so it does not stay.
pub(super) async fn end(
    session: &Session,
    what: &Revocation,
    by: &By,
    OfAnyKind(of_any_kind): OfAnyKind,
) -> Result<Option<Option<Digest>>, Fault> {
    let (id, owner) = (what.id.as_str(), what.owner.as_ref().map(OwnerId::as_str));
    let (at, by, reason) = (by.at.as_millis(), by.actor.as_str(), what.reason.as_str());
    let rows = session.rows(&marking(END), &[&id, &owner, &at, &by, &reason, &of_any_kind]).await?;
    rows.first().map(|row| Columns::of(row).digest_or_null()).transpose()
}
