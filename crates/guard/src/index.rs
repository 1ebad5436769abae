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
    Bounds, Digest, NetworkSet, NotBefore, Owner, OwnerId, ScopeSet, TenantId, Timestamp, TokenId,
    TokenKind, TokenRecord,
};
use rescind_store::Material;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

const SHARDS: usize = 64;

/// "Never used" in [`Entry::last_used`], and "no bound" in [`Bound`].
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
    /// Boxed: few tokens have any.
    networks: Option<Box<NetworkSet>>,
    /// Shared by all tokens of an owner: one write here reaches the whole set.
    owner: Arc<OwnerCell>,
    /// Set as the entry leaves the index, for look-ups that already hold it.
    revoked: AtomicBool,
    pub(crate) last_used: AtomicI64,
    pub(crate) use_is_queued: AtomicBool,
}

/// An owner as it is now, and the bounds above it. Each is one write for all tokens below.
#[derive(Debug)]
struct OwnerCell {
    owner: ArcSwap<Owner>,
    tenant: Option<Arc<Bound>>,
    everything: Arc<Bound>,
}

/// Tokens issued before this were taken back; it only ever goes up.
#[derive(Debug)]
struct Bound(AtomicI64);

impl Bound {
    /// Whether it was lower.
    fn raise(&self, start: Timestamp) -> bool {
        self.0.fetch_max(start.as_millis(), Ordering::AcqRel) < start.as_millis()
    }

    fn get(&self) -> Option<Timestamp> {
        let start = self.0.load(Ordering::Acquire);
        (start != NEVER).then(|| Timestamp::from_millis(start))
    }
}

impl Default for Bound {
    fn default() -> Self {
        Self(AtomicI64::new(NEVER))
    }
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

    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub(crate) fn owner(&self) -> Arc<Owner> {
        self.owner.owner.load_full()
    }

    pub(crate) fn bounds<'a>(&'a self, owner: &'a Owner) -> Bounds<'a> {
        Bounds {
            kind: self.kind,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            revoked: self.revoked.load(Ordering::Acquire),
            scopes: &self.scopes,
            networks: self.networks.as_deref(),
            not_before: NotBefore {
                owner: owner.not_before,
                tenant: self.owner.tenant.as_ref().and_then(|bound| bound.get()),
                everything: self.owner.everything.get(),
            },
            owner_suspended: owner.state.is_suspended(),
            owner_scopes: owner.capabilities.allowed_scopes.as_ref(),
            owner_networks: owner.capabilities.allowed_networks.as_ref(),
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
    owners: Mutex<HashMap<OwnerId, Arc<OwnerCell>>>,
    tenants: Mutex<HashMap<TenantId, Arc<Bound>>>,
    everything: Arc<Bound>,
    scope_sets: Mutex<HashSet<Arc<ScopeSet>>>,
    tokens: AtomicUsize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            bearers: std::array::from_fn(|_| RwLock::default()),
            signers: RwLock::default(),
            owners: Mutex::default(),
            tenants: Mutex::default(),
            everything: Arc::default(),
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

    /// Whether an owner that was known is another one now: one that is new has no tokens here yet.
    pub(crate) fn put_owner(&self, owner: Owner) -> bool {
        let mut owners = self.owners.lock();
        match owners.get(&owner.id) {
            Some(cell) if **cell.owner.load() == owner => false,
            Some(cell) => {
                cell.owner.store(Arc::new(owner));
                true
            }
            None => {
                let cell = OwnerCell {
                    tenant: owner.tenant.as_ref().map(|tenant| self.tenant(tenant)),
                    everything: Arc::clone(&self.everything),
                    owner: ArcSwap::from_pointee(owner),
                };
                owners.insert(cell.owner.load().id.clone(), Arc::new(cell));
                false
            }
        }
    }

    /// Takes back what was issued before `start`, of one tenant or of all. Whether that is later
    /// than before.
    pub(crate) fn raise_bound(&self, tenant: Option<&TenantId>, start: Timestamp) -> bool {
        match tenant {
            Some(tenant) => self.tenant(tenant).raise(start),
            None => self.everything.raise(start),
        }
    }

    fn tenant(&self, tenant: &TenantId) -> Arc<Bound> {
        Arc::clone(self.tenants.lock().entry_ref(tenant).or_default())
    }

    /// A token whose owner is not known is left out. On the only node there is none, since the store
    /// tells owners first; one of several has it fetched, owner and all, when it is first shown.
    pub(crate) fn put_token(&self, record: TokenRecord, material: Material) {
        let Some(owner) = self.owners.lock().get(&record.owner).cloned() else {
            tracing::debug!(token_id = %record.id, "of an owner that is not known: left out");
            return;
        };
        let entry = Arc::new(self.entry(record, owner));
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

    /// Puts what `record` says now in the place of what it said before; whoever holds the old entry
    /// is told by the caller to look again. A token that is not there stays away.
    pub(crate) fn replace_token(&self, record: TokenRecord, digest: Option<&Digest>) {
        match digest {
            Some(digest) => {
                let mut shard = self.shard(digest).write();
                if let Some(entry) = shard.get_mut(digest.as_bytes()) {
                    *entry = Arc::new(self.entry(record, Arc::clone(&entry.owner)));
                }
            }
            None => {
                let mut signers = self.signers.write();
                if let Some(signer) = signers.get_mut(record.id.as_str()) {
                    signer.entry = Arc::new(self.entry(record, Arc::clone(&signer.entry.owner)));
                }
            }
        }
    }

    fn entry(&self, record: TokenRecord, owner: Arc<OwnerCell>) -> Entry {
        Entry {
            id: record.id,
            kind: record.kind,
            scopes: self.share(record.scopes),
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            networks: record.allowed_networks.map(Box::new),
            owner,
            revoked: AtomicBool::new(false),
            last_used: AtomicI64::new(NEVER),
            use_is_queued: AtomicBool::new(false),
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

    /// Forgets every owner and every token. Bounds stay: they only ever go up.
    pub(crate) fn clear(&self) {
        self.bearers.iter().for_each(|shard| shard.write().clear());
        self.signers.write().clear();
        self.owners.lock().clear();
        self.tokens.store(0, Ordering::Relaxed);
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
        // Those that no token has any more go, or whoever asks for tokens with ever other scopes,
        // and ends them again, would fill the memory. Room for as many again, so that this is rare.
        if sets.len() == sets.capacity() {
            sets.retain(|shared| Arc::strong_count(shared) > 1);
            let kept = sets.len();
            sets.reserve(kept);
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

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_core::{Capabilities, OwnerKind, OwnerState, TokenState};

    const START: Timestamp = Timestamp::from_millis(0);

    fn index() -> Index {
        let index = Index::default();
        assert!(!index.put_owner(owner()));
        index
    }

    fn owner() -> Owner {
        Owner {
            id: OwnerId::parse("o").unwrap(),
            kind: OwnerKind::Operator { name: String::new() },
            tenant: None,
            state: OwnerState::Active,
            not_before: None,
            capabilities: Capabilities {
                token_management: false,
                allowed_scopes: None,
                allowed_networks: None,
            },
            created_at: START,
        }
    }

    fn record(number: u32) -> TokenRecord {
        TokenRecord {
            id: TokenId::parse("t").unwrap(),
            owner: OwnerId::parse("o").unwrap(),
            kind: TokenKind::Admin,
            label: None,
            scopes: ScopeSet::parse([format!("scope{number}").as_str()]).unwrap(),
            issued_at: START,
            expires_at: None,
            allowed_networks: None,
            rotation: None,
            state: TokenState::Active,
        }
    }

    /// A million tokens are a million of these, and every field is read for each verification.
    #[test]
    fn entry_fits_into_eighty_bytes() {
        assert_eq!(size_of::<Entry>(), 80);
    }

    /// Only what takes something away has others look again.
    #[test]
    fn owner_or_bound_that_is_told_again_is_no_change() {
        let index = index();
        assert!(!index.put_owner(owner()));
        let ended = Owner { not_before: Some(START), ..owner() };
        assert!(index.put_owner(ended.clone()));
        assert!(!index.put_owner(ended));
        assert!(index.put_owner(owner()));
        for tenant in [None, Some(TenantId::parse("t").unwrap())] {
            assert!(index.raise_bound(tenant.as_ref(), START));
            assert!(!index.raise_bound(tenant.as_ref(), START));
        }
    }

    #[test]
    fn scopes_that_no_token_has_any_more_are_forgotten() {
        let index = index();
        let digest = Digest::of(b"t");
        index.put_token(record(0), Material::Digest(digest));
        for number in 1..10_000 {
            index.replace_token(record(number), Some(&digest));
        }
        let kept = index.scope_sets.lock().len();
        assert!(kept < 20, "{kept} sets of one token");
        let (_, entry) = index.by_digest(&digest).unwrap();
        assert_eq!(entry.scopes().join(" "), "scope9999");
    }
}
