//! Transactions on owners.

use super::{
    fault::{Fault, Stop},
    rows::{Columns, OWNER_COLUMNS, signed},
    tx::Tx,
};
use crate::{
    By, Change, Created, NewOwner, OwnerError, OwnerUpdate,
    mutation::owner::{self, PROFILE_ID_FIRST},
    rows::{self, KindColumns},
};
use rescind_core::{NetworkSet, Owner, OwnerId, OwnerKind, OwnerState, TenantId, Timestamp};

pub(super) async fn create(
    tx: &mut Tx,
    new: NewOwner,
    by: &By,
) -> Result<Created<Owner>, Stop<OwnerError>> {
    if let Some(made) = tx.made_before(new.idempotency, by).await? {
        let id = rows::owner_id(&made).map_err(Fault::from)?;
        let owner = get(tx, &id).await?.ok_or(Stop::Refused(OwnerError::Unknown))?;
        return Ok(Created::Before(owner));
    }
    let (idempotency, password_hash) = (new.idempotency, new.password_hash.clone());
    let kind = with_profile_id(tx, new.kind.clone()).await?;
    let owner = owner::created(NewOwner { kind, ..new }, by);
    match insert(tx, &owner, password_hash.as_deref()).await {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(OwnerError::Exists)),
        done => done?,
    }
    tx.remember(idempotency, owner.id.as_str(), by).await?;
    tx.audit(by, "owner.created", owner.id.as_str(), &owner::creation(&owner));
    tx.tell_new(Change::Owner(owner.clone()));
    Ok(Created::Now(owner))
}

/// Gives a partner that has none the next free `profile_id`.
async fn with_profile_id(tx: &Tx, mut kind: OwnerKind) -> Result<OwnerKind, Fault> {
    if let OwnerKind::Partner { profile_id: profile_id @ 0, .. } = &mut kind {
        let query = "SELECT greatest(max(profile_id)::bigint + 1, $1) FROM owners";
        let row = tx.row(query, &[&PROFILE_ID_FIRST]).await?;
        let next = row.map(|row| Columns::of(&row).get()).transpose()?;
        let next: i64 = next.unwrap_or(PROFILE_ID_FIRST);
        *profile_id = i32::try_from(next)
            .map_err(|_| Fault::Value(format!("profile id {next} does not fit 32 bits")))?;
    }
    Ok(kind)
}

async fn insert(tx: &Tx, owner: &Owner, password_hash: Option<&str>) -> Result<(), Fault> {
    let columns = KindColumns::of(&owner.kind);
    let capabilities = &owner.capabilities;
    tx.execute(
        "INSERT INTO owners (id, kind, email, first_name, last_name, tenant, password_hash,
             profile_id, account, issuer, subject, name, token_management, allowed_scopes,
             allowed_networks, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        &[
            &owner.id.as_str(),
            &owner.kind.as_str(),
            &columns.email,
            &columns.first_name,
            &columns.last_name,
            &owner.tenant.as_ref().map(TenantId::as_str),
            &password_hash,
            &columns.profile_id,
            &columns.account,
            &columns.issuer,
            &columns.subject,
            &columns.name,
            &capabilities.token_management,
            &capabilities.allowed_scopes.as_ref().map(|scopes| scopes.join(" ")),
            &capabilities.allowed_networks.as_ref().map(NetworkSet::join),
            &owner.created_at.as_millis(),
        ],
    )
    .await
    .map(drop)
}

/// Changes what differs. An update that changes nothing leaves no trace; one that changes what
/// verifiers hold raises the epoch once, however many of its parts do.
pub(super) async fn update(
    tx: &mut Tx,
    id: &OwnerId,
    update: OwnerUpdate,
    by: &By,
) -> Result<Owner, Stop<OwnerError>> {
    let before = get(tx, id).await?.ok_or(Stop::Refused(OwnerError::Unknown))?;
    let is_user = matches!(before.kind, OwnerKind::User { .. });
    let password_hash = update.password_hash.clone().filter(|_| is_user);
    let not_before = match update.not_before {
        Some(before) => Some(tx.bound(before, by.at).await?),
        None => None,
    };
    let after = owner::updated(&before, update, not_before, by);
    if after == before && password_hash.is_none() {
        return Ok(after);
    }
    let concerned = matches!(before.kind, OwnerKind::Operator { .. });
    let administered = tx.administered_until(concerned, by.at).await?;
    let changes = owner::changes(&before, &after);
    write(tx, &after, password_hash.as_deref(), !changes.is_empty()).await?;
    tx.require_administered(administered, by.at).await?;
    let (action, detail) = owner::difference(&before, &after, password_hash.is_some());
    if changes.is_empty() {
        tx.tell_new(Change::Owner(after.clone()));
    } else {
        tx.raise_epoch("owner", id.as_str(), &changes.join(" "), by.at);
        tx.tell_changed(Change::Owner(after.clone()));
    }
    tx.audit(by, action, id.as_str(), &detail);
    Ok(after)
}

pub(super) async fn get(tx: &Tx, id: &OwnerId) -> Result<Option<Owner>, Fault> {
    let query = format!("SELECT {OWNER_COLUMNS} FROM owners WHERE id = $1");
    let row = tx.row(&query, &[&id.as_str()]).await?;
    row.map(|row| Columns::of(&row).owner()).transpose()
}

async fn write(
    tx: &Tx,
    owner: &Owner,
    password_hash: Option<&str>,
    raises_epoch: bool,
) -> Result<(), Fault> {
    let columns = KindColumns::of(&owner.kind);
    let suspension = match &owner.state {
        OwnerState::Suspended { at, by } => Some((at.as_millis(), by.as_str())),
        OwnerState::Active => None,
    };
    let capabilities = &owner.capabilities;
    tx.execute(
        "UPDATE owners SET suspended_at = $2, suspended_by = $3, not_before = $4,
             token_management = $5, allowed_scopes = $6, allowed_networks = $7,
             first_name = $8, last_name = $9, password_hash = coalesce($10, password_hash),
             changed_at = coalesce($11, changed_at)
         WHERE id = $1",
        &[
            &owner.id.as_str(),
            &suspension.map(|(at, _)| at),
            &suspension.map(|(_, by)| by),
            &owner.not_before.map(Timestamp::as_millis),
            &capabilities.token_management,
            &capabilities.allowed_scopes.as_ref().map(|scopes| scopes.join(" ")),
            &capabilities.allowed_networks.as_ref().map(NetworkSet::join),
            &columns.first_name,
            &columns.last_name,
            &password_hash,
            &raises_epoch.then(|| signed(tx.next_epoch())),
        ],
    )
    .await
    .map(drop)
}

/// The bound alone, at the next epoch.
pub(super) async fn raise_not_before(tx: &Tx, owner: &Owner) -> Result<(), Fault> {
    write(tx, owner, None, true).await
}
