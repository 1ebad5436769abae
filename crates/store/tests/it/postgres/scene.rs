//! Stores over one database, each with a follower whose memory can be compared.

use crate::sqlite::scene::key;
use async_trait::async_trait;
use parking_lot::Mutex;
use rescind_core::{Digest, Owner, OwnerId, TenantId, Timestamp, TokenId, TokenRecord};
use rescind_store::{
    Change, Epoch, Fetched, Follower, KeyRing, Material, Settled, Settler, SharedStore, Sought,
    StoreError,
    conformance::postgres::Database,
    postgres::{Durability, OpenError, Options, PostgresStore},
};
use std::{collections::BTreeMap, sync::Arc};

/// There is nobody else.
pub(crate) struct Alone;

#[async_trait]
impl Settler for Alone {
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        Ok(Settled::alone(epoch))
    }
}

pub(crate) fn options(connection: String, follower: Arc<dyn Follower>) -> Options {
    Options {
        connection,
        ca_file: None,
        durability: Durability::Single,
        key_ring: KeyRing::parse([key(1).as_str()]).unwrap(),
        follower,
        settler: Arc::new(Alone),
    }
}

pub(crate) async fn open(
    database: &Database,
    follower: Arc<dyn Follower>,
) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(options(database.connection(), follower)).await
}

/// A node: its store, loaded, and its memory.
pub(crate) struct Node {
    pub(crate) store: Arc<PostgresStore>,
    pub(crate) memory: Arc<Memory>,
}

impl Node {
    pub(crate) async fn of(database: &Database) -> Self {
        let memory = Arc::new(Memory::default());
        let store = open(database, Arc::clone(&memory) as Arc<dyn Follower>).await.unwrap();
        store.load().await.unwrap();
        Self { store: Arc::new(store), memory }
    }

    /// Reads the log as a node does when the bell rings.
    pub(crate) async fn look(&self) -> Epoch {
        let after = self.store.applied().unwrap().unwrap();
        let page = self.store.read_log(after).await.unwrap();
        self.store.apply(page).unwrap();
        self.applied()
    }

    /// Where it stands.
    pub(crate) fn applied(&self) -> Epoch {
        self.store.applied().unwrap().unwrap().epoch
    }

    pub(crate) fn knows(&self, token: &str) -> bool {
        self.memory.0.lock().tokens.contains_key(&TokenId::parse(token).unwrap())
    }
}

pub(crate) fn by_text(name: &str) -> Sought {
    Sought::Bearer(Digest::of(name.as_bytes()))
}

pub(crate) fn by_id(name: &str) -> Sought {
    Sought::Signer(TokenId::parse(name).unwrap())
}

pub(crate) async fn fetch_one(
    store: &PostgresStore,
    sought: Sought,
) -> Result<Fetched, StoreError> {
    Ok(store.fetch(&[sought]).await?[0])
}

/// What a follower holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Held {
    pub(crate) owners: BTreeMap<OwnerId, Owner>,
    pub(crate) tokens: BTreeMap<TokenId, TokenRecord>,
    pub(crate) bounds: BTreeMap<Option<TenantId>, Timestamp>,
    pub(crate) digests: BTreeMap<TokenId, Digest>,
    pub(crate) epoch: Epoch,
}

/// Does with changes what an index does.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) Mutex<Held>);

impl Memory {
    pub(crate) fn held(&self) -> Held {
        self.0.lock().clone()
    }
}

impl Follower for Memory {
    fn apply(&self, change: Change) {
        let held = &mut *self.0.lock();
        match change {
            Change::Owner(owner) => drop(held.owners.insert(owner.id.clone(), owner)),
            Change::Issued { record, material } => {
                if let Material::Digest(digest) = material {
                    held.digests.insert(record.id.clone(), digest);
                }
                held.tokens.insert(record.id.clone(), enforced(record));
            }
            Change::Updated { record, .. } => {
                if let Some(known) = held.tokens.get_mut(&record.id) {
                    *known = enforced(record);
                }
            }
            Change::Revoked { id, .. } => {
                held.tokens.remove(&id);
                held.digests.remove(&id);
            }
            Change::NotBefore { tenant, start } => {
                let bound = held.bounds.entry(tenant).or_insert(start);
                *bound = start.max(*bound);
            }
        }
    }

    fn reached(&self, epoch: Epoch) {
        let held = &mut *self.0.lock();
        assert!(epoch >= held.epoch, "went back from {} to {epoch}", held.epoch);
        held.epoch = epoch;
    }

    fn clear(&self) {
        *self.0.lock() = Held::default();
    }

    fn seal(&self) {
        panic!("sealed");
    }
}

/// A rotation that waits for a first use is the store's alone, and nobody decides by a label.
fn enforced(record: TokenRecord) -> TokenRecord {
    TokenRecord { rotation: None, label: None, ..record }
}
