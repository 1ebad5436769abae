//! One node among several over one database: what keeps its lease, and what waits for the others'.
//!
//! `rescind-coherence` decides; here are the tasks, the requests and the clocks that its machines
//! own nothing of. Two loops, each of which owns one machine and tells it one event at a time:
//!
//! | Loop | Machine | Does |
//! | --- | --- | --- |
//! | [`lease`] | `coherence::Node` | loads, renews, follows the log, opens and seals the guard |
//! | [`rounds`] | `coherence::Rounds` | in the place of [`lease`], on a node without leases: has a verification wait for a round |
//! | [`settling`] | `coherence::Settler`, `coherence::Reaper` | waits for what was revoked here, buries dead rows |
//!
//! Between the loops of different nodes [`peers`] carries doorbells and acknowledgements.
//!
//! Both run on a thread of their own: a machine that is busy with a thousand passwords must still
//! renew its lease. Requests run beside the loops, so that a database that hangs holds up no
//! doorbell. Nothing here decides anything about a token, and nothing unsafe happens if all of it
//! stands still: the lease runs out by itself, because each verification reads the clock.

mod lease;
mod peers;
mod requests;
mod rounds;
mod settling;

use crate::Source;
use async_trait::async_trait;
use lease::{Events, Lease, Trouble};
use parking_lot::Mutex;
use peers::Peers;
pub use peers::{Direct, Listen, Unreached, reach};
use rescind_coherence::node::Event;
pub use rescind_coherence::{BootInstant, Rule, Rules, Timing};
use rescind_coherence::{Incarnation, Mark, Member, Node, NodeId, Position};
use rescind_core::Digest;
use rescind_guard::Guard;
use rescind_store::{
    Epoch, Fetched, LogPage, Member as Row, Ring, Roll, Settled, Settler, SharedStore, Sought,
    StoreError,
};
use rounds::ReadThrough;
pub use rounds::{PROOF_PATIENCE, Proofs, QUESTIONS_MAX};
use settling::{Asked, Settlements, Told};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

/// Revocations that may wait to be settled; more are answered 503. Each is a few dozen bytes.
const SETTLEMENTS_MAX: usize = 65_536;

/// How often a start looks whether it has its lease.
const OPEN_POLL: Duration = Duration::from_millis(5);

/// Who this node is, and how long its leases last.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Unique among all nodes.
    pub node: String,
    /// Drawn at random at each start.
    pub incarnation: u64,
    pub timing: Timing,
    /// Without it, others are heard through the database alone.
    pub listen: Option<Listen>,
    /// It takes no leases, since its clock is not to be trusted: it has no row, and so nobody finds
    /// it at `listen`.
    pub reads_through: bool,
    /// All of them, but in tests of tests.
    pub rules: Rules,
}

impl Identity {
    fn member(&self) -> Member {
        Member { node: node_id(&self.node), incarnation: of_row(self.incarnation) }
    }
}

/// What both loops are about.
#[derive(Clone)]
struct Here {
    /// Of this node, as it is written in the rows.
    name: Arc<str>,
    guard: Arc<Guard>,
    store: Arc<dyn SharedStore>,
    peers: Arc<Peers>,
    seen: Arc<Seen>,
}

/// Of the rows, when they were last read.
#[derive(Debug, Default)]
struct Seen {
    head: AtomicU64,
    nodes: AtomicUsize,
}

/// A node's name as the machines know it.
fn node_id(name: &str) -> NodeId {
    let digest = Digest::of(name.as_bytes());
    let half = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    NodeId(u128::from_be_bytes(half))
}

/// An incarnation as the machines know it.
fn of_row(incarnation: u64) -> Incarnation {
    Incarnation(u128::from(incarnation))
}

/// A place, as the machines know it.
fn place(at: rescind_store::Position) -> Position {
    let rescind_store::Position { epoch, mark } = at;
    Position { epoch, mark: mark.map(|mark| Mark(*mark.as_bytes())) }
}

/// A place, as the store has it.
fn stored(at: Position) -> rescind_store::Position {
    let Position { epoch, mark } = at;
    rescind_store::Position { epoch, mark: mark.map(|Mark(mark)| Digest::from_bytes(mark)) }
}

/// The two ends of the queue of what waits to be settled: one for the store, which is made first and
/// asks, and one for the [`Cluster`] that is started with that store and answers.
pub fn settlements() -> (Arc<dyn Settler>, Unsettled) {
    let (asked, unsettled) = mpsc::channel(SETTLEMENTS_MAX);
    let reaches_all = Arc::new(AtomicBool::new(false));
    let settlement = Settlement { asked, reaches_all: Arc::clone(&reaches_all) };
    (Arc::new(settlement), Unsettled { asked: unsettled, reaches_all })
}

/// See [`settlements`].
#[derive(Debug)]
pub struct Unsettled {
    asked: mpsc::Receiver<Asked>,
    reaches_all: Arc<AtomicBool>,
}

struct Settlement {
    asked: mpsc::Sender<Asked>,
    reaches_all: Arc<AtomicBool>,
}

#[async_trait]
impl Settler for Settlement {
    async fn settle(&self, epoch: Epoch) -> Result<Settled, StoreError> {
        let (answer, settled) = oneshot::channel();
        let asked = self.asked.try_send(Asked::Settle { epoch, answer });
        asked
            .map_err(|_| StoreError::Uncertain(Some("too many revocations are waiting".into())))?;
        let gone = |_| StoreError::Uncertain(Some("this node is leaving".into()));
        settled.await.map_err(gone)
    }

    /// If there is no room for it, whoever waits rings.
    fn committed(&self, page: LogPage) {
        let _ = self.asked.try_send(Asked::Committed(page));
    }

    /// If there is no room for it, whoever waits looks for himself.
    fn members(&self, behind: rescind_store::Position, members: Roll) {
        let _ = self.asked.try_send(Asked::Members { behind: place(behind), members });
    }

    fn reaches_all(&self) -> bool {
        self.reaches_all.load(Relaxed)
    }
}

/// This node's two loops, on a thread of their own.
pub struct Cluster {
    here: Here,
    events: Events,
    trouble: Trouble,
    proofs: Option<Proofs>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A node, as its row says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    pub node: String,
    pub incarnation: u64,
    pub lease_ms: u64,
    pub applied: Epoch,
    /// How many changes it is behind.
    pub behind: u64,
    pub renewals: u64,
}

impl Cluster {
    /// Loads, registers, and opens the guard; and goes on until [`Cluster::leave`].
    ///
    /// # Errors
    /// No thread could be started, or the address to listen at is taken.
    pub fn start(
        identity: &Identity,
        guard: Arc<Guard>,
        store: Arc<dyn SharedStore>,
        unsettled: Unsettled,
    ) -> io::Result<Self> {
        let (events, inbox) = mpsc::channel(lease::INBOX);
        let (tell, told) = mpsc::unbounded_channel();
        let trouble = watch::Sender::new(None);
        let member = identity.member();
        let (peers, bound) = Peers::new(identity, unsettled.reaches_all)?;
        let seen = Arc::default();
        let here = Here { name: identity.node.as_str().into(), guard, store, peers, seen };
        let (proofs, questions) = rounds::questions();
        let proofs = identity.reads_through.then_some(proofs);
        let settlements = Settlements::new(
            member,
            (identity.timing, identity.rules),
            here.clone(),
            (unsettled.asked, events.clone()),
            (tell.clone(), told),
        );
        let (own, node) = (events.clone(), here.clone());
        let (timing, rules, told_to_wait) = (identity.timing, identity.rules, tell.clone());
        let (reads_through, worry) = (identity.reads_through, trouble.clone());
        let verifying = async move {
            if reads_through {
                let heard = (inbox, questions);
                ReadThrough::new((member, rules), node, heard, told_to_wait, worry).run().await;
            } else {
                let machine = Node::new(member, timing, rules);
                Lease::new(machine, node, (own, inbox), told_to_wait, worry).run().await;
            }
        };
        let doorbells = doorbells(Arc::clone(&here.store), events.clone(), tell.clone());
        let direct = bound.map(|bound| Arc::clone(&here.peers).run(bound, events.clone(), tell));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("rescind-lease".into()).spawn(move || {
            runtime.block_on(async move {
                tokio::spawn(settlements.run());
                tokio::spawn(doorbells);
                direct.map(tokio::spawn);
                verifying.await;
            });
        })?;
        Ok(Self { here, events, trouble, proofs, thread: Mutex::new(Some(thread)) })
    }

    /// Waits for the first lease, or for the first round.
    ///
    /// # Errors
    /// There is none after `patience`: what went wrong last.
    pub async fn opened(&self, patience: Duration) -> Result<(), String> {
        let open = async {
            while !self.here.guard.is_open() {
                sleep(OPEN_POLL).await;
            }
        };
        let why = || self.trouble.borrow().clone();
        timeout(patience, open).await.map_err(|_| why().unwrap_or_else(|| "no lease yet".into()))
    }

    /// What each verification waits for, if this node takes no leases.
    pub fn proofs(&self) -> Option<Proofs> {
        self.proofs.clone()
    }

    /// This node's.
    pub fn name(&self) -> &str {
        &self.here.name
    }

    /// The newest change that there was when the rows were last read, which is a few times in each
    /// lease; and how many nodes there were then. Asks nobody.
    pub fn last_seen(&self) -> (Epoch, usize) {
        (self.here.seen.head.load(Relaxed), self.here.seen.nodes.load(Relaxed))
    }

    /// How many others it is connected with; `None` if it listens for nobody. Asks nobody.
    pub fn direct(&self) -> Option<Direct> {
        self.here.peers.direct()
    }

    /// Every node, in the order of their names.
    pub async fn nodes(&self) -> Result<Vec<NodeView>, StoreError> {
        let Roll { head, members } = self.here.store.members(0).await?;
        let view = |row: Row| NodeView {
            node: row.node,
            incarnation: row.incarnation,
            lease_ms: row.lease_ms,
            applied: row.applied,
            behind: head.saturating_sub(row.applied),
            renewals: row.renewals,
        };
        let mut nodes: Vec<_> = members.into_iter().map(view).collect();
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        Ok(nodes)
    }

    /// Seals this node, and takes its row away: nobody waits for it any more.
    pub async fn leave(&self) {
        let _ = self.events.send(Event::Stop).await;
        let Some(thread) = self.thread.lock().take() else { return };
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

/// Hints that the log has grown, and acknowledgements of other nodes.
async fn doorbells(store: Arc<dyn SharedStore>, events: Events, tell: mpsc::UnboundedSender<Told>) {
    let mut bell = store.doorbell();
    while let Ok(ring) = bell.rung().await {
        match ring {
            // Nobody knows what was missed: whatever the number is, it is later.
            Ring::Look => {
                let _ = tell.send(Told::Look);
                let _ = events.send(Event::Doorbell { epoch: Epoch::MAX }).await;
            }
            Ring::Committed(epoch) => {
                let _ = events.send(Event::Doorbell { epoch }).await;
            }
            Ring::Acknowledged { node, incarnation, applied } => {
                let by = Member { node: node_id(&node), incarnation: of_row(incarnation) };
                let _ = tell.send(Told::Acknowledged { by, at: place(applied) });
            }
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

/// Tokens that other nodes have made, from the database that all share.
pub struct Shared(pub Arc<dyn SharedStore>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

#[async_trait]
impl Source for Shared {
    async fn fetch(&self, sought: &[Sought]) -> Result<Vec<Fetched>, StoreError> {
        self.0.fetch(sought).await
    }
}
