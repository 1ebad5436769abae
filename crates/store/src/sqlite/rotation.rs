//! The transaction that puts one token in another's place, and the one that notes uses: the first
//! use of a new token may be what ends the old one.

use super::{
    fault::{Fault, Stop},
    revocation, rows, tokens,
    tx::Tx,
};
use crate::{
    By, Change, Created, NewRotation, Overlap, RotateError, Rotated, StoreError,
    mutation::token::{self, Holder},
};
use rescind_core::{
    Actor, Digest, Timestamp, TokenId, TokenKind, TokenRecord, TokenState, overlap_end,
};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;

pub(super) fn rotate(
    tx: &mut Tx<'_>,
    what: NewRotation,
    by: &By,
) -> Result<Created<Rotated>, Stop<RotateError>> {
    if let Some(made) = tx.made_before(what.idempotency, by)? {
        return Ok(Created::Before(rotated_before(tx, &made)?));
    }
    let found = tokens::get(tx, &what.from)?.ok_or(Stop::Refused(RotateError::Unknown))?;
    let (old, digest) = found;
    let holder =
        tokens::holder(tx, &old.owner, old.kind)?.ok_or(Stop::Refused(RotateError::Unknown))?;
    check(tx, &old, &holder, by)?;
    let administered = tx.administered_until(old.kind == TokenKind::Admin, by.at)?;
    let (old, digest) = settled(tx, old, digest, &what, by)?;
    let new = holder.successor(&what, &old, by);
    // First the end of the old one, so that it does not count against its successor.
    let old = end(tx, old, digest, &what, by)?;
    tokens::add(tx, &holder, &new, what.material, by).map_err(token::refused)?;
    tx.require_administered(administered, by.at)?;
    tx.remember(what.idempotency, new.id.as_str(), by)?;
    Ok(Created::Now(Rotated { new, old }))
}

/// Both as they are now.
fn rotated_before(tx: &Tx<'_>, made: &str) -> Result<Rotated, Fault> {
    let new = tokens::made_token(tx, made)?;
    let from = new.rotation.as_ref().map(|rotation| rotation.from.as_str());
    let old = tokens::made_token(tx, from.unwrap_or_default())?;
    Ok(Rotated { new, old })
}

fn check(
    tx: &Tx<'_>,
    old: &TokenRecord,
    holder: &Holder,
    by: &By,
) -> Result<(), Stop<RotateError>> {
    let expired = old.expires_at.is_some_and(|end| end <= by.at);
    if old.state != TokenState::Active || expired || holder.has_taken_back(old) {
        return Err(Stop::Refused(RotateError::NotInForce));
    }
    match successor_in_force(tx, old, holder, by.at)? {
        Some(by) => Err(Stop::Refused(RotateError::Superseded { by })),
        None => Ok(()),
    }
}

fn successor_in_force(
    tx: &Tx<'_>,
    old: &TokenRecord,
    holder: &Holder,
    now: Timestamp,
) -> Result<Option<TokenId>, Fault> {
    tx.sql
        .prepare_cached(
            "SELECT id FROM tokens WHERE rotated_from = ?1 AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > ?2) AND issued_at >= ?3 ORDER BY seq LIMIT 1",
        )?
        .query_row(params![old.id.as_str(), now.as_millis(), holder.start().as_millis()], |row| {
            Ok(rows::token_id(row, 0))
        })
        .optional()?
        .transpose()
}

/// Whoever ends a token that another one waits for has put a third in the place of both. The first
/// would wait for ever: its overlap begins now.
fn settled(
    tx: &mut Tx<'_>,
    old: TokenRecord,
    digest: Option<Digest>,
    what: &NewRotation,
    by: &By,
) -> Result<(TokenRecord, Option<Digest>), Fault> {
    if let Overlap::FromFirstUse(_) = what.overlap {
        return Ok((old, digest));
    }
    begin_overlap(tx, &old.id, by)?;
    Ok(tokens::get(tx, &old.id)?.unwrap_or((old, digest)))
}

fn end(
    tx: &mut Tx<'_>,
    old: TokenRecord,
    digest: Option<Digest>,
    what: &NewRotation,
    by: &By,
) -> Result<TokenRecord, Stop<RotateError>> {
    match what.overlap {
        Overlap::None => {
            revocation::end_superseded(tx, &old.id, digest, by)?;
            Ok(token::superseded(old, by))
        }
        Overlap::FromNow(overlap) => Ok(shorten(tx, old, digest, &what.id, overlap, by)?),
        Overlap::FromFirstUse(overlap) => {
            let detail = token::overlap_from_first_use(&what.id, overlap);
            tx.audit(by, "token.rotated", old.id.as_str(), &detail)?;
            Ok(old)
        }
    }
}

/// Fixes the end of an old token, from `by.at` on.
fn shorten(
    tx: &mut Tx<'_>,
    old: TokenRecord,
    digest: Option<Digest>,
    to: &TokenId,
    overlap: Duration,
    by: &By,
) -> Result<TokenRecord, Fault> {
    let end = overlap_end(old.expires_at, by.at, overlap);
    let detail = token::overlap_until(to, end);
    tx.audit(by, "token.rotated", old.id.as_str(), &detail)?;
    if old.expires_at == Some(end) {
        return Ok(old);
    }
    let shortened = TokenRecord { expires_at: Some(end), ..old };
    tokens::write(tx, &shortened)?;
    tx.raise_epoch("token", shortened.id.as_str(), "superseded", by.at)?;
    tx.tell(Change::Updated { record: shortened.clone(), digest });
    Ok(shortened)
}

/// Only ever forwards: uses are reported in batches, and not in order.
pub(super) fn record_use(
    tx: &mut Tx<'_>,
    uses: &[(TokenId, Timestamp)],
) -> Result<(), Stop<StoreError>> {
    let mut waited_for = Vec::new();
    let mut update = tx.sql.prepare_cached(
        "UPDATE tokens SET last_used_at = ?2
         WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)
         RETURNING overlap_from_first_use IS NOT NULL",
    )?;
    for (id, at) in uses {
        let waits = update.query_row(params![id.as_str(), at.as_millis()], |row| row.get(0));
        if waits.optional()?.unwrap_or(false) {
            waited_for.push((id, *at));
        }
    }
    drop(update);
    for (id, at) in waited_for {
        begin_overlap(tx, id, &By { actor: Actor::system("first_use"), let_in: None, at })?;
    }
    Ok(())
}

/// The first use of a token whose predecessor waits for it, and so of every one before that which
/// waits as well: who uses the last of them needs none of the others. One that was revoked
/// meanwhile takes nobody's place any more: the old one may be needed, and nobody else may be able
/// to administer.
fn begin_overlap(tx: &mut Tx<'_>, id: &TokenId, by: &By) -> Result<(), Fault> {
    let mut id = id.clone();
    while let Some((mut new, _)) = tokens::get(tx, &id)? {
        if new.state != TokenState::Active {
            return Ok(());
        }
        let Some(rotation) = &mut new.rotation else { return Ok(()) };
        let Some(overlap) = rotation.overlap_from_first_use.take() else { return Ok(()) };
        let from = rotation.from.clone();
        tokens::write(tx, &new)?;
        match tokens::get(tx, &from)? {
            Some((old, digest)) if old.state == TokenState::Active => {
                shorten(tx, old, digest, &id, overlap, by)?;
            }
            _ => return Ok(()),
        }
        id = from;
    }
    Ok(())
}
