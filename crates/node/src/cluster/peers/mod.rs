//! Direct connections between nodes: the short way for what a revocation waits for.
//!
//! Each node dials every other one. Over a connection, whoever dialled rings when it has committed
//! something, and the other says what it has applied:
//!
//! ```text
//! dialled ──► Pushed { after, changes, at }  (what was committed: a hint, unless it follows)
//!         ──► Committed { epoch }            (a doorbell: a hint)
//!         ◄── Applied { incarnation, at }    (an acknowledgement: believed of the same history)
//! ```
//!
//! Whoever has nothing to say says so every second. What is lost here costs time and nothing else:
//! notifications ring too, and the member rows say what was applied. But a forged acknowledgement
//! would break the promise, and so would a forged push. So both ends prove who they are: TLS 1.3, with
//! a key and a certificate that each start makes for itself, and whose digest stands in its member row
//! ([`certificate`]). Whoever may write these rows is trusted with everything already; there is no
//! authority to keep and nothing that expires.

mod certificate;
mod link;
mod push;
mod reach;
#[cfg(test)]
mod tests;

use super::lease::Events;
use super::settling::Told;
use super::{Identity, node_id};
use certificate::{Certificate, Fingerprint};
use link::{Ring, Rings, Wires};
use parking_lot::Mutex;
pub use reach::{Unreached, reach};
use rescind_coherence::{Member, Position};
use rescind_store::{Contact, Epoch, LogPage, Roll};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as Bound};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Connections that others have made, with those that have not yet proved who they are. A cluster
/// has tens of nodes.
const INBOUND_MAX: usize = 256;
/// For a connection, and for both ends to have proved who they are.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(3);
/// Between attempts to reach a member: at first, and at most.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// After a socket could not be accepted, mostly for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Rings that wait for one connection. One that is further behind is told the last epoch instead.
const RINGS_MAX: usize = 256;

/// Where this node listens for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Port 0 picks a free one.
    pub address: SocketAddr,
    /// Where others find it; without it, at `address`.
    pub advertise: Option<String>,
}

/// How many others this node is connected with directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Rows of others, when they were last read.
    pub others: usize,
    /// Whom this node tells directly what it has committed, and hears directly in turn.
    pub rung: usize,
    /// Who hears directly what this node has applied.
    pub hearing: usize,
}

/// Another member, as its row says it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Peer {
    node: Arc<str>,
    address: String,
}

/// The others who can be reached, by their certificates.
type Known = HashMap<Fingerprint, Peer>;

pub(super) struct Peers {
    me: Option<Me>,
    known: Arc<watch::Sender<Known>>,
    links: Mutex<Links>,
    /// Whether all others are rung at directly.
    reaches_all: Arc<AtomicBool>,
    /// What this node has committed, in order.
    rings: broadcast::Sender<Ring>,
    /// The last epoch of it.
    rung: AtomicU64,
    /// What is to be said to others.
    acknowledged: watch::Sender<Option<(Member, Position)>>,
    /// Somebody came who is not known: perhaps a row is new.
    pub(super) stranger: Arc<Notify>,
}

/// Who is connected.
#[derive(Default)]
struct Links {
    /// Of how many others there is a row, reachable or not.
    others: usize,
    /// To this node, and how often, to hear what it has applied.
    hearing: HashMap<Fingerprint, usize>,
    /// From this node, to hear its rings.
    rung: HashMap<Fingerprint, usize>,
}

struct Me {
    contact: Contact,
    fingerprint: Fingerprint,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Peers {
    /// The socket is bound here, so that a start fails that cannot have it.
    pub(super) fn new(
        identity: &Identity,
        reaches_all: Arc<AtomicBool>,
    ) -> io::Result<(Arc<Self>, Option<Bound>)> {
        let (known, stranger) = (Arc::new(watch::Sender::default()), Arc::default());
        let (me, bound) = match &identity.listen {
            None => (None, None),
            Some(listen) => {
                let bound = Bound::bind(listen.address)?;
                bound.set_nonblocking(true)?;
                let here = bound.local_addr()?.to_string();
                let address = listen.advertise.clone().unwrap_or(here);
                let own = Certificate::new()?;
                let (acceptor, connector) = own.tls(&known, &stranger)?;
                let contact = Contact { address, certificate: own.digest() };
                let fingerprint = own.fingerprint();
                (Some(Me { contact, fingerprint, acceptor, connector }), Some(bound))
            }
        };
        let peers = Self {
            me,
            known,
            links: Mutex::default(),
            reaches_all,
            rings: broadcast::Sender::new(RINGS_MAX),
            rung: AtomicU64::new(0),
            acknowledged: watch::Sender::default(),
            stranger,
        };
        Ok((Arc::new(peers), bound))
    }

    /// For this node's row.
    pub(super) fn contact(&self) -> Option<Contact> {
        self.me.as_ref().map(|me| me.contact.clone())
    }

    /// Rings at all that are connected.
    pub(super) fn ring(&self, epoch: Epoch) {
        self.say(epoch, Ring::Look(epoch));
    }

    /// Tells all that are connected what this node has committed; or rings, if that is not to be
    /// told.
    pub(super) fn push(&self, page: &LogPage) {
        let ring = push::write(page).unwrap_or(Ring::Look(page.head.epoch));
        self.say(page.head.epoch, ring);
    }

    fn say(&self, epoch: Epoch, ring: Ring) {
        self.rung.fetch_max(epoch, Ordering::Relaxed);
        // Nobody may be connected.
        let _ = self.rings.send(ring);
    }

    /// The last one says all that those before it would have said.
    pub(super) fn acknowledge(&self, member: Member, at: Position) {
        self.acknowledged.send_replace(Some((member, at)));
    }

    pub(super) fn acknowledged(&self) -> watch::Receiver<Option<(Member, Position)>> {
        self.acknowledged.subscribe()
    }

    /// Whether all others hear directly what is acknowledged.
    pub(super) fn all_hear(&self) -> bool {
        let links = self.links.lock();
        self.all_are_in(&links.hearing, links.others)
    }

    /// `None` if this node listens for nobody.
    pub(super) fn direct(&self) -> Option<Direct> {
        self.me.as_ref()?;
        let links = self.links.lock();
        let (rung, hearing) = (links.rung.len(), links.hearing.len());
        Some(Direct { others: links.others, rung, hearing })
    }

    fn all_are_in(&self, linked: &HashMap<Fingerprint, usize>, others: usize) -> bool {
        let known = self.known.borrow();
        known.len() == others && known.keys().all(|peer| linked.contains_key(peer))
    }

    fn look_who_is_reached(&self, links: &Links) {
        let all = self.me.is_some() && self.all_are_in(&links.rung, links.others);
        self.reaches_all.store(all, Ordering::Relaxed);
    }

    /// The rows were read.
    pub(super) fn know(&self, roll: &Roll, own: Member) {
        let Some(me) = &self.me else { return };
        let others = roll.members.iter().filter(|row| node_id(&row.node) != own.node);
        let mut known = Known::new();
        let mut count = 0;
        for row in others {
            count += 1;
            let Some(Contact { address, certificate }) = &row.contact else { continue };
            let peer = Peer { node: row.node.as_str().into(), address: address.clone() };
            known.insert(*certificate.as_bytes(), peer);
        }
        known.remove(&me.fingerprint);
        let mut links = self.links.lock();
        links.others = count;
        self.known.send_if_modified(|before| {
            let changed = *before != known;
            *before = known;
            changed
        });
        self.look_who_is_reached(&links);
    }

    /// Listens, and dials whoever is known, for as long as it is let.
    pub(super) async fn run(
        self: Arc<Self>,
        bound: Bound,
        events: Events,
        tell: mpsc::UnboundedSender<Told>,
    ) {
        let wires = Wires { events, tell };
        match TcpListener::from_std(bound) {
            Ok(listener) => drop(tokio::spawn(Arc::clone(&self).accept(listener, wires.clone()))),
            Err(error) => tracing::error!(%error, "this node does not listen for others"),
        }
        let mut tasks = JoinSet::new();
        let mut dialled: HashMap<Fingerprint, (Peer, AbortHandle)> = HashMap::new();
        let mut changed = self.known.subscribe();
        loop {
            let known = changed.borrow_and_update().clone();
            dialled.retain(|fingerprint, (peer, task)| {
                let stays = known.get(fingerprint) == Some(peer);
                if !stays {
                    task.abort();
                }
                stays
            });
            for (fingerprint, peer) in known {
                dialled.entry(fingerprint).or_insert_with(|| {
                    let dial = Arc::clone(&self).dial(fingerprint, peer.clone(), wires.clone());
                    (peer, tasks.spawn(dial))
                });
            }
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, wires: Wires) {
        let places = Arc::new(Semaphore::new(INBOUND_MAX));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection of another node was not accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let (peers, wires) = (Arc::clone(&self), wires.clone());
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = peers.serve(stream, wires).await {
                    tracing::debug!(%error, "a connection of another node has ended");
                }
            });
        }
    }

    async fn serve(&self, stream: TcpStream, wires: Wires) -> io::Result<()> {
        let Some(me) = &self.me else { return Ok(()) };
        stream.set_nodelay(true)?;
        let stream = timeout(HANDSHAKE_WITHIN, me.acceptor.accept(stream)).await??;
        let fingerprint = certificate::of_peer(stream.get_ref().1)?;
        let _hearing = Link::new(self, |links| &mut links.hearing, fingerprint);
        link::serve(stream, self.acknowledged(), wires).await
    }

    async fn dial(self: Arc<Self>, fingerprint: Fingerprint, peer: Peer, wires: Wires) {
        let mut pause = PAUSE_FIRST;
        loop {
            let mut proved = false;
            if let Err(error) = self.dial_once(fingerprint, &peer, &wires, &mut proved).await {
                tracing::debug!(%error, node = &*peer.node, "no direct connection to a node");
            }
            pause = if proved { PAUSE_FIRST } else { (pause * 2).min(PAUSE_MAX) };
            sleep(pause).await;
        }
    }

    async fn dial_once(
        &self,
        fingerprint: Fingerprint,
        peer: &Peer,
        wires: &Wires,
        proved: &mut bool,
    ) -> io::Result<()> {
        let Some(me) = &self.me else { return Ok(()) };
        let stream = timeout(CONNECT_WITHIN, TcpStream::connect(&peer.address)).await??;
        stream.set_nodelay(true)?;
        let connected = me.connector.connect(certificate::name(), stream);
        let stream = timeout(HANDSHAKE_WITHIN, connected).await??;
        if certificate::of_peer(stream.get_ref().1)? != fingerprint {
            return Err(io::Error::other("somebody else answers at its address"));
        }
        *proved = true;
        let _rung = Link::new(self, |links| &mut links.rung, fingerprint);
        let rings = Rings { rings: self.rings.subscribe(), rung: &self.rung };
        link::dialled(stream, node_id(&peer.node), rings, wires).await
    }
}

/// One connection, as long as it lasts.
struct Link<'a> {
    peers: &'a Peers,
    of: Of,
    fingerprint: Fingerprint,
}

/// Those of its kind.
type Of = fn(&mut Links) -> &mut HashMap<Fingerprint, usize>;

impl<'a> Link<'a> {
    fn new(peers: &'a Peers, of: Of, fingerprint: Fingerprint) -> Self {
        let mut links = peers.links.lock();
        *of(&mut links).entry(fingerprint).or_default() += 1;
        peers.look_who_is_reached(&links);
        drop(links);
        Self { peers, of, fingerprint }
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        let mut links = self.peers.links.lock();
        let linked = (self.of)(&mut links);
        if let Some(count) = linked.get_mut(&self.fingerprint) {
            *count -= 1;
            if *count == 0 {
                linked.remove(&self.fingerprint);
            }
        }
        self.peers.look_who_is_reached(&links);
    }
}
