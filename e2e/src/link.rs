//! What lies between one node and PostgreSQL, or between it and the nodes that dial it: a socket of
//! the test's own that every byte goes through, and where it can be held up. One way or both, on all
//! connections or on those of one purpose, at once or from a certain word on.
//!
//! The naive way is a firewall. It knows packets and addresses, so it can cut a node off, and no
//! more; and it wants to be root in a network of its own. Here the answer to one COMMIT can be late
//! by a second while everything else goes through, which is what most rules of the lease protocol
//! are about. Nothing is changed and nothing is made up: what comes late may come late anywhere.

mod connection;

use anyhow::Context as _;
use connection::{Connection, Stopped};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Everything of one node's goes through it. Ends when dropped, with all connections.
pub struct Link {
    port: u16,
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the node to the database, or from whoever has dialled to the node.
    Questions,
    /// Back.
    Answers,
}

/// What a connection is for, as far as it has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Renewals of the own row.
    Own,
    /// Acknowledgements.
    Words,
    /// The rows of all members.
    Members,
    Log,
    Doorbell,
    Writer,
    /// Tokens that the node has never heard of.
    Fetch,
}

impl Line {
    /// What only a connection for this ever says.
    const SAID: [(Self, &'static [u8]); 8] = [
        (Self::Own, b"INSERT INTO members"),
        (Self::Own, b"members SET renewals = renewals + 1"),
        (Self::Words, b"UPDATE members SET applied = greatest(applied, $3)"),
        (Self::Members, b"FROM epoch LEFT JOIN members"),
        (Self::Log, b"digest FROM tokens WHERE changed_at > $1"),
        (Self::Doorbell, b"LISTEN rescind_epoch"),
        (Self::Writer, b"SAVEPOINT job"),
        (Self::Fetch, b"WITH ORDINALITY AS asked"),
    ];
}

/// As it stands in a question of its own; `READ COMMITTED` is another.
pub const COMMIT: &str = "COMMIT\0";

/// What is to be held up.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    pub way: Option<Way>,
    pub line: Option<Line>,
    /// From the question on in which this is said next, on each connection.
    pub from: Option<&'static str>,
}

impl Hold {
    /// Both ways, on all connections: a partition.
    pub const ALL: Self = Self { way: None, line: None, from: None };

    pub const fn way(way: Way) -> Self {
        Self { way: Some(way), ..Self::ALL }
    }

    pub const fn line(line: Line) -> Self {
        Self { line: Some(line), ..Self::ALL }
    }

    #[must_use]
    pub const fn only(self, way: Way) -> Self {
        Self { way: Some(way), ..self }
    }

    #[must_use]
    pub const fn from(self, said: &'static str) -> Self {
        Self { from: Some(said), ..self }
    }
}

/// As long as it lives, it is held.
pub struct Held {
    shared: Arc<Shared>,
    id: u64,
    stopped: watch::Receiver<u64>,
}

impl Held {
    /// Waits until something was stopped by it.
    pub async fn reached(&mut self, within: Duration) -> anyhow::Result<()> {
        let reached = timeout(within, self.stopped.wait_for(|number| *number > 0)).await;
        reached.context("nothing was held up")?.map(drop).context("the link is gone")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.state().holds.retain(|(id, ..)| *id != self.id);
        self.shared.changed.send_modify(|number| *number += 1);
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    holds: Vec<(u64, Hold, watch::Sender<u64>)>,
    held_so_far: u64,
    /// Each chunk is late by this.
    delay: Duration,
    refuses: bool,
    connections: Vec<Arc<Connection>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// To a server on this machine.
    pub async fn to(server: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&shared)));
        Ok(Self { port, shared, accepting: accepting.abort_handle() })
    }

    /// Where the node connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use = "it is held as long as this lives"]
    pub fn hold(&self, what: Hold) -> Held {
        let (stopped, seen) = watch::channel(0);
        let mut state = self.shared.state();
        state.held_so_far += 1;
        let id = state.held_so_far;
        state.holds.push((id, what, stopped));
        drop(state);
        self.shared.changed.send_modify(|number| *number += 1);
        Held { shared: Arc::clone(&self.shared), id, stopped: seen }
    }

    /// Makes it slow, or well again.
    pub fn delay(&self, by: Duration) {
        self.shared.state().delay = by;
    }

    /// Whether the server is away: connections are cut, and no new one is taken.
    pub fn refuse(&self, refuses: bool) {
        self.shared.state().refuses = refuses;
        if refuses {
            self.reset();
        }
    }

    /// The server is away for all but what is connected for this.
    pub fn refuse_all_but(&self, line: Line) {
        self.shared.state().refuses = true;
        self.reset_those(|connection| connection.line() != Some(line));
    }

    /// Cuts all connections, with a reset to both sides.
    pub fn reset(&self) {
        self.reset_those(|_| true);
    }

    /// Cuts about one in so many.
    pub fn reset_some(&self, one_in: u32) {
        self.reset_those(|_| rand::random_range(0..one_in) == 0);
    }

    /// Cuts those of one purpose.
    pub fn reset_line(&self, line: Line) {
        self.reset_those(|connection| connection.line() == Some(line));
    }

    fn reset_those(&self, are: impl Fn(&Connection) -> bool) {
        let mut open = self.shared.state().connections.clone();
        open.retain(|connection| are(connection));
        for connection in open {
            connection.reset();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
        for connection in &self.shared.state().connections {
            connection.reset();
        }
    }
}

async fn accept(listener: TcpListener, server: u16, shared: Arc<Shared>) {
    while let Ok((node, _)) = listener.accept().await {
        if shared.state().refuses {
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A server that is down: the node's own connection ends as it would have.
            let Ok(database) = TcpStream::connect(address).await else { return };
            let _ = connection::carry(node, database, &shared).await;
        });
    }
}

impl Shared {
    /// Returns when nothing holds this connection's bytes on this way.
    async fn pass(&self, connection: &Connection, way: Way) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            match self.look(connection, way) {
                Stopped::No { delay } => {
                    if !delay.is_zero() {
                        tokio::time::sleep(delay).await;
                    }
                    return;
                }
                Stopped::Yes => {
                    if changed.changed().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn look(&self, connection: &Connection, way: Way) -> Stopped {
        let state = self.state();
        let mut stopped = Stopped::No { delay: state.delay };
        for (id, hold, counted) in &state.holds {
            let concerned = hold.way.is_none_or(|of| of == way)
                && hold.line.is_none_or(|line| connection.line() == Some(line))
                && (hold.from.is_none() || connection.has_heard(*id));
            if concerned {
                counted.send_modify(|number| *number += 1);
                stopped = Stopped::Yes;
            }
        }
        stopped
    }

    /// What is being asked, before it is passed on.
    fn hear(&self, connection: &Connection, said: &[u8]) {
        connection.recognise(said);
        let state = self.state();
        for (id, hold, _) in &state.holds {
            if hold.from.is_some_and(|word| connection::contains(said, word.as_bytes())) {
                connection.heard(*id);
            }
        }
    }
}
