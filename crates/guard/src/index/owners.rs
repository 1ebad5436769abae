//! Owners as they are now, and the bounds above them: each is one write for all tokens below.

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use parking_lot::Mutex;
use rescind_core::{NotBefore, Owner, OwnerId, TenantId, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Debug, Default)]
pub(super) struct Owners {
    owners: Mutex<HashMap<OwnerId, Arc<OwnerCell>>>,
    tenants: Mutex<HashMap<TenantId, Arc<Bound>>>,
    everything: Arc<Bound>,
}

/// Shared by all tokens of an owner: one write here reaches the whole set.
#[derive(Debug)]
pub(super) struct OwnerCell {
    owner: ArcSwap<Owner>,
    tenant: Option<Arc<Bound>>,
    everything: Arc<Bound>,
}

/// Tokens issued before this were taken back; it only ever goes up.
#[derive(Debug)]
struct Bound(AtomicI64);

/// No bound.
const NEVER: i64 = i64::MIN;

impl Owners {
    pub(super) fn count(&self) -> usize {
        self.owners.lock().len()
    }

    pub(super) fn get(&self, id: &OwnerId) -> Option<Arc<OwnerCell>> {
        self.owners.lock().get(id).cloned()
    }

    /// Whether one that was known is another one now.
    pub(super) fn put(&self, owner: Owner) -> bool {
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

    /// Whether it was lower, of one tenant or of all.
    pub(super) fn raise_bound(&self, tenant: Option<&TenantId>, start: Timestamp) -> bool {
        match tenant {
            Some(tenant) => self.tenant(tenant).raise(start),
            None => self.everything.raise(start),
        }
    }

    /// Bounds stay.
    pub(super) fn clear(&self) {
        self.owners.lock().clear();
    }

    fn tenant(&self, tenant: &TenantId) -> Arc<Bound> {
        Arc::clone(self.tenants.lock().entry_ref(tenant).or_default())
    }
}

impl OwnerCell {
    pub(super) fn owner(&self) -> Arc<Owner> {
        self.owner.load_full()
    }

    /// `owner` as it was just now.
    pub(super) fn not_before(&self, owner: &Owner) -> NotBefore {
        NotBefore {
            owner: owner.not_before,
            tenant: self.tenant.as_ref().and_then(|bound| bound.get()),
            everything: self.everything.get(),
        }
    }
}

impl Bound {
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
