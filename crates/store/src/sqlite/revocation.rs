//! Transactions that take tokens back: one, all of a kind, or a set by a bound.

use super::{
    fault::{Fault, Stop},
    owners, rows, tokens,
    tx::Tx,
};
use crate::{
    AllRevoked, By, Change, Epoch, OwnerError, Revocation, RevocationOfAll, Revoked, SetRevocation,
    SetRevoked, Settled, StoreError, TokenSet, mutation::token,
};
use rescind_core::{Digest, OwnerId, RevocationReason, TenantId, Timestamp, TokenId, TokenKind};
use rusqlite::{OptionalExtension, named_params, params};

/// Whose token it is, is part of the same conditional statement: there is no moment between the
/// check and the change, and another's token is answered like one that does not exist.
pub(super) fn revoke(
    tx: &mut Tx<'_>,
    what: &Revocation,
    by: &By,
) -> Result<Revoked, Stop<StoreError>> {
    let Some(token) = named(tx, &what.id)? else { return Ok(Revoked::Unknown) };
    let administered = tx.administered_until(token.is_admins, by.at)?;
    if !end(tx, what, by)? {
        let known = tokens::get(tx, &what.id)?.map(|(record, _)| record);
        let owned = known.filter(|record| what.owner.as_ref().is_none_or(|id| record.owner == *id));
        let settled = Settled::alone(tx.epoch()?);
        return Ok(owned.map_or(Revoked::Unknown, |record| Revoked::Before { record, settled }));
    }
    tx.require_administered(administered, by.at)?;
    Ok(Revoked::Now(Settled::alone(note(tx, what, token.digest, by)?)))
}

/// What no statement changes of a token.
struct Named {
    is_admins: bool,
    digest: Option<Digest>,
}

fn named(tx: &Tx<'_>, id: &TokenId) -> Result<Option<Named>, Fault> {
    let named = tx
        .sql
        .prepare_cached("SELECT kind = 'admin', digest FROM tokens WHERE id = ?1")?
        .query_row([id.as_str()], |row| {
            let digest = row.get::<_, Option<[u8; 32]>>(1)?.map(Digest::from_bytes);
            Ok(Named { is_admins: row.get(0)?, digest })
        });
    Ok(named.optional()?)
}

/// Within a rotation: the old token's end, for which the new one is the reason.
pub(super) fn end_superseded(
    tx: &mut Tx<'_>,
    id: &TokenId,
    digest: Option<Digest>,
    by: &By,
) -> Result<(), Fault> {
    let what = Revocation { id: id.clone(), owner: None, reason: RevocationReason::Superseded };
    if end(tx, &what, by)? {
        note(tx, &what, digest, by)?;
    }
    Ok(())
}

fn note(
    tx: &mut Tx<'_>,
    what: &Revocation,
    digest: Option<Digest>,
    by: &By,
) -> Result<Epoch, Fault> {
    let epoch = tx.raise_epoch("token", what.id.as_str(), what.reason.as_str(), by.at)?;
    tx.audit(by, "token.revoked", what.id.as_str(), &token::revocation(what, epoch))?;
    tx.tell(Change::Revoked { id: what.id.clone(), digest });
    Ok(epoch)
}

/// One epoch and one audit entry, whatever the number.
pub(super) fn revoke_all(
    tx: &mut Tx<'_>,
    what: &RevocationOfAll,
    by: &By,
) -> Result<AllRevoked, Stop<StoreError>> {
    let administered = tx.administered_until(what.kind == TokenKind::Admin, by.at)?;
    let ended = end_all(tx, what, by)?;
    if ended.is_empty() {
        return Ok(AllRevoked { count: 0, settled: Settled::alone(tx.epoch()?) });
    }
    tx.require_administered(administered, by.at)?;
    let count = ended.len();
    let epoch = tx.raise_epoch("owner", what.owner.as_str(), what.reason.as_str(), by.at)?;
    let detail = token::revocation_of_all(what, count, epoch);
    tx.audit(by, "owner.tokens_revoked", what.owner.as_str(), &detail)?;
    ended.into_iter().for_each(|(id, digest)| tx.tell(Change::Revoked { id, digest }));
    Ok(AllRevoked { count, settled: Settled::alone(epoch) })
}

/// One row, whatever the number of tokens.
pub(super) fn revoke_set(
    tx: &mut Tx<'_>,
    what: &SetRevocation,
    by: &By,
) -> Result<SetRevoked, Stop<OwnerError>> {
    let start = tx.bound(what.issued_before, by.at)?;
    // No other set has a token of an operator of no tenant.
    let administered = tx.administered_until(matches!(what.set, TokenSet::Owner(_)), by.at)?;
    let (level, subject, not_before) = match &what.set {
        TokenSet::Owner(id) => {
            let mut owner = owners::get(tx, id)?.ok_or(Stop::Refused(OwnerError::Unknown))?;
            let not_before = owner.not_before.map_or(start, |before| before.max(start));
            owner.not_before = Some(not_before);
            owners::raise_not_before(tx, &owner)?;
            tx.tell(Change::Owner(owner));
            ("owner", id.as_str(), not_before)
        }
        TokenSet::Tenant(id) => ("tenant", id.as_str(), raise(tx, Some(id), start)?),
        TokenSet::Everything => ("everything", "", raise(tx, None, start)?),
    };
    tx.require_administered(administered, by.at)?;
    let epoch = tx.raise_epoch(level, subject, what.reason.as_str(), by.at)?;
    let detail = token::set_revocation(what.reason, start, epoch);
    tx.audit(by, &format!("{level}.tokens_revoked"), subject, &detail)?;
    Ok(SetRevoked { settled: Settled::alone(epoch), not_before })
}

/// A bound only ever goes up.
fn raise(tx: &mut Tx<'_>, tenant: Option<&TenantId>, start: Timestamp) -> Result<Timestamp, Fault> {
    let start = tx
        .sql
        .prepare_cached(
            "INSERT INTO bounds (tenant, not_before) VALUES (?1, ?2)
             ON CONFLICT (tenant) DO UPDATE SET not_before = max(not_before, excluded.not_before)
             RETURNING not_before",
        )?
        .query_row(params![tenant.map_or("", TenantId::as_str), start.as_millis()], |row| {
            row.get(0)
        })
        .map(Timestamp::from_millis)?;
    tx.tell(Change::NotBefore { tenant: tenant.cloned(), start });
    Ok(start)
}

fn end_all(
    tx: &Tx<'_>,
    what: &RevocationOfAll,
    by: &By,
) -> Result<Vec<(TokenId, Option<Digest>)>, Fault> {
    let mut statement = tx.sql.prepare_cached(
        "UPDATE tokens SET revoked_at = :at, revoked_by = :by, revocation_reason = :reason,
             sealed_secret = NULL
         WHERE owner = :owner AND kind = :kind AND revoked_at IS NULL
         RETURNING id, digest",
    )?;
    let mut found = statement.query(named_params! {
        ":owner": what.owner.as_str(),
        ":kind": what.kind.as_str(),
        ":at": by.at.as_millis(),
        ":by": by.actor.as_str(),
        ":reason": what.reason.as_str(),
    })?;
    let mut ended = Vec::new();
    while let Some(row) = found.next()? {
        let digest = row.get::<_, Option<[u8; 32]>>(1)?.map(Digest::from_bytes);
        ended.push((rows::token_id(row, 0)?, digest));
    }
    Ok(ended)
}

/// Whether an active token of this id (and owner, if given) was there to end. The secret is not
/// needed any more, so it does not stay.
fn end(tx: &Tx<'_>, what: &Revocation, by: &By) -> Result<bool, Fault> {
    let ended = tx
        .sql
        .prepare_cached(
            "UPDATE tokens SET revoked_at = :at, revoked_by = :by, revocation_reason = :reason,
                 sealed_secret = NULL
             WHERE id = :id AND (:owner IS NULL OR owner = :owner) AND revoked_at IS NULL",
        )?
        .execute(named_params! {
            ":id": what.id.as_str(),
            ":owner": what.owner.as_ref().map(OwnerId::as_str),
            ":at": by.at.as_millis(),
            ":by": by.actor.as_str(),
            ":reason": what.reason.as_str(),
        })?;
    Ok(ended > 0)
}
