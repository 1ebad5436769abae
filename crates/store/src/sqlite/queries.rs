//! Queries: each a statement of its own, on a read-only connection.

use super::{fault::Fault, rows};
use crate::{AuditRow, Epoch, OwnerClass, StoredToken, StoredUser, TokenFilter};
use rescind_core::{Actor, Digest, Owner, OwnerId, TokenId, TokenKind, audit};
use rusqlite::{Connection, OptionalExtension, Params, Row, named_params, params};

pub(super) fn owner(sql: &Connection, id: &OwnerId) -> Result<Option<Owner>, Fault> {
    one(sql, &owners_where("id = ?1"), [id.as_str()], rows::owner)
}

pub(super) fn user_by_email(sql: &Connection, email: &str) -> Result<Option<StoredUser>, Fault> {
    let query =
        format!("SELECT {}, password_hash FROM owners WHERE email = ?1", rows::OWNER_COLUMNS);
    one(sql, &query, [email], |row| {
        Ok(StoredUser { owner: rows::owner(row)?, password_hash: row.get("password_hash")? })
    })
}

pub(super) fn partner_by_subject(
    sql: &Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<Owner>, Fault> {
    one(sql, &owners_where("issuer = ?1 AND subject = ?2"), [issuer, subject], rows::owner)
}

pub(super) fn owners(
    sql: &Connection,
    class: OwnerClass,
    after: Option<&OwnerId>,
    limit: u32,
) -> Result<Vec<Owner>, Fault> {
    let kind = match class {
        OwnerClass::User => "user",
        OwnerClass::Partner => "partner",
        OwnerClass::Operator => "operator",
    };
    let query = owners_where(
        "kind = ?1 AND seq > CASE WHEN ?2 IS NULL THEN 0 ELSE
             (SELECT seq FROM owners WHERE id = ?2) END
         ORDER BY seq LIMIT ?3",
    );
    many(sql, &query, params![kind, after.map(OwnerId::as_str), limit], rows::owner)
}

pub(super) fn token(sql: &Connection, id: &TokenId) -> Result<Option<StoredToken>, Fault> {
    let query = format!("SELECT {} FROM tokens WHERE id = ?1", rows::TOKEN_COLUMNS);
    one(sql, &query, [id.as_str()], rows::token)
}

/// The conditions that are not asked for are left out, so that the owner's index serves.
pub(super) fn tokens(sql: &Connection, filter: &TokenFilter) -> Result<Vec<StoredToken>, Fault> {
    let owner = if filter.owner.is_some() { "owner = :owner" } else { ":owner IS NULL" };
    let kind = if filter.kind.is_some() { "kind = :kind" } else { ":kind IS NULL" };
    let active = if filter.active_only { "revoked_at IS NULL" } else { "TRUE" };
    let query = format!(
        "SELECT {} FROM tokens
         WHERE {owner} AND {kind} AND {active} AND seq > CASE WHEN :after IS NULL THEN 0 ELSE
             (SELECT seq FROM tokens WHERE id = :after) END
         ORDER BY seq LIMIT :limit",
        rows::TOKEN_COLUMNS
    );
    let params = named_params! {
        ":owner": filter.owner.as_ref().map(OwnerId::as_str),
        ":kind": filter.kind.map(TokenKind::as_str),
        ":after": filter.after.as_ref().map(TokenId::as_str),
        ":limit": filter.limit,
    };
    many(sql, &query, params, rows::token)
}

pub(super) fn audit(sql: &Connection, after: u64, limit: u32) -> Result<Vec<AuditRow>, Fault> {
    // SQLite counts in 63 bits; nothing comes after more than that.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let query = "SELECT seq, at, actor, action, subject, detail, hash FROM audit
                 WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    many(sql, query, params![after, limit], |row| {
        Ok(AuditRow {
            entry: audit::Entry {
                seq: row.get(0)?,
                at: rows::time(row, 1)?,
                actor: Actor::from_stored(&rows::get::<String>(row, 2)?),
                action: row.get(3)?,
                subject: row.get(4)?,
                detail: row.get(5)?,
            },
            hash: Digest::from_bytes(row.get(6)?),
        })
    })
}

pub(super) fn epoch(sql: &Connection) -> Result<Epoch, Fault> {
    Ok(sql.prepare_cached("SELECT n FROM epoch")?.query_row([], |row| row.get(0))?)
}

fn owners_where(condition: &str) -> String {
    format!("SELECT {} FROM owners WHERE {condition}", rows::OWNER_COLUMNS)
}

fn one<T>(
    sql: &Connection,
    query: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    sql.prepare_cached(query)?.query_row(params, |row| Ok(read(row))).optional()?.transpose()
}

fn many<T>(
    sql: &Connection,
    query: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = sql.prepare_cached(query)?;
    let mut found = statement.query(params)?;
    let mut values = Vec::new();
    while let Some(row) = found.next()? {
        values.push(read(row)?);
    }
    Ok(values)
}
