//! Rows as values of the domain. A value that does not parse is an error, never a default.

use super::fault::Fault;
use crate::StoredToken;
use rescind_core::{
    Actor, Capabilities, Owner, OwnerId, OwnerKind, OwnerState, RevocationReason, ScopeSet,
    TenantId, Timestamp, TokenId, TokenKind, TokenRecord, TokenState,
};
use rusqlite::{Row, types::FromSql};

pub(super) const OWNER_COLUMNS: &str = "id, kind, email, first_name, last_name, tenant, \
    profile_id, account, issuer, subject, name, suspended_at, suspended_by, not_before, \
    token_management, allowed_scopes, created_at";

pub(super) const TOKEN_COLUMNS: &str = "id, owner, kind, label, scopes, issued_at, expires_at, \
    revoked_at, revoked_by, revocation_reason, last_used_at";

/// From a row that begins with [`OWNER_COLUMNS`].
pub(super) fn owner(row: &Row<'_>) -> Result<Owner, Fault> {
    Ok(Owner {
        id: owner_id(row, 0)?,
        kind: owner_kind(row)?,
        state: match (time_or_null(row, 11)?, get::<Option<String>>(row, 12)?) {
            (Some(at), Some(by)) => OwnerState::Suspended { at, by: Actor::from_stored(&by) },
            (None, None) => OwnerState::Active,
            _ => return Err(unreadable("suspended_at", "half of a suspension")),
        },
        not_before: time_or_null(row, 13)?,
        capabilities: Capabilities {
            token_management: get(row, 14)?,
            allowed_scopes: match row.get_ref(15)?.as_str_or_null().map_err(wrong_type)? {
                Some(text) => Some(parse_scopes(text)?),
                None => None,
            },
        },
        created_at: time(row, 16)?,
    })
}

fn owner_kind(row: &Row<'_>) -> Result<OwnerKind, Fault> {
    let kind: String = get(row, 1)?;
    match kind.as_str() {
        "user" => Ok(OwnerKind::User {
            email: get(row, 2)?,
            first_name: get(row, 3)?,
            last_name: get(row, 4)?,
            tenant: tenant_id(row, 5)?,
        }),
        "partner" => Ok(OwnerKind::Partner {
            profile_id: get(row, 6)?,
            account: get(row, 7)?,
            issuer: get(row, 8)?,
            subject: get(row, 9)?,
        }),
        "operator" => Ok(OwnerKind::Operator { name: get(row, 10)? }),
        other => Err(unreadable("kind", other)),
    }
}

/// From a row that begins with [`TOKEN_COLUMNS`].
pub(super) fn token(row: &Row<'_>) -> Result<StoredToken, Fault> {
    let record = TokenRecord {
        id: token_id(row, 0)?,
        owner: owner_id(row, 1)?,
        kind: token_kind(row, 2)?,
        label: get(row, 3)?,
        scopes: scopes(row, 4)?,
        issued_at: time(row, 5)?,
        expires_at: time_or_null(row, 6)?,
        state: token_state(row)?,
    };
    Ok(StoredToken { record, last_used_at: time_or_null(row, 10)? })
}

fn token_state(row: &Row<'_>) -> Result<TokenState, Fault> {
    let Some(at) = time_or_null(row, 7)? else { return Ok(TokenState::Active) };
    let (by, reason): (String, String) = (get(row, 8)?, get(row, 9)?);
    Ok(TokenState::Revoked {
        at,
        by: Actor::from_stored(&by),
        reason: RevocationReason::parse(&reason)
            .ok_or_else(|| unreadable("revocation_reason", &reason))?,
    })
}

pub(super) fn owner_id(row: &Row<'_>, at: usize) -> Result<OwnerId, Fault> {
    let text = text(row, at)?;
    OwnerId::parse(text).map_err(|_| unreadable("owner id", text))
}

fn tenant_id(row: &Row<'_>, at: usize) -> Result<TenantId, Fault> {
    let text = text(row, at)?;
    TenantId::parse(text).map_err(|_| unreadable("tenant", text))
}

pub(super) fn token_id(row: &Row<'_>, at: usize) -> Result<TokenId, Fault> {
    let text = text(row, at)?;
    TokenId::parse(text).map_err(|_| unreadable("token id", text))
}

pub(super) fn token_kind(row: &Row<'_>, at: usize) -> Result<TokenKind, Fault> {
    let text = text(row, at)?;
    TokenKind::parse(text).ok_or_else(|| unreadable("token kind", text))
}

pub(super) fn scopes(row: &Row<'_>, at: usize) -> Result<ScopeSet, Fault> {
    parse_scopes(text(row, at)?)
}

fn parse_scopes(text: &str) -> Result<ScopeSet, Fault> {
    // An empty text has no names, but would split into one empty name.
    let names = text.split(' ').filter(|_| !text.is_empty());
    ScopeSet::parse(names).map_err(|_| unreadable("scopes", text))
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

pub(super) fn get<T: FromSql>(row: &Row<'_>, at: usize) -> Result<T, Fault> {
    Ok(row.get(at)?)
}

fn wrong_type(error: rusqlite::types::FromSqlError) -> Fault {
    Fault::Value(format!("a column has the wrong type: {error}"))
}

fn unreadable(what: &str, found: &str) -> Fault {
    Fault::Value(format!("{what} {found:?}"))
}
