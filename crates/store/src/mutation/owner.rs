//! Owners: made, changed, and what is said of it.

use super::{blocks, holding, names};
use crate::{By, NewOwner, OwnerUpdate, rows::KindColumns};
use rescind_core::{Capabilities, Owner, OwnerKind, OwnerState, TenantId, Timestamp};
use serde_json::{Map, Value, json};

/// First `profile_id` that is given to a partner.
pub(crate) const PROFILE_ID_FIRST: i64 = 1001;

/// A partner's `profile_id` has been given already.
pub(crate) fn created(new: NewOwner, by: &By) -> Owner {
    Owner {
        id: new.id,
        kind: new.kind,
        tenant: new.tenant,
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: new.token_management,
            allowed_scopes: new.allowed_scopes,
            allowed_networks: new.allowed_networks,
        },
        created_at: by.at,
    }
}

pub(crate) fn creation(owner: &Owner) -> Value {
    let mut detail = match &owner.kind {
        OwnerKind::User { email, .. } => json!({"email": email}),
        OwnerKind::Partner { profile_id, issuer, subject, .. } => {
            json!({"profile_id": profile_id, "issuer": issuer, "subject": subject})
        }
        OwnerKind::Operator { name } => json!({"name": name}),
    };
    let capabilities = json!({
        "kind": owner.kind.as_str(),
        "tenant": owner.tenant.as_ref().map(TenantId::as_str),
        "token_management": owner.capabilities.token_management,
        "allowed_scopes": owner.capabilities.allowed_scopes.as_ref().map(names),
        "allowed_networks": owner.capabilities.allowed_networks.as_ref().map(blocks),
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), capabilities) {
        detail.extend(more);
    }
    detail
}

/// `not_before` is the bound that the update asks for, as the store has it; it never goes back.
pub(crate) fn updated(
    before: &Owner,
    update: OwnerUpdate,
    not_before: Option<Timestamp>,
    by: &By,
) -> Owner {
    let mut after = before.clone();
    after.not_before = before.not_before.max(not_before);
    match update.suspended {
        // Suspended twice keeps the evidence of the first time.
        Some(true) if !before.state.is_suspended() => {
            after.state = OwnerState::Suspended { at: by.at, by: by.actor.clone() };
        }
        Some(false) => after.state = OwnerState::Active,
        _ => {}
    }
    if let Some(on) = update.token_management {
        after.capabilities.token_management = on;
    }
    if let Some(scopes) = update.allowed_scopes {
        after.capabilities.allowed_scopes = scopes;
    }
    if let Some(networks) = update.allowed_networks {
        after.capabilities.allowed_networks = networks;
    }
    if let OwnerKind::User { first_name, last_name, .. } = &mut after.kind {
        *first_name = update.first_name.unwrap_or_else(|| std::mem::take(first_name));
        *last_name = update.last_name.unwrap_or_else(|| std::mem::take(last_name));
    }
    after
}

/// How an owner differs from what verifiers hold of it: the reasons in the log.
pub(crate) fn changes(before: &Owner, after: &Owner) -> Vec<&'static str> {
    let (old, new) = (&before.capabilities, &after.capabilities);
    let (was, is) = (before.state.is_suspended(), after.state.is_suspended());
    let narrowed = match (&old.allowed_scopes, &new.allowed_scopes) {
        (Some(old), Some(new)) => !new.contains_all(old),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let scopes = old.allowed_scopes != new.allowed_scopes;
    holding([
        ("suspended", is && !was),
        ("resumed", was && !is),
        ("token_management_off", old.token_management && !new.token_management),
        ("token_management_on", new.token_management && !old.token_management),
        ("scopes_narrowed", narrowed),
        ("scopes_widened", scopes && !narrowed),
        ("networks_changed", old.allowed_networks != new.allowed_networks),
        ("not_before_raised", after.not_before != before.not_before),
        ("renamed", after.kind != before.kind),
    ])
}

/// The audit entry's action and detail.
pub(crate) fn difference(
    before: &Owner,
    after: &Owner,
    password_changed: bool,
) -> (&'static str, Value) {
    let mut detail = Map::new();
    let (old, new) = (&before.capabilities, &after.capabilities);
    if old.token_management != new.token_management {
        detail.insert("token_management".into(), json!(new.token_management));
    }
    if old.allowed_scopes != new.allowed_scopes {
        let scopes = new.allowed_scopes.as_ref().map(names);
        detail.insert("allowed_scopes".into(), json!(scopes));
    }
    if old.allowed_networks != new.allowed_networks {
        let networks = new.allowed_networks.as_ref().map(blocks);
        detail.insert("allowed_networks".into(), json!(networks));
    }
    if before.kind != after.kind {
        let name = KindColumns::of(&after.kind);
        detail.insert("first_name".into(), json!(name.first_name));
        detail.insert("last_name".into(), json!(name.last_name));
    }
    if let (true, Some(start)) = (before.not_before != after.not_before, after.not_before) {
        detail.insert("not_before".into(), json!(start.to_rfc3339_millis()));
    }
    if password_changed {
        detail.insert("password".into(), json!("changed"));
    }
    let action = match (before.state.is_suspended(), after.state.is_suspended()) {
        (false, true) => "owner.suspended",
        (true, false) => "owner.resumed",
        _ => "owner.updated",
    };
    (action, Value::Object(detail))
}
