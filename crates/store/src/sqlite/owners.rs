//! Transactions on owners.

use super::{
    fault::{Fault, Stop},
    rows,
    tx::Tx,
};
use crate::{By, Change, NewOwner, OwnerError, OwnerUpdate};
use rescind_core::{Capabilities, Owner, OwnerId, OwnerKind, OwnerState, ScopeSet};
use rusqlite::{OptionalExtension, named_params};
use serde_json::{Map, Value, json};

/// First `profile_id` that is given to a partner.
const PROFILE_ID_FIRST: i64 = 1001;

pub(super) fn create(tx: &mut Tx<'_>, new: NewOwner, by: &By) -> Result<Owner, Stop<OwnerError>> {
    let owner = Owner {
        id: new.id,
        kind: with_profile_id(tx, new.kind)?,
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: new.token_management,
            allowed_scopes: new.allowed_scopes,
        },
        created_at: by.at,
    };
    match insert(tx, &owner, new.password_hash.as_deref()) {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(OwnerError::Exists)),
        done => done?,
    }
    tx.audit(by, "owner.created", owner.id.as_str(), &creation(&owner))?;
    tx.tell(Change::Owner(owner.clone()));
    Ok(owner)
}

/// Gives a partner that has none the next free `profile_id`.
fn with_profile_id(tx: &Tx<'_>, mut kind: OwnerKind) -> Result<OwnerKind, Fault> {
    if let OwnerKind::Partner { profile_id: profile_id @ 0, .. } = &mut kind {
        let next: i64 = tx
            .sql
            .prepare_cached("SELECT max(ifnull(max(profile_id) + 1, 0), ?1) FROM owners")?
            .query_row([PROFILE_ID_FIRST], |row| row.get(0))?;
        *profile_id = i32::try_from(next)
            .map_err(|_| Fault::Value(format!("profile id {next} does not fit 32 bits")))?;
    }
    Ok(kind)
}

fn insert(tx: &Tx<'_>, owner: &Owner, password_hash: Option<&str>) -> Result<(), Fault> {
    let columns = Columns::of(&owner.kind);
    tx.sql
        .prepare_cached(
            "INSERT INTO owners (id, kind, email, first_name, last_name, tenant, password_hash,
                 profile_id, account, issuer, subject, name, token_management, allowed_scopes,
                 created_at)
             VALUES (:id, :kind, :email, :first_name, :last_name, :tenant, :password_hash,
                 :profile_id, :account, :issuer, :subject, :name, :token_management,
                 :allowed_scopes, :created_at)",
        )?
        .execute(named_params! {
            ":id": owner.id.as_str(),
            ":kind": owner.kind.as_str(),
            ":email": columns.email,
            ":first_name": columns.first_name,
            ":last_name": columns.last_name,
            ":tenant": columns.tenant,
            ":password_hash": password_hash,
            ":profile_id": columns.profile_id,
            ":account": columns.account,
            ":issuer": columns.issuer,
            ":subject": columns.subject,
            ":name": columns.name,
            ":token_management": owner.capabilities.token_management,
            ":allowed_scopes": owner.capabilities.allowed_scopes.as_ref().map(|s| s.join(" ")),
            ":created_at": owner.created_at.as_millis(),
        })?;
    Ok(())
}

/// An owner's kind as columns; those of other kinds stay null.
#[derive(Default)]
struct Columns<'a> {
    email: Option<&'a str>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    tenant: Option<&'a str>,
    profile_id: Option<i32>,
    account: Option<&'a str>,
    issuer: Option<&'a str>,
    subject: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(kind: &'a OwnerKind) -> Self {
        match kind {
            OwnerKind::User { email, first_name, last_name, tenant } => Self {
                email: Some(email),
                first_name: Some(first_name),
                last_name: Some(last_name),
                tenant: Some(tenant.as_str()),
                ..Self::default()
            },
            OwnerKind::Partner { profile_id, account, issuer, subject } => Self {
                profile_id: Some(*profile_id),
                account: Some(account),
                issuer: Some(issuer),
                subject: Some(subject),
                ..Self::default()
            },
            OwnerKind::Operator { name } => Self { name: Some(name), ..Self::default() },
        }
    }
}

fn creation(owner: &Owner) -> Value {
    let mut detail = match &owner.kind {
        OwnerKind::User { email, tenant, .. } => json!({"email": email, "tenant": tenant.as_str()}),
        OwnerKind::Partner { profile_id, issuer, subject, .. } => {
            json!({"profile_id": profile_id, "issuer": issuer, "subject": subject})
        }
        OwnerKind::Operator { name } => json!({"name": name}),
    };
    let capabilities = json!({
        "kind": owner.kind.as_str(),
        "token_management": owner.capabilities.token_management,
        "allowed_scopes": owner.capabilities.allowed_scopes.as_ref().map(names),
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), capabilities) {
        detail.extend(more);
    }
    detail
}

/// Changes what differs. An update that changes nothing leaves no trace; one that takes power away
/// raises the epoch once, however many of its parts do.
pub(super) fn update(
    tx: &mut Tx<'_>,
    id: &OwnerId,
    update: OwnerUpdate,
    by: &By,
) -> Result<Owner, Stop<OwnerError>> {
    let before = get(tx, id)?.ok_or(Stop::Refused(OwnerError::Unknown))?;
    let after = updated(&before, update, by);
    if after == before {
        return Ok(after);
    }
    write(tx, &after)?;
    let taken = taken_away(&before, &after);
    if !taken.is_empty() {
        tx.raise_epoch("owner", id.as_str(), &taken.join(" "), by.at)?;
    }
    let (action, detail) = difference(&before, &after);
    tx.audit(by, action, id.as_str(), &Value::Object(detail))?;
    tx.tell(Change::Owner(after.clone()));
    Ok(after)
}

pub(super) fn get(tx: &Tx<'_>, id: &OwnerId) -> Result<Option<Owner>, Fault> {
    tx.sql
        .prepare_cached(&format!("SELECT {} FROM owners WHERE id = ?1", rows::OWNER_COLUMNS))?
        .query_row([id.as_str()], |row| Ok(rows::owner(row)))
        .optional()?
        .transpose()
}

fn updated(before: &Owner, update: OwnerUpdate, by: &By) -> Owner {
    let mut after = before.clone();
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
        after.capabilities.allowed_scopes = Some(scopes);
    }
    after.not_before = before.not_before.max(update.not_before);
    after
}

fn write(tx: &Tx<'_>, owner: &Owner) -> Result<(), Fault> {
    let suspension = match &owner.state {
        OwnerState::Suspended { at, by } => Some((at.as_millis(), by.as_str())),
        OwnerState::Active => None,
    };
    tx.sql
        .prepare_cached(
            "UPDATE owners SET suspended_at = :suspended_at, suspended_by = :suspended_by,
                 not_before = :not_before, token_management = :token_management,
                 allowed_scopes = :allowed_scopes
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": owner.id.as_str(),
            ":suspended_at": suspension.map(|(at, _)| at),
            ":suspended_by": suspension.map(|(_, by)| by),
            ":not_before": owner.not_before.map(|start| start.as_millis()),
            ":token_management": owner.capabilities.token_management,
            ":allowed_scopes": owner.capabilities.allowed_scopes.as_ref().map(|s| s.join(" ")),
        })?;
    Ok(())
}

/// What an owner or its tokens could do before and cannot do after.
fn taken_away(before: &Owner, after: &Owner) -> Vec<&'static str> {
    let (old, new) = (&before.capabilities, &after.capabilities);
    let narrowed = match (&old.allowed_scopes, &new.allowed_scopes) {
        (Some(old), Some(new)) => !new.contains_all(old),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    [
        ("suspended", after.state.is_suspended() && !before.state.is_suspended()),
        ("token_management_off", old.token_management && !new.token_management),
        ("scopes_narrowed", narrowed),
        ("not_before_raised", after.not_before > before.not_before),
    ]
    .into_iter()
    .filter_map(|(reason, holds)| holds.then_some(reason))
    .collect()
}

fn difference(before: &Owner, after: &Owner) -> (&'static str, Map<String, Value>) {
    let mut detail = Map::new();
    let (old, new) = (&before.capabilities, &after.capabilities);
    if old.token_management != new.token_management {
        detail.insert("token_management".into(), json!(new.token_management));
    }
    if old.allowed_scopes != new.allowed_scopes {
        let scopes = new.allowed_scopes.as_ref().map(names);
        detail.insert("allowed_scopes".into(), json!(scopes));
    }
    if let (true, Some(start)) = (before.not_before != after.not_before, after.not_before) {
        detail.insert("not_before".into(), json!(start.to_rfc3339_millis()));
    }
    let action = match (before.state.is_suspended(), after.state.is_suspended()) {
        (false, true) => "owner.suspended",
        (true, false) => "owner.resumed",
        _ => "owner.updated",
    };
    (action, detail)
}

pub(super) fn names(scopes: &ScopeSet) -> Vec<&str> {
    scopes.iter().collect()
}
