//! Tokens that the index does not know: issued by another node, or by this one while its memory was
//! elsewhere.
//!
//! The token, its owner and the bounds above it are read in one statement, with the epoch at which
//! that is so. If this node has heard of something later meanwhile, that may have been about this
//! very token, and is read again: see `memory.rs`.

use super::{
    memory::{Memory, Unheard},
    readers::Readers,
    rows::{Columns, OWNER_COLUMNS, RECORD_COLUMNS, Unopened},
    tx::Parameter,
};
use crate::{
    Change, Epoch, Fetched, KeyRing, StoreError,
    outage::{Cause, Outage},
};
use rescind_core::{Digest, TokenId, TokenState};
use tokio_postgres::Row;

/// Each time that it has to be read again, others have revoked something within a millisecond or so.
const READS_MAX: usize = 8;

pub(super) async fn bearer(
    readers: &Readers,
    memory: &Memory,
    keys: &KeyRing,
    digest: &Digest,
) -> Result<Fetched, StoreError> {
    let digest = digest.as_bytes().as_slice();
    fetch(readers, memory, keys, "tokens.digest = $1", &digest).await
}

pub(super) async fn signer(
    readers: &Readers,
    memory: &Memory,
    keys: &KeyRing,
    id: &TokenId,
) -> Result<Fetched, StoreError> {
    // Of one with a digest, the id alone proves nothing.
    fetch(readers, memory, keys, "tokens.id = $1 AND tokens.kind = 'signing'", &id.as_str()).await
}

async fn fetch(
    readers: &Readers,
    memory: &Memory,
    keys: &KeyRing,
    condition: &str,
    asked: Parameter<'_>,
) -> Result<Fetched, StoreError> {
    for _ in 0..READS_MAX {
        let found = match look(readers, keys, condition, asked).await? {
            Look::Active(found) => found,
            Look::Revoked => return Ok(Fetched::Revoked),
            Look::Nothing => return Ok(Fetched::Unknown),
        };
        if found.put(memory)? {
            return Ok(Fetched::Known);
        }
    }
    Err(Outage::unavailable("too much is being revoked to read a token in between").into())
}

pub(super) enum Look {
    Active(Found),
    Revoked,
    Nothing,
}

/// A token as it was at an epoch.
pub(super) struct Found {
    changes: Vec<Change>,
    epoch: Epoch,
}

impl Found {
    /// `false`: something has been told since.
    pub(super) fn put(self, memory: &Memory) -> Result<bool, StoreError> {
        match memory.put(self.changes, self.epoch).map_err(Outage::Failed)? {
            Ok(()) => Ok(true),
            Err(Unheard::Empty) => Err(Outage::unavailable("nothing is loaded yet").into()),
            Err(Unheard::Stale | Unheard::Behind(_)) => Ok(false),
        }
    }
}

pub(super) async fn look(
    readers: &Readers,
    keys: &KeyRing,
    condition: &str,
    asked: Parameter<'_>,
) -> Result<Look, StoreError> {
    let query = format!(
        "SELECT epoch.n, {RECORD_COLUMNS}, tokens.digest, tokens.sealed_secret, {OWNER_COLUMNS},
             (SELECT bounds.not_before FROM bounds WHERE bounds.tenant = owners.tenant),
             (SELECT bounds.not_before FROM bounds WHERE bounds.tenant = '')
         FROM tokens JOIN owners ON owners.id = tokens.owner CROSS JOIN epoch WHERE {condition}"
    );
    match readers.fetch(&query, &[asked]).await? {
        Some(row) => read(&row, keys),
        None => Ok(Look::Nothing),
    }
}

fn read(row: &Row, keys: &KeyRing) -> Result<Look, StoreError> {
    let mut columns = Columns::of(row);
    let (epoch, record) = (columns.count()?, columns.record()?);
    if record.state != TokenState::Active {
        return Ok(Look::Revoked);
    }
    let material = columns.material(&record.id, keys).map_err(unopened)?;
    let owner = columns.owner()?;
    let of_tenant = columns.time_or_null()?.zip(owner.tenant.clone());
    let of_tenant = of_tenant.map(|(start, tenant)| (Some(tenant), start));
    let of_all = columns.time_or_null()?.map(|start| (None, start));
    let bounds = of_tenant.into_iter().chain(of_all);
    let mut changes: Vec<_> =
        bounds.map(|(tenant, start)| Change::NotBefore { tenant, start }).collect();
    changes.push(Change::Owner(owner));
    changes.push(Change::Issued { record, material });
    Ok(Look::Active(Found { changes, epoch }))
}

/// A secret that cannot be opened here is no reason to refuse the token as unknown.
fn unopened(unopened: Unopened) -> StoreError {
    match unopened {
        Unopened::Fault(fault) => fault.into(),
        Unopened::Secret(token, error) => {
            tracing::error!(token_id = %token, %error, "a sealed secret does not open");
            Outage::Unavailable(Cause::new(error)).into()
        }
    }
}
