//! Transactions on single tokens: issue and change.

use super::{
    fault::{Fault, Stop},
    owners, rows,
    tx::Tx,
};
use crate::{
    By, Change, Created, IssueError, Material, NewToken, UpdateError,
    mutation::token::{self, Holder, secret_place},
    rows::overlap_millis,
};
use rescind_core::{
    ACTIVE_TOKENS_MAX, Digest, NetworkSet, OwnerId, Timestamp, TokenId, TokenKind, TokenRecord,
    TokenState, TokenUpdate, may_have_another, may_issue,
};
use rusqlite::{OptionalExtension, named_params};

pub(super) fn issue(
    tx: &mut Tx<'_>,
    new: NewToken,
    by: &By,
) -> Result<Created<TokenRecord>, Stop<IssueError>> {
    if let Some(made) = tx.made_before(new.idempotency, by)? {
        return Ok(Created::Before(made_token(tx, &made)?));
    }
    let holder =
        holder(tx, &new.owner, new.kind)?.ok_or(Stop::Refused(IssueError::UnknownOwner))?;
    let record = holder.issued(&new, by);
    add(tx, &holder, &record, new.material, by)?;
    tx.remember(new.idempotency, record.id.as_str(), by)?;
    Ok(Created::Now(record))
}

/// The owner as it is now, and its bounds.
pub(super) fn holder(
    tx: &Tx<'_>,
    owner: &OwnerId,
    kind: TokenKind,
) -> Result<Option<Holder>, Fault> {
    let Some(owner) = owners::get(tx, owner)? else { return Ok(None) };
    let query = format!(
        "SELECT {} FROM owners, (SELECT ?2 AS kind) AS tokens WHERE owners.id = ?1",
        rows::NOT_BEFORE
    );
    let not_before: Option<i64> = tx
        .sql
        .prepare_cached(&query)?
        .query_row([owner.id.as_str(), kind.as_str()], |row| row.get(0))?;
    Ok(Some(Holder { owner, not_before: not_before.map(Timestamp::from_millis) }))
}

/// The owner is asked here, inside: a check made before could have been overtaken by the suspension
/// that it should have seen.
pub(super) fn add(
    tx: &mut Tx<'_>,
    holder: &Holder,
    record: &TokenRecord,
    material: Material,
    by: &By,
) -> Result<(), Stop<IssueError>> {
    may_issue(&holder.owner, record.kind, &record.scopes)
        .map_err(|denial| Stop::Refused(denial.into()))?;
    let active = active(tx, holder, record.kind, by.at)?;
    may_have_another(active).map_err(|denial| Stop::Refused(denial.into()))?;
    match insert(tx, record, &material) {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(IssueError::Exists)),
        done => done?,
    }
    tx.audit(by, "token.issued", record.id.as_str(), &token::issuance(record))?;
    tx.tell(Change::Issued { record: record.clone(), material });
    Ok(())
}

/// The token that an earlier request has made.
pub(super) fn made_token(tx: &Tx<'_>, id: &str) -> Result<TokenRecord, Fault> {
    let known = TokenId::parse(id).ok().map(|id| get(tx, &id)).transpose()?.flatten();
    known.map(|(record, _)| record).ok_or_else(|| Fault::Value(format!("token id {id:?}")))
}

/// A token, with the digest that it is found by.
pub(super) fn get(
    tx: &Tx<'_>,
    id: &TokenId,
) -> Result<Option<(TokenRecord, Option<Digest>)>, Fault> {
    tx.sql
        .prepare_cached(&format!(
            "SELECT {}, digest FROM tokens WHERE id = ?1",
            rows::RECORD_COLUMNS
        ))?
        .query_row([id.as_str()], |row| {
            let digest = row.get::<_, Option<[u8; 32]>>(13)?.map(Digest::from_bytes);
            Ok(rows::record(row).map(|record| (record, digest)))
        })
        .optional()?
        .transpose()
}

/// An update that changes nothing leaves no trace.
pub(super) fn update(
    tx: &mut Tx<'_>,
    id: &TokenId,
    update: TokenUpdate,
    by: &By,
) -> Result<TokenRecord, Stop<UpdateError>> {
    let (before, digest) = get(tx, id)?.ok_or(Stop::Refused(UpdateError::Unknown))?;
    if before.state != TokenState::Active {
        return Err(Stop::Refused(UpdateError::Revoked));
    }
    let after = update.of(&before).map_err(|widening| Stop::Refused(widening.into()))?;
    if after == before {
        return Ok(after);
    }
    let administered = tx.administered_until(before.kind == TokenKind::Admin, by.at)?;
    write(tx, &after)?;
    tx.require_administered(administered, by.at)?;
    let changes = token::changes(&before, &after);
    if !changes.is_empty() {
        tx.raise_epoch("token", id.as_str(), &changes.join(" "), by.at)?;
    }
    tx.audit(by, "token.updated", id.as_str(), &token::difference(&before, &after))?;
    tx.tell(Change::Updated { record: after.clone(), digest });
    Ok(after)
}

/// Everything of a record that may change while it is active.
pub(super) fn write(tx: &Tx<'_>, record: &TokenRecord) -> Result<(), Fault> {
    tx.sql
        .prepare_cached(
            "UPDATE tokens SET label = :label, scopes = :scopes, expires_at = :expires_at,
                 allowed_networks = :allowed_networks,
                 overlap_from_first_use = :overlap_from_first_use
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": record.id.as_str(),
            ":label": record.label,
            ":scopes": record.scopes.join(" "),
            ":expires_at": record.expires_at.map(Timestamp::as_millis),
            ":allowed_networks": record.allowed_networks.as_ref().map(NetworkSet::join),
            ":overlap_from_first_use": overlap_millis(record),
        })?;
    Ok(())
}

/// How many are in force, counted no further than the rule asks.
fn active(tx: &Tx<'_>, holder: &Holder, kind: TokenKind, now: Timestamp) -> Result<usize, Fault> {
    let count = tx
        .sql
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM tokens
             WHERE owner = :owner AND kind = :kind AND revoked_at IS NULL
                 AND issued_at >= :start AND (expires_at IS NULL OR expires_at > :now)
             LIMIT :most)",
        )?
        .query_row(
            named_params! {
                ":owner": holder.owner.id.as_str(),
                ":kind": kind.as_str(),
                ":start": holder.start().as_millis(),
                ":now": now.as_millis(),
                ":most": ACTIVE_TOKENS_MAX,
            },
            |row| row.get(0),
        )?;
    Ok(count)
}

fn insert(tx: &Tx<'_>, record: &TokenRecord, material: &Material) -> Result<(), Fault> {
    let (digest, sealed) = match material {
        Material::Digest(digest) => (Some(digest.as_bytes()), None),
        Material::Secret(secret) => {
            (None, Some(tx.keys.seal(secret_place(&record.id), secret.expose_bytes())?))
        }
    };
    tx.sql
        .prepare_cached(
            "INSERT INTO tokens (id, owner, kind, digest, sealed_secret, label, scopes, issued_at,
                 expires_at, allowed_networks, rotated_from, overlap_from_first_use)
             VALUES (:id, :owner, :kind, :digest, :sealed_secret, :label, :scopes, :issued_at,
                 :expires_at, :allowed_networks, :rotated_from, :overlap_from_first_use)",
        )?
        .execute(named_params! {
            ":id": record.id.as_str(),
            ":owner": record.owner.as_str(),
            ":kind": record.kind.as_str(),
            ":digest": digest,
            ":sealed_secret": sealed,
            ":label": record.label,
            ":scopes": record.scopes.join(" "),
            ":issued_at": record.issued_at.as_millis(),
            ":expires_at": record.expires_at.map(Timestamp::as_millis),
            ":allowed_networks": record.allowed_networks.as_ref().map(NetworkSet::join),
            ":rotated_from": record.rotation.as_ref().map(|rotation| rotation.from.as_str()),
            ":overlap_from_first_use": overlap_millis(record),
        })?;
    Ok(())
}
