//! Every active token, in memory, by what a request presents.
//!
//! 64 shards of a read-write lock over a hash table: once a shard's write lock is released, no later
//! look-up sees the token that was taken out. One lock over all would collapse under writes;
//! lock-free maps measured no faster and make that sentence harder to believe.
//!
//! A look-up copies what the decision rests on, and holds nothing: what is taken back meanwhile is
//! noticed by the gate (`rescind_coherence`), which is asked last. Memory is for tokens, so what
//! many of them have in common is kept once (`grant`), and the rest is packed (`bearers`).

mod bearers;
mod grant;
mod owners;
mod rows;
mod shared;
mod signers;
mod table;

use crate::usage::Second;
use bearers::Bearers;
pub(crate) use bearers::{Found, Place};
use grant::Grant;
use owners::{OwnerCell, Owners};
use rescind_core::{
    Bounds, Digest, Fingerprint, IdTail, Owner, ScopeSet, TenantId, Timestamp, TokenId, TokenKind,
    TokenRecord,
};
use rescind_store::Material;
use shared::Shared;
pub(crate) use signers::Signer;
use signers::Signers;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A power of two, as what picks one of them is uniform.
const SHARDS: usize = 64;

/// One active token, as it was when it was looked up.
#[derive(Clone, Debug)]
pub struct Entry {
    grant: Arc<Grant>,
    id_tail: IdTail,
    issued_at: Timestamp,
}

impl Entry {
    pub fn id(&self) -> TokenId {
        self.grant.id(self.id_tail)
    }

    /// The same without a copy of its own.
    pub fn write_id(&self, text: &mut String) {
        self.grant.write_id(self.id_tail, text);
    }

    pub fn kind(&self) -> TokenKind {
        self.grant.kind
    }

    pub fn scopes(&self) -> &ScopeSet {
        &self.grant.scopes
    }

    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.grant.expires_at(self.issued_at)
    }

    pub(crate) fn owner(&self) -> Arc<Owner> {
        self.grant.owner.owner()
    }

    pub(crate) fn bounds<'a>(&'a self, owner: &'a Owner) -> Bounds<'a> {
        Bounds {
            kind: self.grant.kind,
            issued_at: self.issued_at,
            expires_at: self.expires_at(),
            // Or it would not have been found.
            revoked: false,
            scopes: &self.grant.scopes,
            networks: self.grant.networks.as_deref(),
            not_before: self.grant.owner.not_before(owner),
            owner_suspended: owner.state.is_suspended(),
            owner_scopes: owner.capabilities.allowed_scopes.as_ref(),
            owner_networks: owner.capabilities.allowed_networks.as_ref(),
        }
    }
}

/// See the module's head.
#[derive(Debug, Default)]
pub struct Index {
    bearers: Bearers,
    signers: Signers,
    owners: Owners,
    scope_sets: Shared<ScopeSet>,
    grants: Shared<Grant>,
    tokens: AtomicUsize,
}

impl Index {
    pub fn tokens(&self) -> usize {
        self.tokens.load(Ordering::Relaxed)
    }

    pub fn owners(&self) -> usize {
        self.owners.count()
    }

    #[inline]
    pub(crate) fn by_fingerprint(&self, fingerprint: &Fingerprint) -> Option<Found> {
        self.bearers.find(fingerprint)
    }

    pub(crate) fn by_key_id(&self, key_id: &str) -> Option<Arc<Signer>> {
        self.signers.find(key_id)
    }

    pub(crate) fn note_use(&self, fingerprint: &Fingerprint, place: Place, second: Second) {
        self.bearers.note_use(fingerprint, place, second);
    }

    /// Whether an owner that was known is another one now: one that is new has no tokens here yet.
    pub(crate) fn put_owner(&self, owner: Owner) -> bool {
        self.owners.put(owner)
    }

    /// Takes back what was issued before `start`, of one tenant or of all. Whether that is later
    /// than before.
    pub(crate) fn raise_bound(&self, tenant: Option<&TenantId>, start: Timestamp) -> bool {
        self.owners.raise_bound(tenant, start)
    }

    /// A token whose owner is not known is left out. On the only node there is none, since the store
    /// tells owners first; one of several has it fetched, owner and all, when it is first shown.
    pub(crate) fn put_token(&self, record: TokenRecord, material: Material) {
        let Some(owner) = self.owners.get(&record.owner) else {
            tracing::debug!(token_id = %record.id, "of an owner that is not known: left out");
            return;
        };
        let entry = self.entry(&record, owner);
        let replaced = match material {
            Material::Digest(digest) => self.bearers.put(Fingerprint::from(&digest), entry),
            Material::Secret(secret) => {
                self.signers.put(Signer::new(record.id, secret.key(), entry))
            }
        };
        if !replaced {
            self.tokens.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts what `record` says now in the place of what it said before; whoever looked it up is told
    /// by the caller to look again. A token that is not there stays away.
    pub(crate) fn replace_token(&self, record: &TokenRecord, digest: Option<&Digest>) {
        let Some(owner) = self.owners.get(&record.owner) else { return };
        let entry = self.entry(record, owner);
        match digest {
            Some(digest) => self.bearers.replace(&Fingerprint::from(digest), entry),
            None => self.signers.replace(record.id.as_str(), entry),
        }
    }

    pub(crate) fn take_token(&self, id: &TokenId, digest: Option<&Digest>) {
        let taken = match digest {
            Some(digest) => self.bearers.take(&Fingerprint::from(digest)),
            None => self.signers.take(id.as_str()),
        };
        if taken {
            self.tokens.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Forgets every owner and every token. Bounds stay: they only ever go up.
    pub(crate) fn clear(&self) {
        self.bearers.clear();
        self.signers.clear();
        self.owners.clear();
        self.grants.clear();
        self.tokens.store(0, Ordering::Relaxed);
    }

    fn entry(&self, record: &TokenRecord, owner: Arc<OwnerCell>) -> Entry {
        let scopes = self.scope_sets.share(&record.scopes);
        let (grant, id_tail) = Grant::of(record, owner, scopes);
        Entry { grant: self.grants.share(&grant), id_tail, issued_at: record.issued_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_core::{Capabilities, OwnerId, OwnerKind, OwnerState, TokenState};

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
    fn what_no_token_has_any_more_is_forgotten() {
        let index = index();
        let digest = Digest::of(b"t");
        index.put_token(record(0), Material::Digest(digest));
        for number in 1..10_000 {
            index.replace_token(&record(number), Some(&digest));
        }
        let kept = (index.scope_sets.count(), index.grants.count());
        assert!(kept.0 < 20 && kept.1 < 20, "{kept:?} of one token");
        let found = index.by_fingerprint(&Fingerprint::from(&digest)).unwrap();
        assert_eq!(found.entry.scopes().join(" "), "scope9999");
    }
}
