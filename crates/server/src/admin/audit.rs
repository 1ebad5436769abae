//! `/v1/audit`: what was done, in order, each entry with the hash that binds it to all before it.

use super::Admin;
use super::caller::{Audit, Caller};
use super::extract::Params;
use super::page;
use crate::http::Problem;
use axum::extract::State;
use axum::response::Response;
use rescind_store::AuditRow;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct EntryView {
    seq: u64,
    at: String,
    actor: String,
    action: String,
    subject: String,
    detail: String,
    hash: String,
}

pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    _: Caller<Audit>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let rows = admin.services.store.audit(query.after.unwrap_or(0), limit + 1).await?;
    Ok(page::answer(rows, limit, |row| row.entry.seq.to_string(), EntryView::from))
}

impl From<AuditRow> for EntryView {
    fn from(row: AuditRow) -> Self {
        let mut hash = String::with_capacity(64);
        for byte in row.hash.as_bytes() {
            let _ = write!(hash, "{byte:02x}");
        }
        Self {
            seq: row.entry.seq,
            at: row.entry.at.to_rfc3339_millis(),
            actor: row.entry.actor.as_str().into(),
            action: row.entry.action,
            subject: row.entry.subject,
            detail: row.entry.detail,
            hash,
        }
    }
}
