//! Queries: each a statement of its own, on a read-only connection.

use super::{fault::Fault, rows};
use crate::{
    AuditFilter, AuditRow, Epoch, OwnerClass, OwnerFilter, Standing, StoredToken, StoredUser,
    TokenFilter,
};
use rescind_core::{
    Actor, Digest, Owner, OwnerId, Scope, TenantId, Timestamp, TokenId, TokenKind, audit,
};
use rusqlite::{Connection, OptionalExtension, Params, Row, named_params};

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

/// The conditions that are not asked for are left out, so that the tenant's index serves.
pub(super) fn owners(sql: &Connection, filter: &OwnerFilter) -> Result<Vec<Owner>, Fault> {
    let kind = match filter.class {
        OwnerClass::User => "user",
        OwnerClass::Partner => "partner",
        OwnerClass::Operator => "operator",
    };
    let tenant = if filter.tenant.is_some() { "tenant = :tenant" } else { ":tenant IS NULL" };
    let query = owners_where(&format!(
        "kind = :kind AND {tenant} AND seq > CASE WHEN :after IS NULL THEN 0 ELSE
             (SELECT seq FROM owners WHERE id = :after) END
         ORDER BY seq LIMIT :limit"
    ));
    let params = named_params! {
        ":kind": kind,
        ":tenant": filter.tenant.as_ref().map(TenantId::as_str),
        ":after": filter.after.as_ref().map(OwnerId::as_str),
        ":limit": filter.limit,
    };
    many(sql, &query, params, rows::owner)
}

pub(super) fn token(sql: &Connection, id: &TokenId) -> Result<Option<StoredToken>, Fault> {
    one(sql, &rows::tokens_where("tokens.id = ?1"), [id.as_str()], rows::token)
}

pub(super) fn token_by_digest(
    sql: &Connection,
    digest: &Digest,
) -> Result<Option<StoredToken>, Fault> {
    one(sql, &rows::tokens_where("tokens.digest = ?1"), [digest.as_bytes()], rows::token)
}

/// The conditions that are not asked for are left out, so that the owner's index serves.
pub(super) fn tokens(sql: &Connection, filter: &TokenFilter) -> Result<Vec<StoredToken>, Fault> {
    let asked = |asked: bool, condition: &'static str, parameter: &str| match asked {
        true => condition.to_owned(),
        false => format!("{parameter} IS NULL"),
    };
    let conditions = [
        asked(filter.owner.is_some(), "tokens.owner = :owner", ":owner"),
        asked(filter.tenant.is_some(), "owners.tenant = :tenant", ":tenant"),
        asked(filter.kind.is_some(), "tokens.kind = :kind", ":kind"),
        asked(
            filter.scope.is_some(),
            "instr(' ' || tokens.scopes || ' ', ' ' || :scope || ' ') > 0",
            ":scope",
        ),
        asked(filter.issued_before.is_some(), "tokens.issued_at < :before", ":before"),
        asked(filter.issued_after.is_some(), "tokens.issued_at >= :since", ":since"),
        standing(filter.standing.map(|(standing, _)| standing)),
    ];
    let query = rows::tokens_where(&format!(
        "{} AND tokens.seq > CASE WHEN :after IS NULL THEN 0 ELSE
             (SELECT seq FROM tokens WHERE id = :after) END
         ORDER BY tokens.seq LIMIT :limit",
        conditions.join(" AND ")
    ));
    let params = named_params! {
        ":owner": filter.owner.as_ref().map(OwnerId::as_str),
        ":tenant": filter.tenant.as_ref().map(TenantId::as_str),
        ":kind": filter.kind.map(TokenKind::as_str),
        ":scope": filter.scope.as_ref().map(Scope::as_str),
        ":before": filter.issued_before.map(Timestamp::as_millis),
        ":since": filter.issued_after.map(Timestamp::as_millis),
        ":now": filter.standing.map(|(_, now)| now.as_millis()),
        ":after": filter.after.as_ref().map(TokenId::as_str),
        ":limit": filter.limit,
    };
    many(sql, &query, params, rows::token)
}

/// Revoked counts more than expired, and one of a set that was taken back is revoked.
fn standing(standing: Option<Standing>) -> String {
    let taken_back = format!("ifnull(tokens.issued_at < {}, FALSE)", rows::NOT_BEFORE);
    let revoked = format!("(tokens.revoked_at IS NOT NULL OR {taken_back})");
    let expired = "ifnull(tokens.expires_at <= :now, FALSE)";
    match standing {
        None => ":now IS NULL".into(),
        Some(Standing::Revoked) => format!("(:now IS NOT NULL AND {revoked})"),
        Some(Standing::Expired) => format!("({expired} AND NOT {revoked})"),
        Some(Standing::Active) => {
            format!("(tokens.revoked_at IS NULL AND NOT {expired} AND NOT {taken_back})")
        }
    }
}

pub(super) fn audit(sql: &Connection, filter: &AuditFilter) -> Result<Vec<AuditRow>, Fault> {
    // SQLite counts in 63 bits; nothing comes after more than that.
    let after = i64::try_from(filter.after).unwrap_or(i64::MAX);
    let query = format!(
        "SELECT {AUDIT_COLUMNS} FROM audit
         WHERE seq > :after AND (:actor IS NULL OR actor = :actor)
             AND (:action IS NULL OR action = :action)
             AND (:subject IS NULL OR subject = :subject)
             AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
         ORDER BY seq LIMIT :limit"
    );
    let params = named_params! {
        ":after": after,
        ":actor": filter.actor,
        ":action": filter.action,
        ":subject": filter.subject,
        ":since": filter.since.map(Timestamp::as_millis),
        ":until": filter.until.map(Timestamp::as_millis),
        ":limit": filter.limit,
    };
    many(sql, &query, params, audit_row)
}

pub(super) fn audit_head(sql: &Connection) -> Result<Option<AuditRow>, Fault> {
    let query = format!("SELECT {AUDIT_COLUMNS} FROM audit ORDER BY seq DESC LIMIT 1");
    one(sql, &query, [], audit_row)
}

const AUDIT_COLUMNS: &str = "seq, at, actor, action, subject, detail, hash";

fn audit_row(row: &Row<'_>) -> Result<AuditRow, Fault> {
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
