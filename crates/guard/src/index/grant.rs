//! What tokens that were made alike have in common: whose they are, what they allow, and how long
//! they live.
//!
//! Of a million tokens a few thousand are different in this. What else there is of a token, its
//! packed row has room for.

use super::owners::OwnerCell;
use rescind_core::{IdTail, NetworkSet, ScopeSet, Timestamp, TokenId, TokenKind, TokenRecord};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) owner: Arc<OwnerCell>,
    pub(super) kind: TokenKind,
    /// One of the index's own, so that equal ones are one.
    pub(super) scopes: Arc<ScopeSet>,
    /// Boxed: few tokens have any.
    pub(super) networks: Option<Box<NetworkSet>>,
    /// Milliseconds from issue to expiry.
    lifetime: Option<i64>,
    /// What their ids begin with, and whether more follows.
    id_start: Box<str>,
    id_has_tail: bool,
}

impl Grant {
    /// And what of the token's id is its own.
    pub(super) fn of(
        record: &TokenRecord,
        owner: Arc<OwnerCell>,
        scopes: Arc<ScopeSet>,
    ) -> (Self, IdTail) {
        let (id_start, tail) = record.id.split();
        let issued_at = record.issued_at.as_millis();
        let grant = Self {
            owner,
            kind: record.kind,
            scopes,
            networks: record.allowed_networks.clone().map(Box::new),
            // Both lie between the years 1 and 9999.
            lifetime: record.expires_at.map(|end| end.as_millis() - issued_at),
            id_start: id_start.into(),
            id_has_tail: tail.is_some(),
        };
        (grant, tail.unwrap_or_default())
    }

    pub(super) fn id(&self, tail: IdTail) -> TokenId {
        TokenId::join(&self.id_start, self.id_has_tail.then_some(tail))
    }

    pub(super) fn write_id(&self, tail: IdTail, text: &mut String) {
        TokenId::write_joined(&self.id_start, self.id_has_tail.then_some(tail), text);
    }

    pub(super) fn expires_at(&self, issued_at: Timestamp) -> Option<Timestamp> {
        self.lifetime.map(|lifetime| issued_at.plus_millis(lifetime))
    }

    /// What makes one another. Owners and scopes are told apart by where they are.
    fn key(&self) -> impl Eq + Hash + use<'_> {
        let places = (Arc::as_ptr(&self.owner), Arc::as_ptr(&self.scopes));
        let id = (&*self.id_start, self.id_has_tail);
        (places, id, self.kind, self.lifetime, self.networks.as_deref())
    }
}

impl PartialEq for Grant {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Grant {}

impl Hash for Grant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}
