//! A store that remembers what it was asked, so that a test can compare what two requests cost; and
//! that holds a call back, so that a test can put something before it.

use async_trait::async_trait;
use rescind_core::{Digest, Owner, OwnerId, Timestamp, TokenId, TokenRecord, TokenUpdate};
use rescind_store::{
    AllRevoked, AuditFilter, AuditRow, By, Created, Epoch, IssueError, NewOwner, NewRotation,
    NewToken, OwnerError, OwnerFilter, OwnerUpdate, ReadStore, Revocation, RevocationOfAll,
    Revoked, RotateError, Rotated, SetRevocation, SetRevoked, Settled, Settling, Store, StoreError,
    StoredToken, StoredUser, TokenFilter, UpdateError, WriteStore,
};
use std::sync::{Arc, Mutex};
use tokio::sync::{oneshot, watch};

pub struct Counted {
    store: Arc<dyn Store>,
    asked: Mutex<Vec<&'static str>>,
    held: Mutex<Option<Place>>,
    /// As [`rescind_store::Settler`] says: how many others have not acknowledged yet.
    silent: watch::Sender<Others>,
}

/// Nodes besides this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    None,
    /// One has not acknowledged, and may hold a lease.
    Silent,
    /// Its lease has run out.
    WaitedOut,
    /// The one that waits has no answer.
    Failed,
}

/// Where the next call of a name waits.
struct Place {
    name: &'static str,
    arrived: oneshot::Sender<()>,
    gone_on: oneshot::Receiver<()>,
}

/// A call that is held back until this is dropped.
pub struct Held {
    arrived: oneshot::Receiver<()>,
    _go_on: oneshot::Sender<()>,
}

impl Held {
    /// Returns once the call is there: all that comes before the store lies behind it.
    pub async fn arrived(&mut self) {
        (&mut self.arrived).await.unwrap();
    }
}

impl Counted {
    pub fn new(store: Arc<dyn Store>) -> Self {
        let silent = watch::Sender::new(Others::None);
        Self { store, asked: Mutex::default(), held: Mutex::default(), silent }
    }

    /// What was asked since the last call, in order.
    pub fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// Holds the next call of this name back.
    pub fn hold(&self, name: &'static str) -> Held {
        let ((has_arrived, arrived), (go_on, gone_on)) = (oneshot::channel(), oneshot::channel());
        *self.held.lock().unwrap() = Some(Place { name, arrived: has_arrived, gone_on });
        Held { arrived, _go_on: go_on }
    }

    /// Says how it stands about other nodes, from now on.
    pub fn others_are(&self, others: Others) {
        self.silent.send_replace(others);
    }

    /// The same, once nobody is silent.
    fn settling(&self, settling: Settling) -> Settling {
        let mut others = self.silent.subscribe();
        Settling::new(settling.epoch(), async move {
            let settled = settling.settled().await?;
            let others = *others.wait_for(|others| *others != Others::Silent).await.unwrap();
            match others {
                Others::Failed => Err(StoreError::Uncertain(None)),
                Others::WaitedOut => Ok(Settled { waited_out: 1, ..settled }),
                Others::None | Others::Silent => Ok(settled),
            }
        })
    }

    async fn asked(&self, name: &'static str) {
        self.asked.lock().unwrap().push(name);
        let place = self.held.lock().unwrap().take_if(|place| place.name == name);
        if let Some(place) = place {
            place.arrived.send(()).unwrap();
            // An error: whoever held it has let it go.
            let _ = place.gone_on.await;
        }
    }
}

macro_rules! counted {
    ($trait:ident {
        $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+
    } $({ $($own:item)* })?) => {
        #[async_trait]
        impl $trait for Counted {
            $($($own)*)?
            $(async fn $name(&self, $($argument: $type),*) -> $answer {
                self.asked(stringify!($name)).await;
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
    fn revoke_all(what: RevocationOfAll, by: By) -> Result<AllRevoked, StoreError>;
    fn record_use(uses: Vec<(TokenId, Timestamp)>) -> Result<(), StoreError>;
} {
    async fn begin_revoke(
        &self,
        what: Revocation,
        by: By,
    ) -> Result<Revoked<Settling>, StoreError> {
        self.asked("revoke").await;
        Ok(match self.store.begin_revoke(what, by).await? {
            Revoked::Now(settling) => Revoked::Now(self.settling(settling)),
            Revoked::Before { record, settled } => {
                Revoked::Before { record, settled: self.settling(settled) }
            }
            Revoked::Unknown => Revoked::Unknown,
        })
    }
    async fn begin_revoke_set(
        &self,
        what: SetRevocation,
        by: By,
    ) -> Result<SetRevoked<Settling>, OwnerError> {
        self.asked("revoke_set").await;
        let SetRevoked { settled, not_before } = self.store.begin_revoke_set(what, by).await?;
        Ok(SetRevoked { settled: self.settling(settled), not_before })
    }
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        self.settling(Settling::over(self.store.settle(epoch).await?)).settled().await
    }
} }
