//! What users, partners and operators have in common: how one is found, listed and changed.

use super::Admin;
use super::caller::{Caller, Manage, Needs, Read};
use super::extract::Segment;
use super::openapi::vocabulary;
use super::page;
use super::tenancy::Listed;
use crate::http::Problem;
use axum::response::Response;
use rescind_core::{NetworkSet, Owner, OwnerId, OwnerKind, ScopeSet, TenantId};
use rescind_store::{OwnerClass, OwnerError, OwnerFilter, OwnerUpdate};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Which users or operators to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only this tenant's.
    #[param(value_type = Option<vocabulary::TenantId>)]
    pub(super) tenant_id: Option<String>,
    /// Continue after this one: the `next` of the page before.
    #[param(value_type = Option<vocabulary::OwnerId>)]
    pub(super) after: Option<String>,
    /// How many at most.
    #[param(value_type = Option<page::Limit>)]
    pub(super) limit: Option<u32>,
}

/// One of a class, by its id. One of another class is as good as none: each has paths of its own.
pub(super) async fn find<S: Needs>(
    admin: &Admin,
    caller: &Caller<S>,
    id: &Segment,
    class: OwnerClass,
) -> Result<Owner, Problem> {
    let found = match id.owner_id() {
        Some(id) => admin.owner(caller, &id).await?,
        None => None,
    };
    found.filter(|owner| class_of(owner) == class).ok_or_else(|| nobody(class))
}

/// A page of a class, oldest first. A cursor that the caller may not see is as good as one that
/// there is not: nothing comes after it.
pub(super) async fn list<T: Serialize>(
    admin: &Admin,
    caller: &Caller<Read>,
    class: OwnerClass,
    query: &ListQuery,
    view: fn(Owner) -> T,
) -> Result<Response, Problem> {
    let limit = page::limit(query.limit)?;
    let after = page::after(query.after.as_deref(), OwnerId::parse)?;
    let asked = query.tenant_id.as_deref().map(super::extract::tenant).transpose()?;
    let goes_on = match &after {
        Some(after) => admin.owner(caller, after).await?.is_some(),
        None => true,
    };
    let rows = match caller.listed(asked) {
        Listed::Of(tenant) if goes_on => {
            let filter = OwnerFilter { class, tenant, after, limit: limit + 1 };
            admin.services.store.owners(&filter).await?
        }
        Listed::Of(_) | Listed::Nothing => Vec::new(),
    };
    Ok(page::answer(rows, limit, |owner| owner.id.to_string(), view))
}

/// Changes one that was found, and so may be seen.
pub(super) async fn update(
    admin: &Admin,
    caller: &Caller<Manage>,
    owner: Owner,
    update: OwnerUpdate,
) -> Result<Owner, Problem> {
    let by = admin.services.by(caller.acting());
    Ok(admin.services.store.update_owner(owner.id, update, by).await?)
}

pub(super) fn suspension(suspended: bool) -> OwnerUpdate {
    OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() }
}

pub(super) fn nobody(class: OwnerClass) -> Problem {
    Problem::not_found(match class {
        OwnerClass::User => "There is no such user.",
        OwnerClass::Partner => "There is no such partner.",
        OwnerClass::Operator => "There is no such operator.",
    })
}

pub(super) fn scope_names(scopes: Option<ScopeSet>) -> Option<Vec<String>> {
    scopes.map(|scopes| scopes.iter().map(Into::into).collect())
}

pub(super) fn blocks(networks: Option<NetworkSet>) -> Option<Vec<String>> {
    networks.map(|networks| networks.iter().map(ToString::to_string).collect())
}

pub(super) fn tenant_name(tenant: Option<TenantId>) -> Option<String> {
    tenant.map(|tenant| tenant.to_string())
}

fn class_of(owner: &Owner) -> OwnerClass {
    match owner.kind {
        OwnerKind::User { .. } => OwnerClass::User,
        OwnerKind::Partner { .. } => OwnerClass::Partner,
        OwnerKind::Operator { .. } => OwnerClass::Operator,
    }
}

impl From<OwnerError> for Problem {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::Unknown => Self::not_found("There is no such owner."),
            OwnerError::Exists => Self::conflict("This owner exists already."),
            OwnerError::Store(error) => error.into(),
        }
    }
}
