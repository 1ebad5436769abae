//! Transactions on tokens.

use super::{
    fault::{Fault, Stop},
    owners, rows,
    tx::Tx,
};
use crate::{
    By, Change, IssueError, Material, NewToken, Revocation, RevocationOfAll, Revoked, StoreError,
    seal::Place,
};
use rescind_core::{
    ACTIVE_TOKENS_MAX, Digest, OwnerId, Timestamp, TokenId, TokenKind, TokenRecord, TokenState,
    may_have_another, may_issue,
};
use rusqlite::{OptionalExtension, named_params, params};
use serde_json::json;

/// Where a signing token's secret stands.
pub(super) fn secret_place(id: &TokenId) -> Place<'_> {
    Place { table: "tokens", row: id.as_str(), column: "sealed_secret" }
}

/// The owner is read and asked here, inside: a check made before could have been overtaken by the
/// suspension that it should have seen.
pub(super) fn issue(
    tx: &mut Tx<'_>,
    new: NewToken,
    by: &By,
) -> Result<TokenRecord, Stop<IssueError>> {
    let owner = owners::get(tx, &new.owner)?.ok_or(Stop::Refused(IssueError::UnknownOwner))?;
    may_issue(&owner, new.kind, &new.scopes).map_err(|denial| Stop::Refused(denial.into()))?;
    let active = active(tx, &new.owner, new.kind, by.at)?;
    may_have_another(active).map_err(|denial| Stop::Refused(denial.into()))?;
    let record = TokenRecord {
        id: new.id,
        owner: new.owner,
        kind: new.kind,
        label: new.label,
        scopes: new.scopes,
        issued_at: by.at,
        expires_at: new.expires_at,
        state: TokenState::Active,
    };
    match insert(tx, &record, &new.material) {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(IssueError::Exists)),
        done => done?,
    }
    let detail = json!({
        "owner": record.owner.as_str(),
        "kind": record.kind.as_str(),
        "label": record.label,
        "scopes": owners::names(&record.scopes),
        "expires_at": record.expires_at.map(Timestamp::to_rfc3339_millis),
    });
    tx.audit(by, "token.issued", record.id.as_str(), &detail)?;
    tx.tell(Change::Issued { record: record.clone(), material: new.material });
    Ok(record)
}

/// How many are in force, counted no further than the rule asks.
fn active(tx: &Tx<'_>, owner: &OwnerId, kind: TokenKind, now: Timestamp) -> Result<usize, Fault> {
    let count = tx
        .sql
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM tokens
             WHERE owner = ?1 AND kind = ?2 AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > ?3) LIMIT ?4)",
        )?
        .query_row(
            params![owner.as_str(), kind.as_str(), now.as_millis(), ACTIVE_TOKENS_MAX],
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
                 expires_at)
             VALUES (:id, :owner, :kind, :digest, :sealed_secret, :label, :scopes, :issued_at,
                 :expires_at)",
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
        })?;
    Ok(())
}

/// Whose token it is, is part of the same conditional statement: there is no moment between the
/// check and the change, and another's token is answered like one that does not exist.
pub(super) fn revoke(
    tx: &mut Tx<'_>,
    what: &Revocation,
    by: &By,
) -> Result<Revoked, Stop<StoreError>> {
    let Some(digest) = end(tx, what, by)? else {
        let record = owned(tx, &what.id, what.owner.as_ref())?;
        return Ok(record.map_or(Revoked::Unknown, |record| Revoked::Before { record }));
    };
    let reason = what.reason.as_str();
    let epoch = tx.raise_epoch("token", what.id.as_str(), reason, by.at)?;
    tx.audit(by, "token.revoked", what.id.as_str(), &json!({"reason": reason, "epoch": epoch}))?;
    tx.tell(Change::Revoked { id: what.id.clone(), digest });
    Ok(Revoked::Now { epoch })
}

/// One epoch and one audit entry, whatever the number.
pub(super) fn revoke_all(
    tx: &mut Tx<'_>,
    what: &RevocationOfAll,
    by: &By,
) -> Result<usize, Stop<StoreError>> {
    let ended = end_all(tx, what, by)?;
    if ended.is_empty() {
        return Ok(0);
    }
    let (count, reason, kind) = (ended.len(), what.reason.as_str(), what.kind.as_str());
    let epoch = tx.raise_epoch("owner", what.owner.as_str(), reason, by.at)?;
    let detail = json!({"reason": reason, "kind": kind, "count": count, "epoch": epoch});
    tx.audit(by, "owner.tokens_revoked", what.owner.as_str(), &detail)?;
    ended.into_iter().for_each(|(id, digest)| tx.tell(Change::Revoked { id, digest }));
    Ok(count)
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

/// `None` if no active token of this id (and owner, if given) was there to end. The secret is not
/// needed any more, so it does not stay.
fn end(tx: &Tx<'_>, what: &Revocation, by: &By) -> Result<Option<Option<Digest>>, Fault> {
    let digest = tx
        .sql
        .prepare_cached(
            "UPDATE tokens SET revoked_at = :at, revoked_by = :by, revocation_reason = :reason,
                 sealed_secret = NULL
             WHERE id = :id AND (:owner IS NULL OR owner = :owner) AND revoked_at IS NULL
             RETURNING digest",
        )?
        .query_row(
            named_params! {
                ":id": what.id.as_str(),
                ":owner": what.owner.as_ref().map(OwnerId::as_str),
                ":at": by.at.as_millis(),
                ":by": by.actor.as_str(),
                ":reason": what.reason.as_str(),
            },
            |row| row.get::<_, Option<[u8; 32]>>(0),
        )
        .optional()?;
    Ok(digest.map(|digest| digest.map(Digest::from_bytes)))
}

fn owned(tx: &Tx<'_>, id: &TokenId, owner: Option<&OwnerId>) -> Result<Option<TokenRecord>, Fault> {
    let sql = format!(
        "SELECT {} FROM tokens WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)",
        rows::TOKEN_COLUMNS
    );
    tx.sql
        .prepare_cached(&sql)?
        .query_row(params![id.as_str(), owner.map(OwnerId::as_str)], |row| Ok(rows::token(row)))
        .optional()?
        .transpose()
        .map(|stored| stored.map(|stored| stored.record))
}

/// Only ever forwards: uses are reported in batches, and not in order.
pub(super) fn record_use(
    tx: &Tx<'_>,
    uses: &[(TokenId, Timestamp)],
) -> Result<(), Stop<StoreError>> {
    let mut update = tx.sql.prepare_cached(
        "UPDATE tokens SET last_used_at = ?2
         WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)",
    )?;
    for (id, at) in uses {
        update.execute(params![id.as_str(), at.as_millis()])?;
    }
    Ok(())
}
