//! `PATCH /v1/tokens/{id}`: a token can be renamed, do less, or be used from elsewhere.

use super::view::TokenView;
use super::{administers, may_touch, no_such_token, time};
use crate::admin::Admin;
use crate::admin::caller::{Caller, Issue};
use crate::admin::extract::{Json, Segment, given, networks, scopes, text};
use crate::admin::openapi::vocabulary::{self, LABEL_CHARS_MAX};
use crate::http::{Problem, no_store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use rescind_core::{TokenKind, TokenUpdate, Widening};
use rescind_store::{StoredToken, UpdateError};
use serde::{Deserialize, Deserializer};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenUpdate)]
pub(super) struct Change {
    /// Null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Label>)]
    label: Option<Option<String>>,
    /// Some of those that it has.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = vocabulary::Scopes, required = false)]
    scopes: Option<Vec<String>>,
    /// Not later than it would end without. What has passed ends it now.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = vocabulary::Time, required = false)]
    expires_at: Option<String>,
    /// Any; null is everywhere, an empty list nowhere.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<vocabulary::Networks>)]
    allowed_networks: Option<Option<Vec<String>>>,
}

/// Rename a token, let it do less, or say where it may be used from.
///
/// Holds at once, everywhere. What is left out stays as it is. Another operator's token, and the
/// networks of one's own, need the scope `admin` besides.
#[utoipa::path(
    patch,
    path = "/v1/tokens/{id}",
    operation_id = "update_token",
    tag = "Tokens",
    params(("id" = vocabulary::TokenId, Path)),
    request_body = Change,
    responses(
        (status = 200, description = "As it is now.", body = TokenView),
        (status = 409, description = "It is revoked; or would do more than it does; or nobody \
                                      could administer afterwards; or it is the one that asks, \
                                      which could not ask again."),
    ),
    security(("admin_token" = ["issue"])),
)]
pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Issue>,
    id: Segment,
    Json(change): Json<Change>,
) -> Result<Response, Problem> {
    let update = change.checked()?;
    let token = admin.named_token(&caller, &id).await?;
    may_touch(&caller, &token)?;
    if token.record.kind == TokenKind::Admin
        && let Some(networks) = &update.allowed_networks
    {
        // Whoever has a stolen one could take it home.
        administers(&caller)?;
        let own = token.record.id == caller.token_id();
        if own && networks.as_ref().is_some_and(|networks| !caller.is_within(networks)) {
            let detail = "allowed_networks: your own token could not be used from where you are.";
            return Err(Problem::conflict(detail));
        }
    }
    let by = admin.services.by(caller.acting());
    let now = by.at;
    let record = admin.services.store.update_token(token.record.id.clone(), update, by).await?;
    let view = TokenView::of(StoredToken { record, ..token }, now);
    Ok(no_store(axum::Json(view).into_response()))
}

impl Change {
    fn checked(self) -> Result<TokenUpdate, Problem> {
        let label = |label| text("label", label, LABEL_CHARS_MAX);
        Ok(TokenUpdate {
            label: self.label.map(|given| given.map(label).transpose()).transpose()?,
            scopes: self.scopes.as_deref().map(scopes).transpose()?,
            expires_at: self.expires_at.map(|end| time("expires_at", &end)).transpose()?,
            allowed_networks: self
                .allowed_networks
                .map(|given| given.as_deref().map(networks).transpose())
                .transpose()?,
        })
    }
}

/// For a field that may be left out, and has no null.
fn not_null<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<UpdateError> for Problem {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Unknown => no_such_token(),
            UpdateError::Revoked => Self::conflict("The token is revoked."),
            UpdateError::Widening(widening) => {
                let field = match widening {
                    Widening::Scopes => "scopes",
                    Widening::Expiry => "expires_at",
                };
                Self::conflict(format!("{field}: {widening}."))
            }
            UpdateError::Store(error) => error.into(),
        }
    }
}
