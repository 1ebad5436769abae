//! `POST /v1/revocations`: all tokens of a set, in one write, whatever their number.

use super::Admin;
use super::caller::{Caller, Needs, Revoke};
use super::extract::{Json, tenant};
use super::openapi::vocabulary;
use super::patience::{Prefer, PreferHeader};
use super::progress::{PendingView, Told, answer};
use super::tokens::vocabulary::RevocationReasonName;
use super::tokens::{Done, administers, reason, time};
use crate::http::Problem;
use crate::service::PATIENCE;
use axum::extract::State;
use axum::response::Response;
use rescind_core::{OwnerId, OwnerKind, TenantId, Timestamp};
use rescind_store::{IssuedBefore, OwnerClass, OwnerFilter, SetRevocation, TokenSet};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa::openapi::schema::{
    AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Exactly one of `owner_id`, `tenant_id` and `everything`: see [`Shapes`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    owner_id: Option<String>,
    tenant_id: Option<String>,
    everything: Option<bool>,
    issued_before: Option<String>,
    reason: Option<String>,
}

/// What [`Asked`] can be, for the document: one shape for each kind of set.
enum Shapes {}

#[derive(Serialize, ToSchema)]
#[schema(as = RevokedSet)]
struct RevokedSetView {
    level: Level,
    /// The owner's or the tenant's id.
    #[schema(required)]
    subject: Option<String>,
    /// Every token of the set that was issued before this is revoked. Later than was asked, if an
    /// earlier revocation of this set reached farther.
    #[schema(value_type = vocabulary::Time)]
    not_before: String,
    #[schema(value_type = RevocationReasonName)]
    reason: &'static str,
    #[serde(flatten)]
    #[schema(value_type = Done)]
    told: Told,
}

/// The same of one that is not settled, for the document.
#[derive(ToSchema)]
#[schema(as = PendingSet)]
#[expect(dead_code, reason = "it is written as a `RevokedSetView`")]
struct PendingSet {
    level: Level,
    /// The owner's or the tenant's id.
    #[schema(required)]
    subject: Option<String>,
    /// Every token of the set that was issued before this is revoked.
    #[schema(value_type = vocabulary::Time)]
    not_before: String,
    #[schema(value_type = RevocationReasonName)]
    reason: &'static str,
    #[serde(flatten)]
    told: PendingView,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = RevocationLevel)]
enum Level {
    Owner,
    Tenant,
    Everything,
}

/// Revoke all tokens of an owner, of a tenant, or of everybody.
///
/// Those issued before `issued_before`, which is not in the future; if it is left out, all that
/// there are now. Tokens that are issued afterwards are valid. A set with operators' tokens in it
/// needs the scope `admin` besides; everything, an operator without a tenant.
#[utoipa::path(
    post,
    path = "/v1/revocations",
    operation_id = "revoke_tokens",
    tag = "Tokens",
    params(PreferHeader),
    request_body = Shapes,
    responses(
        (status = 200, description = "No node accepts them any more.", body = RevokedSetView),
        (status = 202, description = "They are revoked, for good, and a node that has not answered \
                                      may accept them until its lease ends.", body = PendingSet,
         headers(("Location" = String, description = "Where to ask how far it is."))),
        (status = 404, description = "No such owner or tenant."),
        (status = 409, description = "`issued_before` lies in the future; or nobody could \
                                      administer afterwards."),
    ),
    security(("admin_token" = ["revoke"])),
)]
async fn create(
    State(admin): State<Arc<Admin>>,
    caller: Caller<Revoke>,
    prefer: Prefer,
    Json(asked): Json<Asked>,
) -> Result<Response, Problem> {
    let reason = reason(asked.reason.as_deref())?;
    let issued_before = asked.issued_before(admin.services.now())?;
    let set = admin.set(&caller, asked).await?;
    let (level, subject) = match &set {
        TokenSet::Owner(id) => (Level::Owner, Some(id.to_string())),
        TokenSet::Tenant(id) => (Level::Tenant, Some(id.to_string())),
        TokenSet::Everything => (Level::Everything, None),
    };
    let what = SetRevocation { set, issued_before, reason };
    let patience = prefer.patience(&caller, PATIENCE);
    let revoking = admin.services.revoke_set_within(what, caller.acting(), patience);
    let (not_before, progress) = revoking.await?;
    let view = RevokedSetView {
        level,
        subject,
        not_before: not_before.to_rfc3339_millis(),
        reason: reason.as_str(),
        told: Told::of(progress, &caller),
    };
    Ok(answer(&progress, prefer, view))
}

impl PartialSchema for Shapes {
    fn schema() -> RefOr<Schema> {
        let named = |name| RefOr::from(Ref::from_schema_name(name));
        let or_null = |name| {
            let null = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null));
            OneOfBuilder::new().item(named(name)).item(null)
        };
        let yes = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Boolean))
            .enum_values(Some([true]));
        let everything = "Tokens of all users and partners. Operators keep theirs.";
        let sets = [
            ("Tokens of one owner.", "owner_id", named("OwnerId")),
            (
                "Tokens of a tenant's owners, its operators included.",
                "tenant_id",
                named("TenantId"),
            ),
            (everything, "everything", RefOr::T(yes.into())),
        ];
        let shapes = sets.map(|(about, name, schema)| {
            ObjectBuilder::new()
                .description(Some(about))
                .property(name, schema)
                .required(name)
                .property("issued_before", or_null("Time"))
                .property("reason", or_null("RevocationReasonName"))
                .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        });
        let one_of = shapes.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item);
        RefOr::T(one_of.into())
    }
}

impl ToSchema for Shapes {
    fn name() -> Cow<'static, str> {
        "SetRevocation".into()
    }
}

impl Asked {
    fn issued_before(&self, now: Timestamp) -> Result<IssuedBefore, Problem> {
        let Some(text) = &self.issued_before else { return Ok(IssuedBefore::ThisWrite) };
        match time("issued_before", text)? {
            // It would take back what is yet to be issued.
            moment if moment > now => {
                Err(Problem::conflict("issued_before must not lie in the future."))
            }
            moment => Ok(IssuedBefore::Moment(moment)),
        }
    }
}

impl Admin {
    async fn set(&self, caller: &Caller<Revoke>, asked: Asked) -> Result<TokenSet, Problem> {
        match (asked.owner_id, asked.tenant_id, asked.everything) {
            (Some(id), None, None) => self.all_of_owner(caller, &id).await,
            (None, Some(id), None) => self.all_of_tenant(caller, tenant(&id)?).await,
            (None, None, Some(true)) => caller.server_wide().map(|()| TokenSet::Everything),
            _ => {
                let detail = "Send one of owner_id, tenant_id and everything (true).";
                Err(Problem::bad_request(detail))
            }
        }
    }

    async fn all_of_owner(&self, caller: &Caller<Revoke>, id: &str) -> Result<TokenSet, Problem> {
        let id = OwnerId::parse(id);
        let id = id.map_err(|fault| Problem::bad_request(format!("owner_id: {fault}.")))?;
        let owner = self.owner(caller, &id).await?;
        let owner = owner.ok_or_else(|| Problem::not_found("There is no such owner."))?;
        if matches!(owner.kind, OwnerKind::Operator { .. }) {
            administers(caller)?;
        }
        Ok(TokenSet::Owner(id))
    }

    /// A tenant is there if anybody belongs to it: a mistyped name must not look like a success.
    async fn all_of_tenant(
        &self,
        caller: &Caller<Revoke>,
        id: TenantId,
    ) -> Result<TokenSet, Problem> {
        if self.has_any(caller, &id, OwnerClass::Operator).await? {
            administers(caller)?;
            return Ok(TokenSet::Tenant(id));
        }
        for class in [OwnerClass::User, OwnerClass::Partner] {
            if self.has_any(caller, &id, class).await? {
                return Ok(TokenSet::Tenant(id));
            }
        }
        Err(Problem::not_found("There is no such tenant."))
    }

    async fn has_any<S: Needs>(
        &self,
        caller: &Caller<S>,
        tenant: &TenantId,
        class: OwnerClass,
    ) -> Result<bool, Problem> {
        let filter = OwnerFilter { class, tenant: Some(tenant.clone()), after: None, limit: 1 };
        let found = self.services.store.owners(&filter).await?;
        Ok(caller.seen(found.into_iter().next()).is_some())
    }
}
