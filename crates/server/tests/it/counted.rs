//! A store that remembers what it was asked, so that a test can compare what two requests cost.

use async_trait::async_trait;
use rescind_core::{Digest, Owner, OwnerId, Timestamp, TokenId, TokenRecord, TokenUpdate};
use rescind_store::{
    AllRevoked, AuditFilter, AuditRow, By, Created, Epoch, IssueError, NewOwner, NewRotation,
    NewToken, OwnerError, OwnerFilter, OwnerUpdate, ReadStore, Revocation, RevocationOfAll,
    Revoked, RotateError, Rotated, SetRevocation, SetRevoked, Store, StoreError, StoredToken,
    StoredUser, TokenFilter, UpdateError, WriteStore,
};
use std::sync::{Arc, Mutex};

pub struct Counted {
    store: Arc<dyn Store>,
    asked: Mutex<Vec<&'static str>>,
}

impl Counted {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, asked: Mutex::default() }
    }

    /// What was asked since the last call, in order.
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

macro_rules! counted {
    ($trait:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+ }) => {
        #[async_trait]
        impl $trait for Counted {
            $(async fn $name(&self, $($argument: $type),*) -> $answer {
                self.asked.lock().unwrap().push(stringify!($name));
                self.store.$name($($argument),*).await
            })+
        }
    };
}

counted! { ReadStore {
    fn owner(id: &OwnerId) -> Result<Option<Owner>, StoreError>;
    fn user_by_email(email: &str) -> Result<Option<StoredUser>, StoreError>;
    fn partner_by_subject(issuer: &str, subject: &str) -> Result<Option<Owner>, StoreError>;
    fn owners(filter: &OwnerFilter) -> Result<Vec<Owner>, StoreError>;
    fn token(id: &TokenId) -> Result<Option<StoredToken>, StoreError>;
    fn token_by_digest(digest: &Digest) -> Result<Option<StoredToken>, StoreError>;
    fn tokens(filter: &TokenFilter) -> Result<Vec<StoredToken>, StoreError>;
    fn audit(filter: &AuditFilter) -> Result<Vec<AuditRow>, StoreError>;
    fn audit_head() -> Result<Option<AuditRow>, StoreError>;
    fn epoch() -> Result<Epoch, StoreError>;
} }

counted! { WriteStore {
    fn create_owner(new: NewOwner, by: By) -> Result<Created<Owner>, OwnerError>;
    fn update_owner(id: OwnerId, update: OwnerUpdate, by: By) -> Result<Owner, OwnerError>;
    fn issue(new: NewToken, by: By) -> Result<Created<TokenRecord>, IssueError>;
    fn rotate(what: NewRotation, by: By) -> Result<Created<Rotated>, RotateError>;
    fn update_token(id: TokenId, update: TokenUpdate, by: By) -> Result<TokenRecord, UpdateError>;
    fn revoke(what: Revocation, by: By) -> Result<Revoked, StoreError>;
    fn revoke_all(what: RevocationOfAll, by: By) -> Result<AllRevoked, StoreError>;
    fn revoke_set(what: SetRevocation, by: By) -> Result<SetRevoked, OwnerError>;
    fn record_use(uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError>;
} }
