//! The transaction that puts one token in another's place, and the one that notes uses: the first
//! use of a new token may be what ends the old one.

use super::{
    fault::{Fault, Stop},
    revocation, rows, tokens,
    tokens::Holder,
    tx::Tx,
};
use crate::{
    By, Change, Created, IssueError, NewRotation, Overlap, RotateError, Rotated, StoreError,
};
use rescind_core::{
    Actor, Digest, RevocationReason, Rotation, ScopeSet, Timestamp, TokenId, TokenKind,
    TokenRecord, TokenState, overlap_end,
};
use rusqlite::{OptionalExtension, params};
use serde_json::json;
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
        Holder::of(tx, &old.owner, old.kind)?.ok_or(Stop::Refused(RotateError::Unknown))?;
    check(tx, &old, &holder, by)?;
    let administered = tx.administered_until(old.kind == TokenKind::Admin, by.at)?;
    let (old, digest) = settled(tx, old, digest, &what, by)?;
    let new = successor(&what, &old, &holder, by)?;
    // First the end of the old one, so that it does not count against its successor.
    let old = end(tx, old, digest, &what, by)?;
    tokens::add(tx, &holder, &new, what.material, by).map_err(refused)?;
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

/// What the old one may still do, and no more: a scope that the owner has lost is not renewed.
fn successor(
    what: &NewRotation,
    old: &TokenRecord,
    holder: &Holder,
    by: &By,
) -> Result<TokenRecord, Fault> {
    let allowed = holder.owner.capabilities.allowed_scopes.as_ref();
    let kept = old.scopes.iter().filter(|name| allowed.is_none_or(|most| most.contains(name)));
    let overlap_from_first_use = match what.overlap {
        Overlap::FromFirstUse(overlap) => Some(overlap),
        Overlap::None | Overlap::FromNow(_) => None,
    };
    Ok(TokenRecord {
        id: what.id.clone(),
        scopes: ScopeSet::parse(kept).map_err(|fault| Fault::Value(fault.to_string()))?,
        issued_at: holder.time_of_issue(by.at),
        expires_at: match what.lifetime {
            Some(lifetime) => Some(after(by.at, lifetime)),
            None => old.expires_at.map(|end| by.at.plus_millis(lifetime_of(old, end, by.at))),
        },
        rotation: Some(Rotation { from: old.id.clone(), overlap_from_first_use }),
        ..old.clone()
    })
}

/// As long as the old one was given. Its time of issue may be no measure of that: it lies later
/// than the moment if a bound did, and elsewhere if it was imported. What it has left it was given.
fn lifetime_of(old: &TokenRecord, end: Timestamp, now: Timestamp) -> i64 {
    let since = |start: Timestamp| end.as_millis().saturating_sub(start.as_millis());
    since(old.issued_at).max(since(now))
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

fn after(start: Timestamp, time: Duration) -> Timestamp {
    start.plus_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
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
            revocation::end_superseded(tx, &old.id, by)?;
            let reason = RevocationReason::Superseded;
            let state = TokenState::Revoked { at: by.at, by: by.actor.clone(), reason };
            Ok(TokenRecord { state, ..old })
        }
        Overlap::FromNow(overlap) => Ok(shorten(tx, old, digest, &what.id, overlap, by)?),
        Overlap::FromFirstUse(overlap) => {
            let overlap = overlap.as_millis();
            let detail = json!({"to": what.id.as_str(), "overlap_from_first_use_ms": overlap});
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
    let detail = json!({"to": to.as_str(), "expires_at": end.to_rfc3339_millis()});
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

fn refused(stop: Stop<IssueError>) -> Stop<RotateError> {
    match stop {
        Stop::Fault(fault) => Stop::Fault(fault),
        Stop::Refused(IssueError::Denied(denial)) => Stop::Refused(RotateError::Denied(denial)),
        Stop::Refused(IssueError::Store(error)) => Stop::Refused(RotateError::Store(error)),
        Stop::Refused(IssueError::Exists) => Stop::Refused(RotateError::Exists),
        Stop::Refused(IssueError::UnknownOwner) => Stop::Refused(RotateError::Unknown),
    }
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
        begin_overlap(tx, id, &By { actor: Actor::system("first_use"), at })?;
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
