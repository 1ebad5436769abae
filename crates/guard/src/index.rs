//! Every active token, in memory, by what a request presents.
//!
//! 64 shards of a read-write lock over a hash map: once a shard's write lock is released, no later
//! look-up sees the token that was taken out. One lock over all would collapse under writes;
//! lock-free maps measured no faster and make that sentence harder to believe.

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use parking_lot::{Mutex, RwLock};
use rescind_core::signature::SigningKey;
use rescind_core::{
    Bounds, Digest, Owner, OwnerId, ScopeSet, Timestamp, TokenId, TokenKind, TokenRecord,
};
use rescind_store::Material;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// "Never used", in [`Entry::last_used`].
pub(crate) const NEVER: i64 = i64::MIN;

/// One active token.
#[derive(Debug)]
pub struct Entry {
    id: TokenId,
    kind: TokenKind,
    /// Shared: most tokens have one of a few sets.
    scopes: Arc<ScopeSet>,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Shared by all tokens of an owner: one write here reaches the whole set.
    owner: Arc<ArcSwap<Owner>>,
    /// Set as the entry leaves the index, for look-ups that already hold it.
    revoked: AtomicBool,
    pub(crate) last_used: AtomicI64,
    pub(crate) use_is_queued: AtomicBool,
}

impl Entry {
    pub fn id(&self) -> &TokenId {
        &self.id
    }

    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub(crate) fn owner(&self) -> Arc<Owner> {
        self.owner.load_full()
    }

    pub(crate) fn bounds<'a>(&'a self, owner: &'a Owner) -> Bounds<'a> {
        Bounds {
            kind: self.kind,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            revoked: self.revoked.load(Ordering::Acquire),
            scopes: &self.scopes,
            owner_suspended: owner.state.is_suspended(),
            owner_not_before: owner.not_before,
            owner_scopes: owner.capabilities.allowed_scopes.as_ref(),
        }
    }
}

/// A signing token: found by its id, proven by its key.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) entry: Arc<Entry>,
    pub(crate) key: Arc<SigningKey>,
}

type Digests = HashMap<[u8; 32], Arc<Entry>, BuildHasherDefault<DigestHasher>>;

/// See the module's head.
#[derive(Debug)]
pub struct Index {
    bearers: [RwLock<Digests>; SHARDS],
    signers: RwLock<HashMap<Box<str>, Signer>>,
    owners: Mutex<HashMap<OwnerId, Arc<ArcSwap<Owner>>>>,
    scope_sets: Mutex<HashSet<Arc<ScopeSet>>>,
    tokens: AtomicUsize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            bearers: std::array::from_fn(|_| RwLock::default()),
            signers: RwLock::default(),
            owners: Mutex::default(),
            scope_sets: Mutex::default(),
            tokens: AtomicUsize::new(0),
        }
    }
}

impl Index {
    pub fn tokens(&self) -> usize {
        self.tokens.load(Ordering::Relaxed)
    }

    pub fn owners(&self) -> usize {
        self.owners.lock().len()
    }

    /// The entry, with the digest that it is stored under.
    pub(crate) fn by_digest(&self, digest: &Digest) -> Option<(Digest, Arc<Entry>)> {
        let shard = self.shard(digest).read();
        let (stored, entry) = shard.get_key_value(digest.as_bytes())?;
        Some((Digest::from_bytes(*stored), Arc::clone(entry)))
    }

    pub(crate) fn by_key_id(&self, key_id: &str) -> Option<Signer> {
        self.signers.read().get(key_id).cloned()
    }

    pub(crate) fn put_owner(&self, owner: Owner) {
        let mut owners = self.owners.lock();
        match owners.get(&owner.id) {
            Some(cell) => cell.store(Arc::new(owner)),
            None => {
                owners.insert(owner.id.clone(), Arc::new(ArcSwap::from_pointee(owner)));
            }
        }
    }

    /// A token whose owner is not known is left out, and so refused: the store sends owners first.
    pub(crate) fn put_token(&self, record: TokenRecord, material: Material) {
        let Some(owner) = self.owners.lock().get(&record.owner).cloned() else {
            tracing::error!(token_id = %record.id, "token without a known owner: not loaded");
            return;
        };
        let entry = Arc::new(Entry {
            id: record.id,
            kind: record.kind,
            scopes: self.share(record.scopes),
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            owner,
            revoked: AtomicBool::new(false),
            last_used: AtomicI64::new(NEVER),
            use_is_queued: AtomicBool::new(false),
        });
        let replaced = match material {
            Material::Digest(digest) => {
                self.shard(&digest).write().insert(*digest.as_bytes(), entry).is_some()
            }
            Material::Secret(secret) => {
                let signer = Signer { key: Arc::new(secret.key()), entry };
                let id = signer.entry.id.as_str().into();
                self.signers.write().insert(id, signer).is_some()
            }
        };
        if !replaced {
            self.tokens.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn take_token(&self, id: &TokenId, digest: Option<&Digest>) {
        // Marked while the lock is held: whoever looks it up later does not find it, whoever holds
        // it sees the mark.
        let mark = |entry: &Arc<Entry>| entry.revoked.store(true, Ordering::Release);
        let taken = match digest {
            Some(digest) => {
                let mut shard = self.shard(digest).write();
                shard.remove(digest.as_bytes()).inspect(mark).is_some()
            }
            None => {
                let mut signers = self.signers.write();
                signers.remove(id.as_str()).inspect(|signer| mark(&signer.entry)).is_some()
            }
        };
        if taken {
            self.tokens.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The digest's first byte picks the shard, its last eight the place within: digests are
    /// uniform.
    fn shard(&self, digest: &Digest) -> &RwLock<Digests> {
        let [first, ..] = *digest.as_bytes();
        #[expect(clippy::indexing_slicing, reason = "the remainder is less than the length")]
        &self.bearers[usize::from(first) % SHARDS]
    }

    fn share(&self, scopes: ScopeSet) -> Arc<ScopeSet> {
        let mut sets = self.scope_sets.lock();
        if let Some(shared) = sets.get(&scopes) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(scopes);
        sets.insert(Arc::clone(&shared));
        shared
    }
}

/// A SHA-256 value is its own hash. Nobody can choose where one lands: that would take a partial
/// preimage for each token, and only tokens that we made are inserted.
#[derive(Clone, Copy, Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*last);
        }
    }

    fn write_usize(&mut self, _length_prefix: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
