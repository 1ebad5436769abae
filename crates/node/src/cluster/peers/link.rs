//! What is said over one connection: frames of fixed length, one of which has a body ([`push`]).

use super::super::lease::Events;
use super::super::settling::Told;
use super::super::{of_row, place};
use super::push;
use rescind_coherence::node::Event;
use rescind_coherence::{Mark, Member, NodeId, Position};
use rescind_store::{Epoch, LogPage};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Each end says something at least this often: a connection that was cut without a word looks just
/// like silence.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After that much of it, the connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(4);

/// A kind, and two numbers in network order.
const FRAME_BYTES: usize = 17;
/// What follows on an acknowledgement: the mark of its epoch, or that it has none.
const MARK_BYTES: usize = 33;
const COMMITTED: u8 = b'C';
/// Its second number says how long the body is that follows.
const PUSHED: u8 = b'P';
const APPLIED: u8 = b'A';
/// Nothing to say.
const HERE: u8 = b'H';

/// One thing that was committed.
#[derive(Clone, Debug)]
pub(super) enum Ring {
    /// The other end must look for itself.
    Look(Epoch),
    /// With what has changed.
    Pushed { epoch: Epoch, body: Arc<[u8]> },
}

/// What one connection has still to say.
pub(super) struct Rings<'a> {
    pub(super) rings: broadcast::Receiver<Ring>,
    pub(super) rung: &'a AtomicU64,
}

impl Rings<'_> {
    /// `None` once there will be no more.
    async fn next(&mut self) -> Option<Ring> {
        match self.rings.recv().await {
            Ok(ring) => Some(ring),
            Err(RecvError::Lagged(_)) => Some(self.last()),
            Err(RecvError::Closed) => None,
        }
    }

    /// All that was missed, in one.
    fn last(&self) -> Ring {
        Ring::Look(self.rung.load(Relaxed))
    }
}

/// To this node's two loops.
#[derive(Clone)]
pub(super) struct Wires {
    pub(super) events: Events,
    pub(super) tell: mpsc::UnboundedSender<Told>,
}

/// Until one end has had enough: hears doorbells, and says what this node has applied.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite,
    mut acknowledged: watch::Receiver<Option<(Member, Position)>>,
    wires: Wires,
) -> io::Result<()> {
    let (mut hears, mut says) = split(stream);
    // What was said before it came.
    acknowledged.mark_changed();
    let saying = async {
        loop {
            let told = match timeout(HEARTBEAT, acknowledged.changed()).await {
                Ok(Ok(())) => *acknowledged.borrow_and_update(),
                Ok(Err(_)) => return Ok(()),
                Err(_) => None,
            };
            match told {
                Some((member, at)) => {
                    let numbers = (member.incarnation.0 as u64, at.epoch);
                    write_with(&mut says, APPLIED, numbers, &mark(&at)).await?;
                }
                None => write(&mut says, HERE, 0, 0).await?,
            }
        }
    };
    let hearing = async {
        loop {
            let event = match read(&mut hears).await? {
                (COMMITTED, epoch, _) => Event::Doorbell { epoch },
                (PUSHED, epoch, bytes) => pushed(epoch, &read_body(&mut hears, bytes).await?)?,
                (HERE, ..) => continue,
                _ => return Err(unheard_of()),
            };
            if wires.events.send(event).await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! { ended = saying => ended, ended = hearing => ended }
}

/// Until one end has had enough: rings, and hears what the other has applied.
pub(super) async fn dialled(
    stream: impl AsyncRead + AsyncWrite,
    peer: NodeId,
    mut rings: Rings<'_>,
    wires: &Wires,
) -> io::Result<()> {
    let (mut hears, mut says) = split(stream);
    let saying = async {
        // It may have come too late for the last ring.
        let mut next = Some(rings.last());
        loop {
            match next {
                Some(Ring::Look(epoch)) => write(&mut says, COMMITTED, epoch, 0).await?,
                Some(Ring::Pushed { epoch, body }) => {
                    write_with(&mut says, PUSHED, (epoch, body.len() as u64), &body).await?;
                }
                None => return Ok(()),
            }
            next = loop {
                match timeout(HEARTBEAT, rings.next()).await {
                    Ok(next) => break next,
                    Err(_) => write(&mut says, HERE, 0, 0).await?,
                }
            };
        }
    };
    let hearing = async {
        loop {
            let (incarnation, epoch) = match read(&mut hears).await? {
                (APPLIED, incarnation, epoch) => (incarnation, epoch),
                (HERE, ..) => continue,
                _ => return Err(unheard_of()),
            };
            let mark = read_mark(&mut hears).await?;
            let by = Member { node: peer, incarnation: of_row(incarnation) };
            let at = Position { epoch, mark };
            if wires.tell.send(Told::Acknowledged { by, at }).is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! { ended = saying => ended, ended = hearing => ended }
}

async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    kind: u8,
    first: u64,
    second: u64,
) -> io::Result<()> {
    write_with(to, kind, (first, second), &[]).await
}

async fn write_with(
    to: &mut (impl AsyncWrite + Unpin),
    kind: u8,
    (first, second): (u64, u64),
    body: &[u8],
) -> io::Result<()> {
    let mut frame = Vec::with_capacity(FRAME_BYTES + body.len());
    frame.push(kind);
    frame.extend(first.to_be_bytes());
    frame.extend(second.to_be_bytes());
    frame.extend(body);
    timeout(SILENCE_MAX, async {
        to.write_all(&frame).await?;
        to.flush().await
    })
    .await?
}

async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, u64, u64)> {
    let mut frame = [0; FRAME_BYTES];
    timeout(SILENCE_MAX, from.read_exact(&mut frame)).await??;
    let mut left = &frame[..];
    Ok((left.read_u8().await?, left.read_u64().await?, left.read_u64().await?))
}

async fn read_body(from: &mut (impl AsyncRead + Unpin), bytes: u64) -> io::Result<Vec<u8>> {
    let bytes = usize::try_from(bytes).ok().filter(|bytes| *bytes <= push::BYTES_MAX);
    let mut body = vec![0; bytes.ok_or_else(unheard_of)?];
    timeout(SILENCE_MAX, from.read_exact(&mut body)).await??;
    Ok(body)
}

fn pushed(epoch: Epoch, body: &[u8]) -> io::Result<Event<LogPage>> {
    let page = push::read(epoch, body).ok_or_else(unheard_of)?;
    let (after, at) = (place(page.after), place(page.head));
    Ok(Event::Pushed { after, at, changes: page })
}

/// Of one length, so that whoever reads it knows it.
fn mark(at: &Position) -> [u8; MARK_BYTES] {
    let mut written = [0; MARK_BYTES];
    if let (Some(mark), [there, bytes @ ..]) = (at.mark, &mut written) {
        *there = 1;
        *bytes = mark.0;
    }
    written
}

async fn read_mark(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Mark>> {
    let mut written = [0; MARK_BYTES];
    timeout(SILENCE_MAX, from.read_exact(&mut written)).await??;
    match written {
        [0, ..] => Ok(None),
        [1, mark @ ..] => Ok(Some(Mark(mark))),
        _ => Err(unheard_of()),
    }
}

fn unheard_of() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame of an unknown kind")
}
