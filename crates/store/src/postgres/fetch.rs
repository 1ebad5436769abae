//! Tokens that the index does not know: issued by another node, or by this one while its memory was
//! elsewhere.
//!
//! All that are asked for together, their owners and the bounds above them are read in one statement,
//! with the epoch at which that is so. If this node has heard of something later meanwhile, that may
//! have been about one of these very tokens, and all are read again: see `memory.rs`.

use super::{
    fault::Fault,
    memory::{Memory, Unheard},
    readers::Readers,
    rows::{Columns, OWNER_COLUMNS, RECORD_COLUMNS, Unopened},
};
use crate::{
    Change, Epoch, Fetched, KeyRing, Material, Sought, StoreError,
    outage::{Outage, chain},
};
use rescind_core::{Owner, OwnerId, TenantId, Timestamp, TokenRecord, TokenState};
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// Each time that they have to be read again, others have revoked something within a millisecond or
/// so.
const READS_MAX: usize = 8;

pub(super) async fn fetch(
    readers: &Readers,
    memory: &Memory,
    keys: &KeyRing,
    sought: &[Sought],
) -> Result<Vec<Fetched>, StoreError> {
    for _ in 0..READS_MAX {
        let look = look(readers, keys, sought).await?;
        if let Some(fetched) = look.put(memory)? {
            return Ok(fetched);
        }
    }
    Err(Outage::unavailable("too much is being revoked to read a token in between").into())
}

/// What there was at an epoch.
#[derive(Default)]
pub(super) struct Look {
    fetched: Vec<Fetched>,
    epoch: Epoch,
    /// Each once, whosever tokens were asked for: a change to an owner, or to a bound, has every
    /// verification that is under way look again.
    bounds: BTreeMap<Option<TenantId>, Timestamp>,
    owners: BTreeMap<OwnerId, Owner>,
    tokens: Vec<Change>,
}

/// Two properties of this query matter more than its looks. Each token is looked for by itself, in
/// the index of its kind; and so is its owner, for which `OFFSET 0` keeps the join from being
/// planned anew. `digest = ANY ($1)` would be read through the whole table, a second for half a
/// million tokens, by a plan that was made when the table was small and is kept until somebody
/// analyses it. And `epoch` is known to have one row, since without that a fresh database takes it
/// for so many that it compiles the query first.
pub(super) fn query() -> String {
    format!(
        "SELECT asked.at, epoch.n, {RECORD_COLUMNS}, tokens.digest, tokens.sealed_secret,
             {OWNER_COLUMNS},
             (SELECT bounds.not_before FROM bounds WHERE bounds.tenant = owners.tenant),
             (SELECT bounds.not_before FROM bounds WHERE bounds.tenant = '')
         FROM unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS asked (digest, id, at)
         CROSS JOIN LATERAL (
             SELECT * FROM tokens WHERE tokens.digest = asked.digest
             UNION ALL
             SELECT * FROM tokens WHERE tokens.id = asked.id AND tokens.kind = 'signing'
         ) AS tokens
         CROSS JOIN LATERAL (
             SELECT * FROM owners WHERE owners.id = tokens.owner OFFSET 0
         ) AS owners
         CROSS JOIN epoch
         WHERE epoch.only_row = 1"
    )
}

pub(super) async fn look(
    readers: &Readers,
    keys: &KeyRing,
    sought: &[Sought],
) -> Result<Look, StoreError> {
    let (digests, ids): (Vec<_>, Vec<_>) = sought
        .iter()
        .map(|one| match one {
            Sought::Bearer(digest) => (Some(digest.as_bytes().as_slice()), None),
            Sought::Signer(id) => (None, Some(id.as_str())),
        })
        .unzip();
    let mut look = Look { fetched: vec![Fetched::Unknown; sought.len()], ..Look::default() };
    for row in readers.fetch(&query(), &[&digests, &ids]).await? {
        look.add(&row, keys)?;
    }
    Ok(look)
}

impl Look {
    fn add(&mut self, row: &Row, keys: &KeyRing) -> Result<(), Fault> {
        let mut columns = Columns::of(row);
        let (at, epoch) = (columns.count()?, columns.count()?);
        self.epoch = epoch;
        let found = Found::read(columns, keys).unwrap_or_else(|unopened| {
            report(&unopened);
            Found::Unreadable
        });
        let fetched = match found {
            Found::Active(active) => {
                self.hold(*active);
                Fetched::Known
            }
            Found::Revoked => Fetched::Revoked,
            Found::Unreadable => Fetched::Unreadable,
        };
        // Counted from one.
        let place =
            usize::try_from(at).ok().and_then(|at| self.fetched.get_mut(at.checked_sub(1)?));
        *place.ok_or_else(|| Fault::Value(format!("place {at} of an answer")))? = fetched;
        Ok(())
    }

    fn hold(&mut self, active: Active) {
        let Active { record, material, owner, of_tenant, of_all } = active;
        let of_tenant = owner.tenant.clone().zip(of_tenant);
        self.bounds.extend(of_tenant.map(|(tenant, start)| (Some(tenant), start)));
        self.bounds.extend(of_all.map(|start| (None, start)));
        self.owners.insert(owner.id.clone(), owner);
        self.tokens.push(Change::Issued { record, material });
    }

    /// `None`: something has been told since.
    pub(super) fn put(self, memory: &Memory) -> Result<Option<Vec<Fetched>>, StoreError> {
        if self.tokens.is_empty() {
            return Ok(Some(self.fetched));
        }
        let bounds = self.bounds.into_iter();
        let bounds = bounds.map(|(tenant, start)| Change::NotBefore { tenant, start });
        let owners = self.owners.into_values().map(Change::Owner);
        let changes = bounds.chain(owners).chain(self.tokens).collect();
        match memory.put(changes, self.epoch).map_err(Outage::Failed)? {
            Ok(()) => Ok(Some(self.fetched)),
            Err(Unheard::Empty) => Err(Outage::unavailable("nothing is loaded yet").into()),
            Err(Unheard::Stale | Unheard::Behind(_)) => Ok(None),
        }
    }
}

/// What one row says.
enum Found {
    Active(Box<Active>),
    Revoked,
    Unreadable,
}

struct Active {
    record: TokenRecord,
    material: Material,
    owner: Owner,
    of_tenant: Option<Timestamp>,
    of_all: Option<Timestamp>,
}

impl Found {
    fn read(mut columns: Columns<'_>, keys: &KeyRing) -> Result<Self, Unopened> {
        let record = columns.record()?;
        if record.state != TokenState::Active {
            return Ok(Self::Revoked);
        }
        Ok(Self::Active(Box::new(Active {
            material: columns.material(&record.id, keys)?,
            record,
            owner: columns.owner()?,
            of_tenant: columns.time_or_null()?,
            of_all: columns.time_or_null()?,
        })))
    }
}

/// One token that cannot be read is no reason to refuse it as unknown, nor to keep others waiting.
fn report(unopened: &Unopened) {
    match unopened {
        Unopened::Fault(fault) => {
            tracing::error!(error = chain(fault), "a token in the database cannot be read");
        }
        Unopened::Secret(token, error) => {
            tracing::error!(token_id = %token, %error, "a sealed secret does not open");
        }
    }
}
