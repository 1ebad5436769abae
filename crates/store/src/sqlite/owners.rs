//! Transactions on owners.

use super::{
    fault::{Fault, Stop},
    rows,
    tx::Tx,
};
use crate::{
    By, Change, Created, NewOwner, OwnerError, OwnerUpdate,
    mutation::owner::{self, PROFILE_ID_FIRST},
    rows::KindColumns,
};
use rescind_core::{Owner, OwnerId, OwnerKind, OwnerState, TenantId};
use rusqlite::{OptionalExtension, named_params};

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
    let (idempotency, password_hash) = (new.idempotency, new.password_hash.clone());
    let kind = with_profile_id(tx, new.kind.clone())?;
    let owner = owner::created(NewOwner { kind, ..new }, by);
    match insert(tx, &owner, password_hash.as_deref()) {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(OwnerError::Exists)),
        done => done?,
    }
    tx.remember(idempotency, owner.id.as_str(), by)?;
    tx.audit(by, "owner.created", owner.id.as_str(), &owner::creation(&owner))?;
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
    let columns = KindColumns::of(&owner.kind);
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
    let after = owner::updated(&before, update, not_before, by);
    if after == before && password_hash.is_none() {
        return Ok(after);
    }
    let concerned = matches!(before.kind, OwnerKind::Operator { .. });
    let administered = tx.administered_until(concerned, by.at)?;
    write(tx, &after, password_hash.as_deref())?;
    tx.require_administered(administered, by.at)?;
    let changes = owner::changes(&before, &after);
    if !changes.is_empty() {
        tx.raise_epoch("owner", id.as_str(), &changes.join(" "), by.at)?;
    }
    let (action, detail) = owner::difference(&before, &after, password_hash.is_some());
    tx.audit(by, action, id.as_str(), &detail)?;
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

fn write(tx: &Tx<'_>, owner: &Owner, password_hash: Option<&str>) -> Result<(), Fault> {
    let columns = KindColumns::of(&owner.kind);
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
