//! What several nodes over one store need besides: who may hold a lease, what the others have
//! changed, and what this node has not heard of yet.

use crate::{Change, Epoch, StoreError, postgres::DurabilityReport};
use async_trait::async_trait;
use rescind_core::{Digest, TokenId};
use tokio::sync::broadcast;

/// Rings that wait for whoever is slow to hear them; more, and it is told to look.
const RINGS_MAX: usize = 4_096;

/// One start of one node, as it stands among the others.
///
/// Each start has a row of its own. A node that was replaced under its own name may still be
/// running somewhere, cut off, and its lease counts as much as its successor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub node: String,
    /// New at each start.
    pub incarnation: u64,
    pub lease_ms: u64,
    /// It has applied everything up to here.
    pub applied: Epoch,
    /// Raised at each renewal: one that stays the same is a sign of death.
    pub renewals: u64,
    /// Where other nodes reach it, if they can.
    pub contact: Option<Contact>,
}

/// Where a member listens, and how whoever connects knows that it is it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Host and port.
    pub address: String,
    /// SHA-256 of its certificate (DER), which is new at each start.
    pub certificate: Digest,
}

/// A place in one history of the store: an epoch, and what tells it from the same number in another
/// history. Numbers are given a second time after a backup was restored, or a failover has lost
/// commits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub epoch: Epoch,
    /// What the audit chain had come to, and so a digest of everything before. `None` of what was
    /// written before there were marks, and of the beginning.
    pub mark: Option<Digest>,
}

/// All members, and the epoch of the snapshot that they were read in: whoever joined after it is
/// not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    pub head: Epoch,
    pub members: Vec<Member>,
}

/// Of which moment the whole set is that was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub at: Position,
    /// As in [`LogPage`].
    pub timeline: u32,
}

/// What changed after an epoch, as it was in one snapshot.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Where it begins: as the reader knows it; of a commit, as the database has it.
    pub after: Position,
    /// Of the snapshot.
    pub head: Position,
    /// Whether the log goes as far as `after`, and has that mark there. If not, the truth has gone
    /// backwards, or was written on from an earlier place.
    pub holds: bool,
    /// The server was a replica or recovering: nothing that it says is the newest.
    pub in_recovery: bool,
    /// Of the server's history, as it numbers it itself; another one after a failover. Zero is none.
    pub timeline: u32,
    /// Too many for a page: the whole set must be loaded anew.
    pub too_far: bool,
    pub changes: Vec<Change>,
}

/// What has become of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The follower stands here now: at the page's head, or further if others were quicker.
    At(Position),
    /// Not told. The page does not follow on where the follower stands, or holds nothing to go by.
    Gap,
    /// Not told: nothing is loaded.
    NothingLoaded,
}

/// A token that the index does not know, by what a request showed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// One with a text, by its digest.
    Bearer(Digest),
    /// One that signs. Of one with a text, the id alone proves nothing.
    Signer(TokenId),
}

/// What the store says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is in the index now: look again.
    Known,
    /// There is none.
    Unknown,
    /// It stays so.
    Revoked,
    /// There is one, and this node cannot read it, or cannot open its secret: neither yes nor no.
    Unreadable,
}

/// What is heard of other nodes. A hint: rings can be lost, late or doubled.
#[derive(Debug)]
pub struct Doorbell {
    rings: broadcast::Receiver<Ring>,
    /// Whoever begins to hear has missed what was before.
    heard: bool,
}

/// One ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ring {
    /// Some may have been missed: look for yourself.
    Look,
    /// The log has grown up to here.
    Committed(Epoch),
    /// A member has applied everything up to here.
    Acknowledged { node: String, incarnation: u64, applied: Position },
}

/// What a store rings.
#[derive(Debug)]
pub struct Bell(broadcast::Sender<Ring>);

impl Default for Bell {
    fn default() -> Self {
        Self(broadcast::Sender::new(RINGS_MAX))
    }
}

impl Bell {
    /// Nobody may be listening yet.
    pub fn ring(&self, ring: Ring) {
        let _ = self.0.send(ring);
    }

    pub fn doorbell(&self) -> Doorbell {
        Doorbell { rings: self.0.subscribe(), heard: false }
    }
}

impl Doorbell {
    /// Waits for the next ring. The first comes at once. `Err` once the store is closed.
    pub async fn rung(&mut self) -> Result<Ring, StoreError> {
        if !std::mem::replace(&mut self.heard, true) {
            return Ok(Ring::Look);
        }
        match self.rings.recv().await {
            Ok(ring) => Ok(ring),
            Err(broadcast::error::RecvError::Lagged(_)) => Ok(Ring::Look),
            Err(broadcast::error::RecvError::Closed) => Err(StoreError::Unavailable(None)),
        }
    }
}

/// A store that other nodes write to as well.
///
/// Methods on members are committed, durably as any revocation is, before they return; an error
/// leaves it open whether they were. They may be dropped at any moment.
#[async_trait]
pub trait SharedStore: Send + Sync {
    /// Enters this start of a node. It must come before the [`SharedStore::load`] or
    /// [`SharedStore::read_log`] that its lease rests on. `mark` is that of `member.applied`: the row
    /// says so only if the log holds it.
    async fn register(&self, member: &Member, mark: Option<Digest>) -> Result<(), StoreError>;

    /// Raises `renewals`, and `applied` if the log holds it; neither goes back. `false`: the row is not
    /// there any more.
    async fn renew(
        &self,
        node: &str,
        incarnation: u64,
        applied: Position,
        lease_ms: u64,
    ) -> Result<bool, StoreError>;

    /// Says what was applied, between renewals: to whoever listens, and in the row, which need not
    /// survive a crash of the database. `false`: the row is not there any more, or the log does not
    /// hold this.
    async fn acknowledge(
        &self,
        node: &str,
        incarnation: u64,
        applied: Position,
    ) -> Result<bool, StoreError>;

    /// Tells whoever listens that the log has grown up to here.
    async fn ring(&self, epoch: Epoch) -> Result<(), StoreError>;

    /// Of one that holds no lease any more.
    async fn leave(&self, node: &str, incarnation: u64) -> Result<(), StoreError>;

    /// All of them, however dead they look. A server whose answer does not know of this epoch is not
    /// asked again; what it says is for the caller to judge.
    async fn members(&self, known: Epoch) -> Result<Roll, StoreError>;

    /// Removes one that has not renewed since. `false`: it has, or it was not there.
    async fn remove_member(
        &self,
        node: &str,
        incarnation: u64,
        renewals: u64,
    ) -> Result<bool, StoreError>;

    /// What has changed since: a new snapshot each time.
    async fn read_log(&self, after: Position) -> Result<LogPage, StoreError>;

    /// The same from a server that has committed a write since this was called, synchronously, as
    /// none can that others have replaced: what it reads afterwards lacks nothing that was committed
    /// before the call.
    async fn read_log_of_primary(&self, after: Position) -> Result<LogPage, StoreError>;

    /// Tells the follower of a page, in the store's order.
    fn apply(&self, page: LogPage) -> Result<Applied, StoreError>;

    /// Where the follower stands; `None` if nothing is loaded.
    fn applied(&self) -> Result<Option<Position>, StoreError>;

    /// Empties the follower and tells it the whole set, of one snapshot: this answers which.
    /// Nothing that is in the follower meanwhile may be called valid: the node must hold no lease.
    /// After an error it is empty, and [`SharedStore::applied`] is `None`.
    async fn load(&self) -> Result<Loaded, LoadError>;

    /// Looks for tokens that the index does not know, all in one snapshot; an answer for each, in
    /// their order.
    async fn fetch(&self, sought: &[Sought]) -> Result<Vec<Fetched>, StoreError>;

    /// What the server says of its commits now. It may have been set otherwise since the start.
    async fn durability(&self) -> Result<DurabilityReport, StoreError>;

    fn doorbell(&self) -> Doorbell;
}

/// Why the whole set was not loaded into memory, which is empty now.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(
        "secrets in the database are sealed with key {key}, which is missing; add its file to sealing.key_files"
    )]
    KeyMissing { key: crate::KeyId },
    #[error("the sealed secret of token {token} does not open; restore the database from a backup")]
    Secret { token: TokenId, source: crate::KeyRingError },
    #[error(transparent)]
    Store(#[from] StoreError),
}
