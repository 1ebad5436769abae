//! Rows as values of the domain. A value that does not parse is an error, never a default.

use super::fault::Fault;
use crate::{StoredToken, rows, rows::unreadable};
use rescind_core::{
    ActingToken, Capabilities, NetworkSet, NotBefore, Owner, OwnerId, OwnerKind, TenantId,
    Timestamp, TokenId, TokenRecord,
};
use rusqlite::{Row, types::FromSql};

pub(super) const OWNER_COLUMNS: &str = "id, kind, email, first_name, last_name, tenant, \
    profile_id, account, issuer, subject, name, suspended_at, suspended_by, not_before, \
    token_management, allowed_scopes, allowed_networks, created_at";

/// A token's record, in the order of [`record`].
pub(super) const RECORD_COLUMNS: &str = "tokens.id, tokens.owner, tokens.kind, tokens.label, \
    tokens.scopes, tokens.issued_at, tokens.expires_at, tokens.allowed_networks, \
    tokens.rotated_from, tokens.overlap_from_first_use, tokens.revoked_at, tokens.revoked_by, \
    tokens.revocation_reason";

/// The strictest of the bounds that set revocations have set on a token, or null. As
/// `rescind_core::NotBefore` has it, "everything" leaves operators' tokens alone.
pub(super) const NOT_BEFORE: &str = "(SELECT max(start) FROM (
    SELECT owners.not_before AS start
    UNION ALL SELECT not_before FROM bounds WHERE bounds.tenant = owners.tenant
    UNION ALL SELECT not_before FROM bounds WHERE bounds.tenant = '' AND tokens.kind <> 'admin'))";

/// What bounds an owner's tokens from above, in the order of [`acting_token`].
pub(super) const ABOVE_COLUMNS: &str = "owners.suspended_at IS NOT NULL, owners.token_management, \
    owners.allowed_scopes, owners.allowed_networks, owners.not_before, \
    (SELECT not_before FROM bounds WHERE bounds.tenant = owners.tenant), \
    (SELECT not_before FROM bounds WHERE bounds.tenant = '')";

/// What is asked of tokens, with what must be known of each: see [`token`].
pub(super) fn tokens_where(condition: &str) -> String {
    format!(
        "SELECT {RECORD_COLUMNS}, tokens.last_used_at, owners.tenant, {NOT_BEFORE},
             (SELECT next.id FROM tokens AS next
              WHERE next.rotated_from = tokens.id AND next.revoked_at IS NULL
              ORDER BY next.seq DESC LIMIT 1)
         FROM tokens JOIN owners ON owners.id = tokens.owner WHERE {condition}"
    )
}

/// From a row that begins with [`OWNER_COLUMNS`].
pub(super) fn owner(row: &Row<'_>) -> Result<Owner, Fault> {
    Ok(Owner {
        id: owner_id(row, 0)?,
        kind: owner_kind(row)?,
        tenant: tenant_or_null(row, 5)?,
        state: rows::owner_state(time_or_null(row, 11)?, text_or_null(row, 12)?)?,
        not_before: time_or_null(row, 13)?,
        capabilities: Capabilities {
            token_management: get(row, 14)?,
            allowed_scopes: text_or_null(row, 15)?.map(rows::scopes).transpose()?,
            allowed_networks: networks_or_null(row, 16)?,
        },
        created_at: time(row, 17)?,
    })
}

fn owner_kind(row: &Row<'_>) -> Result<OwnerKind, Fault> {
    let kind: String = get(row, 1)?;
    match kind.as_str() {
        "user" => Ok(OwnerKind::User {
            email: get(row, 2)?,
            first_name: get(row, 3)?,
            last_name: get(row, 4)?,
        }),
        "partner" => Ok(OwnerKind::Partner {
            profile_id: get(row, 6)?,
            account: get(row, 7)?,
            issuer: get(row, 8)?,
            subject: get(row, 9)?,
        }),
        "operator" => Ok(OwnerKind::Operator { name: get(row, 10)? }),
        other => Err(unreadable("kind", other).into()),
    }
}

/// From a row of [`tokens_where`].
pub(super) fn token(row: &Row<'_>) -> Result<StoredToken, Fault> {
    Ok(StoredToken {
        record: record(row)?,
        last_used_at: time_or_null(row, 13)?,
        tenant: tenant_or_null(row, 14)?,
        not_before: time_or_null(row, 15)?,
        superseded_by: text_or_null(row, 16)?.map(rows::token_id).transpose()?,
    })
}

/// From a row that begins with [`RECORD_COLUMNS`].
pub(super) fn record(row: &Row<'_>) -> Result<TokenRecord, Fault> {
    Ok(TokenRecord {
        id: token_id(row, 0)?,
        owner: owner_id(row, 1)?,
        kind: rows::token_kind(text(row, 2)?)?,
        label: get(row, 3)?,
        scopes: rows::scopes(text(row, 4)?)?,
        issued_at: time(row, 5)?,
        expires_at: time_or_null(row, 6)?,
        allowed_networks: networks_or_null(row, 7)?,
        rotation: rows::rotation(text_or_null(row, 8)?, get(row, 9)?)?,
        state: rows::token_state(
            time_or_null(row, 10)?,
            text_or_null(row, 11)?,
            text_or_null(row, 12)?,
        )?,
    })
}

/// From a row of [`RECORD_COLUMNS`] and [`ABOVE_COLUMNS`].
pub(super) fn acting_token(row: &Row<'_>) -> Result<ActingToken, Fault> {
    Ok(ActingToken {
        record: record(row)?,
        owner_suspended: get(row, 13)?,
        capabilities: Capabilities {
            token_management: get(row, 14)?,
            allowed_scopes: text_or_null(row, 15)?.map(rows::scopes).transpose()?,
            allowed_networks: networks_or_null(row, 16)?,
        },
        not_before: NotBefore {
            owner: time_or_null(row, 17)?,
            tenant: time_or_null(row, 18)?,
            everything: time_or_null(row, 19)?,
        },
    })
}

pub(super) fn owner_id(row: &Row<'_>, at: usize) -> Result<OwnerId, Fault> {
    Ok(rows::owner_id(text(row, at)?)?)
}

pub(super) fn tenant_or_null(row: &Row<'_>, at: usize) -> Result<Option<TenantId>, Fault> {
    Ok(text_or_null(row, at)?.map(rows::tenant).transpose()?)
}

fn networks_or_null(row: &Row<'_>, at: usize) -> Result<Option<NetworkSet>, Fault> {
    Ok(text_or_null(row, at)?.map(rows::networks).transpose()?)
}

pub(super) fn token_id(row: &Row<'_>, at: usize) -> Result<TokenId, Fault> {
    Ok(rows::token_id(text(row, at)?)?)
}

pub(super) fn time(row: &Row<'_>, at: usize) -> Result<Timestamp, Fault> {
    Ok(Timestamp::from_millis(get(row, at)?))
}

pub(super) fn time_or_null(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>, Fault> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}

/// Borrowed, so that loading a million rows does not copy each text twice.
fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, Fault> {
    row.get_ref(at)?.as_str().map_err(wrong_type)
}

fn text_or_null<'r>(row: &'r Row<'_>, at: usize) -> Result<Option<&'r str>, Fault> {
    row.get_ref(at)?.as_str_or_null().map_err(wrong_type)
}

pub(super) fn get<T: FromSql>(row: &Row<'_>, at: usize) -> Result<T, Fault> {
    Ok(row.get(at)?)
}

fn wrong_type(error: rusqlite::types::FromSqlError) -> Fault {
    Fault::Value(format!("a column has the wrong type: {error}"))
}
