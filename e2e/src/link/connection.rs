//! One connection through a link: two halves that copy, and what is known of it.

use super::{Line, Shared, Way};
use rustix::net::sockopt::set_socket_linger;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::AbortHandle;

const CHUNK_BYTES: usize = 32 * 1024;
/// The end of what was said is kept, for words that two chunks share.
const TAIL_BYTES: usize = 128;

pub(super) enum Stopped {
    Yes,
    No { delay: Duration },
}

pub(super) struct Connection {
    known: Mutex<Known>,
    /// Both sockets a second time, to say how they end; taken away when they have ended.
    ends: Mutex<Option<[OwnedFd; 2]>>,
    carrying: Mutex<Vec<AbortHandle>>,
}

#[derive(Default)]
struct Known {
    line: Option<Line>,
    tail: Vec<u8>,
    /// The holds whose word was said.
    heard: Vec<u64>,
}

impl Connection {
    fn known<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn line(&self) -> Option<Line> {
        self.known(|known| known.line)
    }

    pub(super) fn has_heard(&self, hold: u64) -> bool {
        self.known(|known| known.heard.contains(&hold))
    }

    pub(super) fn heard(&self, hold: u64) {
        self.known(|known| known.heard.push(hold));
    }

    pub(super) fn recognise(&self, said: &[u8]) {
        self.known(|known| {
            if known.line.is_some() {
                return;
            }
            known.tail.extend_from_slice(said);
            let shown = |(_, words): &&(Line, &[u8])| contains(&known.tail, words);
            known.line = Line::SAID.iter().find(shown).map(|(line, _)| *line);
            let surplus = known.tail.len().saturating_sub(TAIL_BYTES);
            known.tail.drain(..surplus);
        });
    }

    pub(super) fn is_over(&self) -> bool {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(super) fn reset(&self) {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
        for end in ends.into_iter().flatten() {
            let _ = set_socket_linger(&end, Some(Duration::ZERO));
        }
        for half in &*self.carrying.lock().unwrap_or_else(PoisonError::into_inner) {
            half.abort();
        }
    }
}

/// Until both sides have ended.
pub(super) async fn carry(
    node: TcpStream,
    database: TcpStream,
    shared: &Arc<Shared>,
) -> anyhow::Result<()> {
    node.set_nodelay(true)?;
    database.set_nodelay(true)?;
    let ends = [node.as_fd().try_clone_to_owned()?, database.as_fd().try_clone_to_owned()?];
    let connection = Arc::new(Connection {
        known: Mutex::default(),
        ends: Mutex::new(Some(ends)),
        carrying: Mutex::default(),
    });
    let (from_node, to_node) = node.into_split();
    let (from_database, to_database) = database.into_split();
    let halves = [(Way::Questions, from_node, to_database), (Way::Answers, from_database, to_node)];
    let carried = halves.map(|(way, from, to)| {
        let (connection, shared) = (Arc::clone(&connection), Arc::clone(shared));
        tokio::spawn(async move { copy(&connection, &shared, way, from, to).await })
    });
    let handles = carried.iter().map(tokio::task::JoinHandle::abort_handle).collect();
    *connection.carrying.lock().unwrap_or_else(PoisonError::into_inner) = handles;
    {
        let mut state = shared.state();
        state.connections.retain(|connection| !connection.is_over());
        state.connections.push(Arc::clone(&connection));
    }
    for half in carried {
        let _ = half.await;
    }
    connection.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(())
}

/// An end is news like any other: whoever is cut off does not hear of it.
async fn copy(
    connection: &Connection,
    shared: &Shared,
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut chunk).await.unwrap_or(0);
        let said = chunk.get(..length).unwrap_or_default();
        if way == Way::Questions {
            shared.hear(connection, said);
        }
        shared.pass(connection, way).await;
        if length == 0 || to.write_all(said).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

pub(super) fn contains(said: &[u8], words: &[u8]) -> bool {
    said.windows(words.len()).any(|window| window == words)
}
