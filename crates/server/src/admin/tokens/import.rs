//! `POST /v1/tokens/import`: tokens that another system has issued, with the secrets that their
//! holders have.
//!
//! What is faulty in one item fails that item and is told by its place; nothing of it is quoted.
//! Ids and texts are the whole server's, so an operator of one tenant, who would be told "exists"
//! of another tenant's, does not import.

mod item;

use super::may_grant;
use super::view::TokenView;
use crate::admin::Admin;
use crate::admin::caller::{Caller, Manage, still_stands};
use crate::http::body::{Bounds, read_json_within};
use crate::http::{Problem, no_store};
use crate::service::import::{ImportRequest, Imported, PresentedAs};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use item::Item;
use rescind_core::{Timestamp, TokenId, TokenKind};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, hash_map::Entry};
use std::sync::Arc;
use utoipa::ToSchema;

/// Most tokens in one request.
const ITEMS_MAX: usize = 1_000;
/// Longest body: as many tokens with texts, labels and scopes of a usual length.
const IMPORT_BYTES_MAX: usize = 1024 * 1024;

/// There is no `Debug`: it holds secrets.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenImport)]
pub(super) struct Import {
    #[schema(min_items = 1, max_items = 1_000)]
    tokens: Vec<Item>,
}

const _: () = assert!(ITEMS_MAX == 1_000, "as it is documented above");

#[derive(Serialize, ToSchema)]
#[schema(as = ImportedTokens)]
struct ImportView {
    /// One for each that was sent, in the same order.
    items: Vec<ItemView>,
    imported: usize,
    existing: usize,
    refused: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ImportedToken)]
struct ItemView {
    /// Its place in the request, from 0.
    index: usize,
    outcome: Outcome,
    /// As it is now, unless it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ImportOutcome)]
enum Outcome {
    Imported,
    /// It was there before, with this owner and kind, and was left as it is; also if it has been
    /// revoked since.
    Exists,
    Refused,
}

/// Take over tokens that another system has issued, as text, as SHA-256, or with a signing secret.
///
/// Each is imported or refused by itself. An import that broke off can be sent again. Only for
/// operators without a tenant.
#[utoipa::path(
    post,
    path = "/v1/tokens/import",
    operation_id = "import_tokens",
    tag = "Tokens",
    request_body = Import,
    responses((status = 200, description = "What became of each.", body = ImportView)),
    security(("admin_token" = ["admin"])),
)]
pub(super) async fn import(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Manage>,
    request: Request,
) -> Result<Response, Problem> {
    caller.server_wide()?;
    let (parts, body) = request.into_parts();
    let bounds = Bounds { bytes_max: IMPORT_BYTES_MAX, ..Bounds::on(&parts.extensions) };
    let asked: Import = read_json_within(&parts.headers, body, bounds).await?;
    still_stands(&parts, &admin).await?;
    if !(1..=ITEMS_MAX).contains(&asked.tokens.len()) {
        return Err(Problem::bad_request(format!("tokens must have 1 to {ITEMS_MAX} items.")));
    }
    let now = admin.services.now();
    let (requests, refusals) = admin.checked(&caller, asked.tokens, now).await?;
    let mut outcomes = admin.services.import(requests, &caller.acting()).await?.into_iter();
    let items = refusals.into_iter().enumerate().map(|(index, refusal)| match refusal {
        Some(why) => ItemView::refused(index, why),
        None => ItemView::of(index, outcomes.next(), now),
    });
    Ok(no_store(axum::Json(ImportView::of(items.collect())).into_response()))
}

impl Admin {
    /// What can be imported; and of each item, why it cannot.
    async fn checked(
        &self,
        caller: &Caller<Manage>,
        items: Vec<Item>,
        now: Timestamp,
    ) -> Result<(Vec<ImportRequest>, Vec<Option<String>>), Problem> {
        let (mut seen, mut requests) = (HashMap::new(), Vec::new());
        let mut refusals = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let checked = match item.checked(now) {
                Ok(request) => self.granted(caller, request).await?,
                Err(fault) => Err(fault.detail().into()),
            };
            let refusal = match checked.and_then(|request| once(request, index, &mut seen)) {
                Ok(request) => {
                    requests.push(request);
                    None
                }
                Err(why) => Some(why),
            };
            refusals.push(refusal);
        }
        Ok((requests, refusals))
    }

    /// An operator's token is imported if it could be issued.
    async fn granted(
        &self,
        caller: &Caller<Manage>,
        request: ImportRequest,
    ) -> Result<Result<ImportRequest, String>, Problem> {
        if request.token.kind != TokenKind::Admin {
            return Ok(Ok(request));
        }
        let owner = self.owner(caller, &request.token.owner).await?;
        let tenant = owner.as_ref().and_then(|owner| owner.tenant.as_ref());
        let granted = may_grant(caller, tenant, &request.token.scopes);
        Ok(granted.map(|()| request).map_err(|fault| fault.detail().into()))
    }
}

/// What a token is found by.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Digest([u8; 32]),
    Id(TokenId),
}

fn once(
    request: ImportRequest,
    index: usize,
    seen: &mut HashMap<Key, usize>,
) -> Result<ImportRequest, String> {
    let key = match &request.presented_as {
        PresentedAs::Bearer(digest) => Key::Digest(*digest.as_bytes()),
        PresentedAs::Signing(id, _) => Key::Id(id.clone()),
    };
    match seen.entry(key) {
        Entry::Occupied(first) => Err(format!("It is the same as item {}.", first.get())),
        Entry::Vacant(place) => {
            place.insert(index);
            Ok(request)
        }
    }
}

impl ImportView {
    fn of(items: Vec<ItemView>) -> Self {
        let count = |outcome| items.iter().filter(|item| item.outcome == outcome).count();
        let (imported, existing) = (count(Outcome::Imported), count(Outcome::Exists));
        Self { imported, existing, refused: count(Outcome::Refused), items }
    }
}

impl ItemView {
    fn of(index: usize, outcome: Option<Imported>, now: Timestamp) -> Self {
        let (outcome, token) = match outcome {
            Some(Imported::Now(token)) => (Outcome::Imported, token),
            Some(Imported::Before(token)) => (Outcome::Exists, token),
            Some(Imported::Taken) => {
                return Self::refused(index, "This is the token of another owner or kind.");
            }
            Some(Imported::UnknownOwner) | None => {
                return Self::refused(index, "There is no such owner.");
            }
            Some(Imported::Denied(denial)) => return Self::refused(index, format!("{denial}.")),
        };
        Self { index, outcome, token: Some(TokenView::of(token, now)), detail: None }
    }

    fn refused(index: usize, why: impl Into<String>) -> Self {
        Self { index, outcome: Outcome::Refused, token: None, detail: Some(why.into()) }
    }
}
