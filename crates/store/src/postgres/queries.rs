//! Queries: each a statement of its own. Conditions that are not asked for are left out, so that the
//! indices serve.

use super::{
    readers::Readers,
    rows::{AUDIT_COLUMNS, Columns, NOT_BEFORE, OWNER_COLUMNS, signed, tokens_where},
    tx::Parameter,
};
use crate::{
    AuditFilter, AuditRow, Epoch, OwnerClass, OwnerFilter, Standing, StoreError, StoredToken,
    StoredUser, TokenFilter,
};
use rescind_core::{Digest, Owner, OwnerId, Scope, TenantId, TokenId, TokenKind};
use tokio_postgres::types::ToSql;

pub(super) async fn owner(readers: &Readers, id: &OwnerId) -> Result<Option<Owner>, StoreError> {
    let row = readers.row(&owners_where("id = $1"), &[&id.as_str()]).await?;
    Ok(row.map(|row| Columns::of(&row).owner()).transpose()?)
}

pub(super) async fn user_by_email(
    readers: &Readers,
    email: &str,
) -> Result<Option<StoredUser>, StoreError> {
    if !can_be_stored(email) {
        return Ok(None);
    }
    let query = format!("SELECT {OWNER_COLUMNS}, password_hash FROM owners WHERE email = $1");
    let Some(row) = readers.row(&query, &[&email]).await? else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some(StoredUser { owner: columns.owner()?, password_hash: columns.get()? }))
}

pub(super) async fn partner_by_subject(
    readers: &Readers,
    issuer: &str,
    subject: &str,
) -> Result<Option<Owner>, StoreError> {
    if !can_be_stored(issuer) || !can_be_stored(subject) {
        return Ok(None);
    }
    let query = owners_where("issuer = $1 AND subject = $2");
    let row = readers.row(&query, &[&issuer, &subject]).await?;
    Ok(row.map(|row| Columns::of(&row).owner()).transpose()?)
}

pub(super) async fn owners(
    readers: &Readers,
    filter: &OwnerFilter,
) -> Result<Vec<Owner>, StoreError> {
    let mut asked = Asked::default();
    asked.must(
        "kind =",
        match filter.class {
            OwnerClass::User => "user",
            OwnerClass::Partner => "partner",
            OwnerClass::Operator => "operator",
        },
    );
    asked.may("tenant =", filter.tenant.as_ref().map(|id| TenantId::as_str(id).to_owned()));
    if let Some(after) = &filter.after {
        let after = asked.parameter(after.as_str().to_owned());
        asked.condition(format!("seq > (SELECT seq FROM owners WHERE id = {after})"));
    }
    let (conditions, parameters) = asked.limited("seq", filter.limit);
    let rows = readers.rows(&owners_where(&conditions), &borrowed(&parameters)).await?;
    Ok(rows.iter().map(|row| Columns::of(row).owner()).collect::<Result<_, _>>()?)
}

pub(super) async fn token(
    readers: &Readers,
    id: &TokenId,
) -> Result<Option<StoredToken>, StoreError> {
    let row = readers.row(&tokens_where("tokens.id = $1"), &[&id.as_str()]).await?;
    Ok(row.map(|row| Columns::of(&row).token()).transpose()?)
}

pub(super) async fn token_by_digest(
    readers: &Readers,
    digest: &Digest,
) -> Result<Option<StoredToken>, StoreError> {
    let digest = digest.as_bytes().as_slice();
    let row = readers.row(&tokens_where("tokens.digest = $1"), &[&digest]).await?;
    Ok(row.map(|row| Columns::of(&row).token()).transpose()?)
}

pub(super) async fn tokens(
    readers: &Readers,
    filter: &TokenFilter,
) -> Result<Vec<StoredToken>, StoreError> {
    let mut asked = Asked::default();
    asked.may("tokens.owner =", filter.owner.as_ref().map(|id| OwnerId::as_str(id).to_owned()));
    asked.may("owners.tenant =", filter.tenant.as_ref().map(|id| TenantId::as_str(id).to_owned()));
    asked.may("tokens.kind =", filter.kind.map(TokenKind::as_str));
    let scope = filter.scope.as_ref().map(|scope| format!(" {} ", Scope::as_str(scope)));
    if let Some(scope) = scope {
        let scope = asked.parameter(scope);
        asked.condition(format!("position({scope}::text IN ' ' || tokens.scopes || ' ') > 0"));
    }
    asked.may("tokens.issued_at <", filter.issued_before.map(|time| time.as_millis()));
    asked.may("tokens.issued_at >=", filter.issued_after.map(|time| time.as_millis()));
    if let Some((standing, now)) = filter.standing {
        let now = asked.parameter(now.as_millis());
        asked.condition(of_standing(standing, &now));
    }
    if let Some(after) = &filter.after {
        let after = asked.parameter(after.as_str().to_owned());
        asked.condition(format!("tokens.seq > (SELECT seq FROM tokens WHERE id = {after})"));
    }
    let (conditions, parameters) = asked.limited("tokens.seq", filter.limit);
    let rows = readers.rows(&tokens_where(&conditions), &borrowed(&parameters)).await?;
    Ok(rows.iter().map(|row| Columns::of(row).token()).collect::<Result<_, _>>()?)
}

/// Revoked counts more than expired, and one of a set that was taken back is revoked.
fn of_standing(standing: Standing, now: &str) -> String {
    let taken_back = format!("coalesce(tokens.issued_at < {NOT_BEFORE}, FALSE)");
    let revoked = format!("(tokens.revoked_at IS NOT NULL OR {taken_back})");
    let expired = format!("coalesce(tokens.expires_at <= {now}, FALSE)");
    match standing {
        // The time is asked for in no other way.
        Standing::Revoked => format!("({now}::bigint IS NOT NULL AND {revoked})"),
        Standing::Expired => format!("({expired} AND NOT {revoked})"),
        Standing::Active => {
            format!("(tokens.revoked_at IS NULL AND NOT {expired} AND NOT {taken_back})")
        }
    }
}

pub(super) async fn audit(
    readers: &Readers,
    filter: &AuditFilter,
) -> Result<Vec<AuditRow>, StoreError> {
    let texts = [&filter.actor, &filter.action, &filter.subject];
    if !texts.into_iter().flatten().all(|text| can_be_stored(text)) {
        return Ok(Vec::new());
    }
    let mut asked = Asked::default();
    asked.must("seq >", signed(filter.after));
    asked.may("actor =", filter.actor.clone());
    asked.may("action =", filter.action.clone());
    asked.may("subject =", filter.subject.clone());
    asked.may("at >=", filter.since.map(|time| time.as_millis()));
    asked.may("at <", filter.until.map(|time| time.as_millis()));
    let (conditions, parameters) = asked.limited("seq", filter.limit);
    let query = format!("SELECT {AUDIT_COLUMNS} FROM audit WHERE {conditions}");
    let rows = readers.rows(&query, &borrowed(&parameters)).await?;
    Ok(rows.iter().map(|row| Columns::of(row).audit_row()).collect::<Result<_, _>>()?)
}

pub(super) async fn audit_head(readers: &Readers) -> Result<Option<AuditRow>, StoreError> {
    let query = format!("SELECT {AUDIT_COLUMNS} FROM audit ORDER BY seq DESC LIMIT 1");
    let row = readers.row(&query, &[]).await?;
    Ok(row.map(|row| Columns::of(&row).audit_row()).transpose()?)
}

pub(super) async fn epoch(readers: &Readers) -> Result<Epoch, StoreError> {
    let row = readers.row("SELECT n FROM epoch", &[]).await?;
    let epoch = row.map(|row| Columns::of(&row).count()).transpose()?;
    epoch.ok_or_else(|| StoreError::Corrupt("the epoch is not there".into()))
}

/// PostgreSQL has no texts with a NUL in them, and refuses to look for one. Whoever sends it is told
/// that there is none, and not that the store is unavailable.
fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

fn owners_where(conditions: &str) -> String {
    format!("SELECT {OWNER_COLUMNS} FROM owners WHERE {conditions}")
}

type Owned = Box<dyn ToSql + Send + Sync>;

/// Conditions that must all hold, and their parameters in order.
#[derive(Default)]
struct Asked {
    conditions: Vec<String>,
    parameters: Vec<Owned>,
}

impl Asked {
    /// Its name in the statement.
    fn parameter(&mut self, value: impl ToSql + Send + Sync + 'static) -> String {
        self.parameters.push(Box::new(value));
        format!("${}", self.parameters.len())
    }

    fn condition(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    fn must(&mut self, comparison: &str, value: impl ToSql + Send + Sync + 'static) {
        let value = self.parameter(value);
        self.condition(format!("{comparison} {value}"));
    }

    fn may(&mut self, comparison: &str, value: Option<impl ToSql + Send + Sync + 'static>) {
        if let Some(value) = value {
            self.must(comparison, value);
        }
    }

    fn limited(mut self, order: &str, limit: u32) -> (String, Vec<Owned>) {
        let limit = self.parameter(i64::from(limit));
        let conditions = match self.conditions.is_empty() {
            true => "TRUE".into(),
            false => self.conditions.join(" AND "),
        };
        (format!("{conditions} ORDER BY {order} LIMIT {limit}"), self.parameters)
    }
}

fn borrowed(parameters: &[Owned]) -> Vec<Parameter<'_>> {
    parameters.iter().map(|value| &**value as Parameter<'_>).collect()
}
