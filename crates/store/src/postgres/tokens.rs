//! Transactions on single tokens: issue and change.

use super::{
    fault::{Fault, Stop},
    owners,
    rows::{Columns, NOT_BEFORE, RECORD_COLUMNS, signed},
    tx::Tx,
};
use crate::{
    By, Change, Created, IssueError, Material, NewToken, UpdateError,
    mutation::token::{self, Holder, secret_place},
    rows::{self, overlap_millis},
};
use futures_util::try_join;
use rescind_core::{
    ACTIVE_TOKENS_MAX, Digest, NetworkSet, OwnerId, Timestamp, TokenId, TokenKind, TokenRecord,
    TokenState, TokenUpdate, may_have_another, may_issue,
};

/// All questions are sent together: others wait for the right to write.
pub(super) async fn issue(
    tx: &mut Tx,
    new: NewToken,
    by: &By,
) -> Result<Created<TokenRecord>, Stop<IssueError>> {
    let ((), made, holder, active) = try_join!(
        tx.check_actor(by),
        tx.made_before(new.idempotency, by),
        async { Ok(holder(tx, &new.owner, new.kind).await?) },
        async { Ok(active(tx, &new.owner, new.kind, by.at).await?) },
    )?;
    if let Some(made) = made {
        return Ok(Created::Before(made_token(tx, &made).await?));
    }
    let holder = holder.ok_or(Stop::Refused(IssueError::UnknownOwner))?;
    let record = holder.issued(&new, by);
    add(tx, &holder, active, &record, new.material, by).await?;
    tx.remember(new.idempotency, record.id.as_str(), by).await?;
    Ok(Created::Now(record))
}

/// The owner as it is now, and its bounds.
pub(super) async fn holder(
    tx: &Tx,
    owner: &OwnerId,
    kind: TokenKind,
) -> Result<Option<Holder>, Fault> {
    let bound = async { tx.row(&not_before(), &[&owner.as_str(), &kind.as_str()]).await };
    let (owner, row) = try_join!(owners::get(tx, owner), bound)?;
    let not_before = row.map(|row| Columns::of(&row).time_or_null()).transpose()?.flatten();
    Ok(owner.map(|owner| Holder { owner, not_before }))
}

/// Of all tokens of one kind that one owner has.
fn not_before() -> String {
    format!(
        "SELECT {NOT_BEFORE} FROM owners, (SELECT $2::text AS kind) AS tokens WHERE owners.id = $1"
    )
}

/// The owner is asked here, inside: a check made before could have been overtaken by the suspension
/// that it should have seen.
pub(super) async fn add(
    tx: &mut Tx,
    holder: &Holder,
    active: usize,
    record: &TokenRecord,
    material: Material,
    by: &By,
) -> Result<(), Stop<IssueError>> {
    may_issue(&holder.owner, record.kind, &record.scopes)
        .map_err(|denial| Stop::Refused(denial.into()))?;
    may_have_another(active).map_err(|denial| Stop::Refused(denial.into()))?;
    match insert(tx, record, &material).await {
        Err(fault) if fault.is_duplicate() => return Err(Stop::Refused(IssueError::Exists)),
        done => done?,
    }
    tx.audit(by, "token.issued", record.id.as_str(), &token::issuance(record));
    tx.tell_new(Change::Issued { record: record.clone(), material });
    Ok(())
}

/// The token that an earlier request has made.
pub(super) async fn made_token(tx: &Tx, id: &str) -> Result<TokenRecord, Fault> {
    let known = get(tx, &rows::token_id(id)?).await?;
    known.map(|(record, _)| record).ok_or_else(|| Fault::Value(format!("token id {id:?}")))
}

/// A token, with the digest that it is found by.
pub(super) async fn get(
    tx: &Tx,
    id: &TokenId,
) -> Result<Option<(TokenRecord, Option<Digest>)>, Fault> {
    let query = format!("SELECT {RECORD_COLUMNS}, digest FROM tokens WHERE id = $1");
    let Some(row) = tx.row(&query, &[&id.as_str()]).await? else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some((columns.record()?, columns.digest_or_null()?)))
}

/// An update that changes nothing leaves no trace.
pub(super) async fn update(
    tx: &mut Tx,
    id: &TokenId,
    update: TokenUpdate,
    by: &By,
) -> Result<TokenRecord, Stop<UpdateError>> {
    let (before, digest) = get(tx, id).await?.ok_or(Stop::Refused(UpdateError::Unknown))?;
    if before.state != TokenState::Active {
        return Err(Stop::Refused(UpdateError::Revoked));
    }
    let after = update.of(&before).map_err(|widening| Stop::Refused(widening.into()))?;
    if after == before {
        return Ok(after);
    }
    let administered = tx.administered_until(before.kind == TokenKind::Admin, by.at).await?;
    let changes = token::changes(&before, &after);
    write(tx, &after, !changes.is_empty()).await?;
    tx.require_administered(administered, by.at).await?;
    let change = Change::Updated { record: after.clone(), digest };
    if changes.is_empty() {
        tx.tell_new(change);
    } else {
        tx.raise_epoch("token", id.as_str(), &changes.join(" "), by.at);
        tx.tell_changed(change);
    }
    tx.audit(by, "token.updated", id.as_str(), &token::difference(&before, &after));
    Ok(after)
}

/// Everything of a record that may change while it is active.
pub(super) async fn write(tx: &Tx, record: &TokenRecord, raises_epoch: bool) -> Result<(), Fault> {
    tx.execute(
        "UPDATE tokens SET label = $2, scopes = $3, expires_at = $4, allowed_networks = $5,
             overlap_from_first_use = $6, changed_at = coalesce($7, changed_at)
         WHERE id = $1",
        &[
            &record.id.as_str(),
            &record.label,
            &record.scopes.join(" "),
            &record.expires_at.map(Timestamp::as_millis),
            &record.allowed_networks.as_ref().map(NetworkSet::join),
            &overlap_millis(record),
            &raises_epoch.then(|| signed(tx.next_epoch())),
        ],
    )
    .await
    .map(drop)
}

/// How many are in force, counted no further than the rule asks.
pub(super) async fn active(
    tx: &Tx,
    owner: &OwnerId,
    kind: TokenKind,
    now: Timestamp,
) -> Result<usize, Fault> {
    let most = i64::try_from(ACTIVE_TOKENS_MAX).unwrap_or(i64::MAX);
    let query = format!(
        "SELECT count(*) FROM (SELECT 1 FROM tokens
         WHERE owner = $1 AND kind = $2 AND revoked_at IS NULL
             AND issued_at >= coalesce(({}), $3) AND (expires_at IS NULL OR expires_at > $4)
         LIMIT $5) AS active",
        not_before()
    );
    let (owner, kind) = (owner.as_str(), kind.as_str());
    let (ever, now) = (Timestamp::MIN.as_millis(), now.as_millis());
    let row = tx.row(&query, &[&owner, &kind, &ever, &now, &most]).await?;
    let count = row.map(|row| Columns::of(&row).count()).transpose()?;
    Ok(count.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX)))
}

async fn insert(tx: &Tx, record: &TokenRecord, material: &Material) -> Result<(), Fault> {
    let (digest, sealed) = match material {
        Material::Digest(digest) => (Some(digest.as_bytes().as_slice()), None),
        Material::Secret(secret) => {
            (None, Some(tx.keys.seal(secret_place(&record.id), secret.expose_bytes())?))
        }
    };
    tx.execute(
        "INSERT INTO tokens (id, owner, kind, digest, sealed_secret, label, scopes, issued_at,
             expires_at, allowed_networks, rotated_from, overlap_from_first_use)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            &record.id.as_str(),
            &record.owner.as_str(),
            &record.kind.as_str(),
            &digest,
            &sealed,
            &record.label,
            &record.scopes.join(" "),
            &record.issued_at.as_millis(),
            &record.expires_at.map(Timestamp::as_millis),
            &record.allowed_networks.as_ref().map(NetworkSet::join),
            &record.rotation.as_ref().map(|rotation| rotation.from.as_str()),
            &overlap_millis(record),
        ],
    )
    .await
    .map(drop)
}
