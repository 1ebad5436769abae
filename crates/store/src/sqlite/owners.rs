//! Transactions on owners.

use super::{
    fault::{Fault, Stop},
    rows,
    tx::Tx,
};
use crate::{By, Change, Created, NewOwner, OwnerError, OwnerUpdate};
use rescind_core::{
    Capabilities, NetworkSet, Owner, OwnerId, OwnerKind, OwnerState, ScopeSet, TenantId,
};
use rusqlite::{OptionalExtension, named_params};
use serde_json::{Map, Value, json};

/// First `profile_id` that is given to a partner.
const PROFILE_ID_FIRST: i64 = 1001;

pub(super) fn create(
    tx: &mut Tx<'_>,
    new: NewOwner,
    by: &By,
) -> Result<Created<Owner>, Stop<OwnerError>> {
    if let Some(made) = tx.made_before(new.idempotency, by)? {
        let id = OwnerId::parse(&made).map_err(|_| Fault::Value(format!("owner id {made:?}")))?;
        let owner = get(tx, &id)?.ok_or(Stop::Refused(OwnerError::Unknown))?;
        return Ok(Created::Before(owner));
    }
    let owner = Owner {
        id: new.id,
        kind: with_profile_id(tx, new.kind)?,
        tenant: new.tenant,
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: new.token_management,
            allowed_scopes: new.allowed_scopes,
            allowed_networks: new.allowed_networks,
        },
        created_at: by.at,
    };
    match insert(tx, &owner, new.password_hash.as_deref()) {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(OwnerError::Exists)),
        done => done?,
    }
    tx.remember(new.idempotency, owner.id.as_str(), by)?;
    tx.audit(by, "owner.created", owner.id.as_str(), &creation(&owner))?;
    tx.tell(Change::Owner(owner.clone()));
    Ok(Created::Now(owner))
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
                 allowed_networks, created_at)
             VALUES (:id, :kind, :email, :first_name, :last_name, :tenant, :password_hash,
                 :profile_id, :account, :issuer, :subject, :name, :token_management,
                 :allowed_scopes, :allowed_networks, :created_at)",
        )?
        .execute(named_params! {
            ":id": owner.id.as_str(),
            ":kind": owner.kind.as_str(),
            ":email": columns.email,
            ":first_name": columns.first_name,
            ":last_name": columns.last_name,
            ":tenant": owner.tenant.as_ref().map(TenantId::as_str),
            ":password_hash": password_hash,
            ":profile_id": columns.profile_id,
            ":account": columns.account,
            ":issuer": columns.issuer,
            ":subject": columns.subject,
            ":name": columns.name,
            ":token_management": owner.capabilities.token_management,
            ":allowed_scopes": owner.capabilities.allowed_scopes.as_ref().map(|s| s.join(" ")),
            ":allowed_networks": owner.capabilities.allowed_networks.as_ref().map(|n| n.join()),
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
    profile_id: Option<i32>,
    account: Option<&'a str>,
    issuer: Option<&'a str>,
    subject: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(kind: &'a OwnerKind) -> Self {
        match kind {
            OwnerKind::User { email, first_name, last_name } => Self {
                email: Some(email),
                first_name: Some(first_name),
                last_name: Some(last_name),
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

/// Changes what differs. An update that changes nothing leaves no trace; one that changes what
/// verifiers hold raises the epoch once, however many of its parts do.
pub(super) fn update(
    tx: &mut Tx<'_>,
    id: &OwnerId,
    update: OwnerUpdate,
    by: &By,
) -> Result<Owner, Stop<OwnerError>> {
    let before = get(tx, id)?.ok_or(Stop::Refused(OwnerError::Unknown))?;
    let is_user = matches!(before.kind, OwnerKind::User { .. });
    let password_hash = update.password_hash.clone().filter(|_| is_user);
    let not_before = update.not_before.map(|before| tx.bound(before, by.at)).transpose()?;
    let mut after = updated(&before, update, by);
    after.not_before = before.not_before.max(not_before);
    if after == before && password_hash.is_none() {
        return Ok(after);
    }
    let concerned = matches!(before.kind, OwnerKind::Operator { .. });
    let administered = tx.administered_until(concerned, by.at)?;
    write(tx, &after, password_hash.as_deref())?;
    tx.require_administered(administered, by.at)?;
    let changes = changes(&before, &after);
    if !changes.is_empty() {
        tx.raise_epoch("owner", id.as_str(), &changes.join(" "), by.at)?;
    }
    let (action, mut detail) = difference(&before, &after);
    if password_hash.is_some() {
        detail.insert("password".into(), json!("changed"));
    }
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

fn write(tx: &Tx<'_>, owner: &Owner, password_hash: Option<&str>) -> Result<(), Fault> {
    let columns = Columns::of(&owner.kind);
    let suspension = match &owner.state {
        OwnerState::Suspended { at, by } => Some((at.as_millis(), by.as_str())),
        OwnerState::Active => None,
    };
    tx.sql
        .prepare_cached(
            "UPDATE owners SET suspended_at = :suspended_at, suspended_by = :suspended_by,
                 not_before = :not_before, token_management = :token_management,
                 allowed_scopes = :allowed_scopes, allowed_networks = :allowed_networks,
                 first_name = :first_name, last_name = :last_name,
                 password_hash = ifnull(:password_hash, password_hash)
             WHERE id = :id",
        )?
        .execute(named_params! {
            ":id": owner.id.as_str(),
            ":suspended_at": suspension.map(|(at, _)| at),
            ":suspended_by": suspension.map(|(_, by)| by),
            ":not_before": owner.not_before.map(|start| start.as_millis()),
            ":first_name": columns.first_name,
            ":last_name": columns.last_name,
            ":password_hash": password_hash,
            ":token_management": owner.capabilities.token_management,
            ":allowed_scopes": owner.capabilities.allowed_scopes.as_ref().map(|s| s.join(" ")),
            ":allowed_networks": owner.capabilities.allowed_networks.as_ref().map(|n| n.join()),
        })?;
    Ok(())
}

/// The bound alone.
pub(super) fn raise_not_before(tx: &Tx<'_>, owner: &Owner) -> Result<(), Fault> {
    write(tx, owner, None)
}

/// How an owner differs from what verifiers hold of it: the reasons in the log.
fn changes(before: &Owner, after: &Owner) -> Vec<&'static str> {
    let (old, new) = (&before.capabilities, &after.capabilities);
    let (was, is) = (before.state.is_suspended(), after.state.is_suspended());
    let narrowed = match (&old.allowed_scopes, &new.allowed_scopes) {
        (Some(old), Some(new)) => !new.contains_all(old),
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let scopes = old.allowed_scopes != new.allowed_scopes;
    [
        ("suspended", is && !was),
        ("resumed", was && !is),
        ("token_management_off", old.token_management && !new.token_management),
        ("token_management_on", new.token_management && !old.token_management),
        ("scopes_narrowed", narrowed),
        ("scopes_widened", scopes && !narrowed),
        ("networks_changed", old.allowed_networks != new.allowed_networks),
        ("not_before_raised", after.not_before != before.not_before),
        ("renamed", after.kind != before.kind),
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
    if old.allowed_networks != new.allowed_networks {
        let networks = new.allowed_networks.as_ref().map(blocks);
        detail.insert("allowed_networks".into(), json!(networks));
    }
    if before.kind != after.kind {
        let name = Columns::of(&after.kind);
        detail.insert("first_name".into(), json!(name.first_name));
        detail.insert("last_name".into(), json!(name.last_name));
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

pub(super) fn blocks(networks: &NetworkSet) -> Vec<String> {
    networks.iter().map(ToString::to_string).collect()
}

pub(super) fn names(scopes: &ScopeSet) -> Vec<&str> {
    scopes.iter().collect()
}
