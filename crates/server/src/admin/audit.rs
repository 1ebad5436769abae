//! `/v1/audit`: what was done, in order, each entry with the hash that binds it to all before it.
//!
//! One chain for the whole server, and so nothing for an operator of one tenant.

use super::Admin;
use super::caller::{Audit, Caller};
use super::extract::{Params, text};
use super::openapi::vocabulary::{self, FILTER_CHARS_MAX};
use super::page::{self, Limit, Page};
use super::tokens::time;
use crate::http::{Problem, no_store};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderValue, header};
use rescind_core::{Digest, audit};
use rescind_store::{AuditFilter, AuditRow, StoreError};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Entries of an export that are in memory at once.
const EXPORT_PAGE: u32 = 1_000;

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export)).routes(routes!(anchor))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Goes on after the entry with this number.
    #[param(minimum = 0)]
    after: Option<i64>,
    #[param(value_type = Option<Limit>)]
    limit: Option<u32>,
    /// `token:ID`, `owner:ID` or `system:NAME`.
    #[param(value_type = Option<vocabulary::FilterText>)]
    actor: Option<String>,
    /// Such as `token.revoked`.
    #[param(value_type = Option<vocabulary::FilterText>)]
    action: Option<String>,
    /// The id of what it was done to.
    #[param(value_type = Option<vocabulary::FilterText>)]
    subject: Option<String>,
    /// Not before this time.
    #[param(value_type = Option<vocabulary::Time>)]
    since: Option<String>,
    /// Before this time.
    #[param(value_type = Option<vocabulary::Time>)]
    until: Option<String>,
}

/// One thing that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
struct EntryView {
    /// From 1, without gaps.
    seq: u64,
    #[schema(value_type = vocabulary::Time)]
    at: String,
    actor: String,
    action: String,
    subject: String,
    /// Further facts as JSON, in the text that the hash covers.
    detail: String,
    /// SHA-256 of this entry and the hash before it, in hexadecimal.
    hash: String,
}

/// The end of the chain. Kept elsewhere, it shows whether entries were cut off later.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditAnchor)]
struct AnchorView {
    /// 0 if there is no entry.
    seq: u64,
    #[schema(value_type = Option<vocabulary::Time>, required)]
    at: Option<String>,
    hash: String,
}

/// List what was done, oldest first.
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "list_audit",
    tag = "Audit",
    params(ListQuery),
    responses((status = 200, description = "All that is asked for holds.", body = Page<EntryView>)),
    security(("admin_token" = ["audit"])),
)]
async fn list(
    State(admin): State<Arc<Admin>>,
    _: Caller<Audit>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let filter = AuditFilter { limit: limit + 1, ..query.filter()? };
    let rows = admin.services.store.audit(&filter).await?;
    Ok(page::answer(rows, limit, |row| row.entry.seq.to_string(), EntryView::from))
}

/// All of it, up to now: one entry a line.
///
/// An answer that breaks off is not all of it; the anchor says where it ends.
#[utoipa::path(
    get,
    path = "/v1/audit/export",
    operation_id = "export_audit",
    tag = "Audit",
    responses((status = 200, description = "JSON lines.", content_type = "application/jsonl",
               body = EntryView)),
    security(("admin_token" = ["audit"])),
)]
async fn export(State(admin): State<Arc<Admin>>, _: Caller<Audit>) -> Result<Response, Problem> {
    let end = admin.services.store.audit_head().await?.map_or(0, |head| head.entry.seq);
    let mut response = no_store(Body::from_stream(lines(admin, end)).into_response());
    let jsonl = HeaderValue::from_static("application/jsonl");
    response.headers_mut().insert(header::CONTENT_TYPE, jsonl);
    Ok(response)
}

/// The last entry's number and hash.
#[utoipa::path(
    get,
    path = "/v1/audit/anchor",
    operation_id = "get_audit_anchor",
    tag = "Audit",
    responses((status = 200, description = "To be kept elsewhere.", body = AnchorView)),
    security(("admin_token" = ["audit"])),
)]
async fn anchor(State(admin): State<Arc<Admin>>, _: Caller<Audit>) -> Result<Response, Problem> {
    let view = match admin.services.store.audit_head().await? {
        Some(head) => AnchorView {
            seq: head.entry.seq,
            at: Some(head.entry.at.to_rfc3339_millis()),
            hash: hex(&head.hash),
        },
        None => AnchorView { seq: 0, at: None, hash: hex(&audit::GENESIS) },
    };
    Ok(no_store(axum::Json(view).into_response()))
}

impl ListQuery {
    fn filter(self) -> Result<AuditFilter, Problem> {
        let text = |field, value: Option<String>| {
            value.map(|value| text(field, value, FILTER_CHARS_MAX)).transpose()
        };
        let time = |field, text: Option<String>| text.map(|text| time(field, &text)).transpose();
        let after = u64::try_from(self.after.unwrap_or(0));
        Ok(AuditFilter {
            after: after.map_err(|_| Problem::bad_request("after must not be negative."))?,
            actor: text("actor", self.actor)?,
            action: text("action", self.action)?,
            subject: text("subject", self.subject)?,
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            limit: 0,
        })
    }
}

/// Page by page, as fast as the client takes them. A fault breaks the answer off, so that nobody
/// takes a part for the whole.
fn lines(admin: Arc<Admin>, end: u64) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold((admin, 0), move |(admin, after)| async move {
        if after >= end {
            return Ok(None);
        }
        let filter = AuditFilter { after, limit: EXPORT_PAGE, ..AuditFilter::default() };
        let rows = admin.services.store.audit(&filter).await?;
        let mut page = String::new();
        let mut last = end;
        for row in rows.into_iter().filter(|row| row.entry.seq <= end) {
            last = row.entry.seq;
            page.push_str(&EntryView::from(row).line());
        }
        Ok(Some((Bytes::from(page), (admin, last))))
    })
}

impl EntryView {
    fn line(&self) -> String {
        // Texts and numbers: it cannot fail.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl From<AuditRow> for EntryView {
    fn from(row: AuditRow) -> Self {
        Self {
            seq: row.entry.seq,
            at: row.entry.at.to_rfc3339_millis(),
            actor: row.entry.actor.as_str().into(),
            action: row.entry.action,
            subject: row.entry.subject,
            detail: row.entry.detail,
            hash: hex(&row.hash),
        }
    }
}

fn hex(digest: &Digest) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest.as_bytes() {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
