//! Transactions on single tokens: issue and change.

use super::{
    fault::{Fault, Stop},
    owners, rows,
    tx::Tx,
};
use crate::{By, Change, Created, IssueError, Material, NewToken, UpdateError, seal::Place};
use rescind_core::{
    ACTIVE_TOKENS_MAX, Digest, NetworkSet, Owner, OwnerId, Timestamp, TokenId, TokenKind,
    TokenRecord, TokenState, TokenUpdate, may_have_another, may_issue,
};
use rusqlite::{OptionalExtension, named_params};
use serde_json::{Map, Value, json};

/// Where a signing token's secret stands.
pub(super) fn secret_place(id: &TokenId) -> Place<'_> {
    Place { table: "tokens", row: id.as_str(), column: "sealed_secret" }
}

pub(super) fn issue(
    tx: &mut Tx<'_>,
    new: NewToken,
    by: &By,
) -> Result<Created<TokenRecord>, Stop<IssueError>> {
    if let Some(made) = tx.made_before(new.idempotency, by)? {
        return Ok(Created::Before(made_token(tx, &made)?));
    }
    let holder =
        Holder::of(tx, &new.owner, new.kind)?.ok_or(Stop::Refused(IssueError::UnknownOwner))?;
    let record = TokenRecord {
        id: new.id,
        owner: new.owner,
        kind: new.kind,
        label: new.label,
        scopes: new.scopes,
        issued_at: match new.issued_at {
            Some(elsewhere) => elsewhere.min(by.at),
            None => holder.time_of_issue(by.at),
        },
        expires_at: new.expires_at,
        allowed_networks: new.allowed_networks,
        rotation: None,
        state: TokenState::Active,
    };
    add(tx, &holder, &record, new.material, by)?;
    tx.remember(new.idempotency, record.id.as_str(), by)?;
    Ok(Created::Now(record))
}

/// An owner, and the strictest bound on its tokens of one kind.
pub(super) struct Holder {
    pub(super) owner: Owner,
    not_before: Option<Timestamp>,
}

impl Holder {
    pub(super) fn of(tx: &Tx<'_>, owner: &OwnerId, kind: TokenKind) -> Result<Option<Self>, Fault> {
        let Some(owner) = owners::get(tx, owner)? else { return Ok(None) };
        let query = format!(
            "SELECT {} FROM owners, (SELECT ?2 AS kind) AS tokens WHERE owners.id = ?1",
            rows::NOT_BEFORE
        );
        let not_before: Option<i64> = tx
            .sql
            .prepare_cached(&query)?
            .query_row([owner.id.as_str(), kind.as_str()], |row| row.get(0))?;
        Ok(Some(Self { owner, not_before: not_before.map(Timestamp::from_millis) }))
    }

    pub(super) fn has_taken_back(&self, record: &TokenRecord) -> bool {
        self.not_before.is_some_and(|start| record.issued_at < start)
    }

    /// Now, or the bound, if clocks have it that the set of tokens that was taken back reaches
    /// beyond now. A token that comes after that write is none of them.
    pub(super) fn time_of_issue(&self, now: Timestamp) -> Timestamp {
        self.not_before.map_or(now, |start| now.max(start))
    }

    /// Tokens issued before this are not in force.
    pub(super) fn start(&self) -> Timestamp {
        self.not_before.unwrap_or(Timestamp::MIN)
    }
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
    tx.audit(by, "token.issued", record.id.as_str(), &issuance(record))?;
    tx.tell(Change::Issued { record: record.clone(), material });
    Ok(())
}

fn issuance(record: &TokenRecord) -> Value {
    json!({
        "owner": record.owner.as_str(),
        "kind": record.kind.as_str(),
        "label": record.label,
        "scopes": owners::names(&record.scopes),
        "expires_at": record.expires_at.map(Timestamp::to_rfc3339_millis),
        "allowed_networks": record.allowed_networks.as_ref().map(owners::blocks),
        "rotated_from": record.rotation.as_ref().map(|rotation| rotation.from.as_str()),
    })
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
    let changes = changes(&before, &after);
    if !changes.is_empty() {
        tx.raise_epoch("token", id.as_str(), &changes.join(" "), by.at)?;
    }
    tx.audit(by, "token.updated", id.as_str(), &difference(&before, &after))?;
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
            ":overlap_from_first_use": overlap(record),
        })?;
    Ok(())
}

fn overlap(record: &TokenRecord) -> Option<i64> {
    let overlap = record.rotation.as_ref()?.overlap_from_first_use?;
    Some(i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX))
}

/// How a token differs from what verifiers hold of it: the reasons in the log. None decides by its
/// label.
fn changes(before: &TokenRecord, after: &TokenRecord) -> Vec<&'static str> {
    [
        ("scopes_narrowed", after.scopes != before.scopes),
        ("end_moved_closer", after.expires_at != before.expires_at),
        ("networks_changed", after.allowed_networks != before.allowed_networks),
    ]
    .into_iter()
    .filter_map(|(reason, holds)| holds.then_some(reason))
    .collect()
}

fn difference(before: &TokenRecord, after: &TokenRecord) -> Value {
    let mut detail = Map::new();
    if before.label != after.label {
        detail.insert("label".into(), json!(after.label));
    }
    if before.scopes != after.scopes {
        detail.insert("scopes".into(), json!(owners::names(&after.scopes)));
    }
    if before.expires_at != after.expires_at {
        let end = after.expires_at.map(Timestamp::to_rfc3339_millis);
        detail.insert("expires_at".into(), json!(end));
    }
    if before.allowed_networks != after.allowed_networks {
        let networks = after.allowed_networks.as_ref().map(owners::blocks);
        detail.insert("allowed_networks".into(), json!(networks));
    }
    Value::Object(detail)
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
            ":overlap_from_first_use": overlap(record),
        })?;
    Ok(())
}
