//! Owners as the admin API shows them.

use rescind_core::{Owner, OwnerKind};
use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum OwnerView {
    User(UserView),
    Partner(PartnerView),
    Operator { id: String, name: String },
}

#[derive(Debug, Serialize)]
pub(super) struct UserView {
    id: String,
    email: String,
    first_name: String,
    last_name: String,
    tenant_id: String,
    suspended: bool,
    created_at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct PartnerView {
    id: String,
    issuer: String,
    subject: String,
    profile_id: i32,
    account: String,
    token_management: bool,
    /// Null sets no bound.
    allowed_scopes: Option<Vec<String>>,
    suspended: bool,
    created_at: String,
}

impl From<Owner> for OwnerView {
    fn from(owner: Owner) -> Self {
        let id = owner.id.to_string();
        let suspended = owner.state.is_suspended();
        let created_at = owner.created_at.to_rfc3339_millis();
        match owner.kind {
            OwnerKind::User { email, first_name, last_name, tenant } => {
                let tenant_id = tenant.to_string();
                Self::User(UserView {
                    id,
                    email,
                    first_name,
                    last_name,
                    tenant_id,
                    suspended,
                    created_at,
                })
            }
            OwnerKind::Partner { profile_id, account, issuer, subject } => {
                let scopes = owner.capabilities.allowed_scopes;
                Self::Partner(PartnerView {
                    id,
                    issuer,
                    subject,
                    profile_id,
                    account,
                    token_management: owner.capabilities.token_management,
                    allowed_scopes: scopes.map(|set| set.iter().map(Into::into).collect()),
                    suspended,
                    created_at,
                })
            }
            OwnerKind::Operator { name } => Self::Operator { id, name },
        }
    }
}
