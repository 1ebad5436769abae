//! The transaction that puts one token in another's place, and the one that notes uses: the first
//! use of a new token may be what ends the old one.

use super::{
    fault::{Fault, Stop},
    revocation,
    rows::Columns,
    tokens,
    tx::Tx,
};
use crate::{
    By, Change, Created, NewRotation, Overlap, RotateError, Rotated, StoreError,
    mutation::token::{self, Holder},
};
use rescind_core::{
    Actor, Digest, Timestamp, TokenId, TokenKind, TokenRecord, TokenState, overlap_end,
};
use std::{collections::HashSet, time::Duration};

pub(super) async fn rotate(
    tx: &mut Tx,
    what: NewRotation,
    by: &By,
) -> Result<Created<Rotated>, Stop<RotateError>> {
    if let Some(made) = tx.made_before(what.idempotency, by).await? {
        return Ok(Created::Before(rotated_before(tx, &made).await?));
    }
    let found = tokens::get(tx, &what.from).await?.ok_or(Stop::Refused(RotateError::Unknown))?;
    let (old, digest) = found;
    let holder = tokens::holder(tx, &old.owner, old.kind).await?;
    let holder = holder.ok_or(Stop::Refused(RotateError::Unknown))?;
    check(tx, &old, &holder, by).await?;
    let administered = tx.administered_until(old.kind == TokenKind::Admin, by.at).await?;
    let (old, digest) = settled(tx, old, digest, &what, by).await?;
    let new = holder.successor(&what, &old, by);
    // First the end of the old one, so that it does not count against its successor.
    let old = end(tx, old, digest, &what, by).await?;
    let active = tokens::active(tx, &new.owner, new.kind, by.at).await?;
    tokens::add(tx, &holder, active, &new, what.material, by).await.map_err(token::refused)?;
    tx.require_administered(administered, by.at).await?;
    tx.remember(what.idempotency, new.id.as_str(), by).await?;
    Ok(Created::Now(Rotated { new, old }))
}

/// Both as they are now.
async fn rotated_before(tx: &Tx, made: &str) -> Result<Rotated, Fault> {
    let new = tokens::made_token(tx, made).await?;
    let from = new.rotation.as_ref().map(|rotation| rotation.from.as_str());
    let old = tokens::made_token(tx, from.unwrap_or_default()).await?;
    Ok(Rotated { new, old })
}

async fn check(
    tx: &Tx,
    old: &TokenRecord,
    holder: &Holder,
    by: &By,
) -> Result<(), Stop<RotateError>> {
    let expired = old.expires_at.is_some_and(|end| end <= by.at);
    if old.state != TokenState::Active || expired || holder.has_taken_back(old) {
        return Err(Stop::Refused(RotateError::NotInForce));
    }
    match successor_in_force(tx, old, holder, by.at).await? {
        Some(by) => Err(Stop::Refused(RotateError::Superseded { by })),
        None => Ok(()),
    }
}

async fn successor_in_force(
    tx: &Tx,
    old: &TokenRecord,
    holder: &Holder,
    now: Timestamp,
) -> Result<Option<TokenId>, Fault> {
    let query = "SELECT id FROM tokens WHERE rotated_from = $1 AND revoked_at IS NULL
         AND (expires_at IS NULL OR expires_at > $2) AND issued_at >= $3 ORDER BY seq LIMIT 1";
    let start = holder.start().as_millis();
    let row = tx.row(query, &[&old.id.as_str(), &now.as_millis(), &start]).await?;
    row.map(|row| Columns::of(&row).token_id()).transpose()
}

/// Whoever ends a token that another one waits for has put a third in the place of both. The first
/// would wait for ever: its overlap begins now.
async fn settled(
    tx: &mut Tx,
    old: TokenRecord,
    digest: Option<Digest>,
    what: &NewRotation,
    by: &By,
) -> Result<(TokenRecord, Option<Digest>), Fault> {
    if let Overlap::FromFirstUse(_) = what.overlap {
        return Ok((old, digest));
    }
    begin_overlap(tx, &old.id, by).await?;
    Ok(tokens::get(tx, &old.id).await?.unwrap_or((old, digest)))
}

async fn end(
    tx: &mut Tx,
    old: TokenRecord,
    digest: Option<Digest>,
    what: &NewRotation,
    by: &By,
) -> Result<TokenRecord, Stop<RotateError>> {
    match what.overlap {
        Overlap::None => {
            revocation::end_superseded(tx, &old.id, by).await?;
            Ok(token::superseded(old, by))
        }
        Overlap::FromNow(overlap) => Ok(shorten(tx, old, digest, &what.id, overlap, by).await?),
        Overlap::FromFirstUse(overlap) => {
            let detail = token::overlap_from_first_use(&what.id, overlap);
            tx.audit(by, "token.rotated", old.id.as_str(), &detail);
            Ok(old)
        }
    }
}

/// Fixes the end of an old token, from `by.at` on.
async fn shorten(
    tx: &mut Tx,
    old: TokenRecord,
    digest: Option<Digest>,
    to: &TokenId,
    overlap: Duration,
    by: &By,
) -> Result<TokenRecord, Fault> {
    let end = overlap_end(old.expires_at, by.at, overlap);
    tx.audit(by, "token.rotated", old.id.as_str(), &token::overlap_until(to, end));
    if old.expires_at == Some(end) {
        return Ok(old);
    }
    let shortened = TokenRecord { expires_at: Some(end), ..old };
    tokens::write(tx, &shortened, true).await?;
    tx.raise_epoch("token", shortened.id.as_str(), "superseded", by.at);
    tx.tell_changed(Change::Updated { record: shortened.clone(), digest });
    Ok(shortened)
}

/// Only ever forwards: uses are reported in batches, and not in order.
pub(super) async fn record_use(
    tx: &mut Tx,
    uses: &[(TokenId, Timestamp)],
) -> Result<(), Stop<StoreError>> {
    // In one statement: revocations wait for it.
    let statement = "UPDATE tokens SET last_used_at = used.at
         FROM (SELECT id, max(at) AS at FROM unnest($1::text[], $2::bigint[]) AS used (id, at)
             GROUP BY id) AS used
         WHERE tokens.id = used.id
             AND (tokens.last_used_at IS NULL OR tokens.last_used_at < used.at)
         RETURNING tokens.id, tokens.overlap_from_first_use IS NOT NULL";
    let (ids, times): (Vec<_>, Vec<_>) =
        uses.iter().map(|(id, at)| (id.as_str(), at.as_millis())).unzip();
    let rows = tx.rows(statement, &[&ids, &times]).await?;
    let mut waited_for = HashSet::new();
    for row in &rows {
        let mut columns = Columns::of(row);
        let id = columns.token_id()?;
        if columns.get()? {
            waited_for.insert(id);
        }
    }
    for (id, at) in uses.iter().filter(|(id, _)| waited_for.contains(id)) {
        let by = By { actor: Actor::system("first_use"), let_in: None, at: *at };
        begin_overlap(tx, id, &by).await?;
    }
    Ok(())
}

/// The first use of a token whose predecessor waits for it, and so of every one before that which
/// waits as well: who uses the last of them needs none of the others. One that was revoked
/// meanwhile takes nobody's place any more: the old one may be needed, and nobody else may be able
/// to administer.
async fn begin_overlap(tx: &mut Tx, id: &TokenId, by: &By) -> Result<(), Fault> {
    let mut id = id.clone();
    while let Some((mut new, _)) = tokens::get(tx, &id).await? {
        if new.state != TokenState::Active {
            return Ok(());
        }
        let Some(rotation) = &mut new.rotation else { return Ok(()) };
        let Some(overlap) = rotation.overlap_from_first_use.take() else { return Ok(()) };
        let from = rotation.from.clone();
        tokens::write(tx, &new, false).await?;
        match tokens::get(tx, &from).await? {
            Some((old, digest)) if old.state == TokenState::Active => {
                shorten(tx, old, digest, &id, overlap, by).await?;
            }
            _ => return Ok(()),
        }
        id = from;
    }
    Ok(())
}
