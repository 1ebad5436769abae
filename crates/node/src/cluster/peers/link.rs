//! What is said over one connection, in frames of fixed length: nothing to parse, nothing to bound.

use super::super::lease::Events;
use super::super::of_row;
use super::super::settling::Told;
use rescind_coherence::node::Event;
use rescind_coherence::{Member, NodeId};
use rescind_store::Epoch;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Each end says something at least this often: a connection that was cut without a word looks just
/// like silence.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// After that much of it, the connection is given up.
const SILENCE_MAX: Duration = Duration::from_secs(4);

/// A kind, and two numbers in network order.
const FRAME_BYTES: usize = 17;
const COMMITTED: u8 = b'C';
const APPLIED: u8 = b'A';
/// Nothing to say.
const HERE: u8 = b'H';

/// To this node's two loops.
#[derive(Clone)]
pub(super) struct Wires {
    pub(super) events: Events,
    pub(super) tell: mpsc::UnboundedSender<Told>,
}

/// Until one end has had enough: hears doorbells, and says what this node has applied.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite,
    mut acknowledged: watch::Receiver<Option<(Member, Epoch)>>,
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
                Some((member, epoch)) => {
                    write(&mut says, APPLIED, member.incarnation.0 as u64, epoch).await?;
                }
                None => write(&mut says, HERE, 0, 0).await?,
            }
        }
    };
    let hearing = async {
        loop {
            let epoch = match read(&mut hears).await? {
                (COMMITTED, epoch, _) => epoch,
                (HERE, ..) => continue,
                _ => return Err(unheard_of()),
            };
            if wires.events.send(Event::Doorbell { epoch }).await.is_err() {
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
    mut committed: watch::Receiver<Epoch>,
    wires: &Wires,
) -> io::Result<()> {
    let (mut hears, mut says) = split(stream);
    // It may have come too late for the last ring.
    committed.mark_changed();
    let saying = async {
        loop {
            match timeout(HEARTBEAT, committed.changed()).await {
                Ok(Ok(())) => {
                    let epoch = *committed.borrow_and_update();
                    write(&mut says, COMMITTED, epoch, 0).await?;
                }
                Ok(Err(_)) => return Ok(()),
                Err(_) => write(&mut says, HERE, 0, 0).await?,
            }
        }
    };
    let hearing = async {
        loop {
            let (incarnation, epoch) = match read(&mut hears).await? {
                (APPLIED, incarnation, epoch) => (incarnation, epoch),
                (HERE, ..) => continue,
                _ => return Err(unheard_of()),
            };
            let by = Member { node: peer, incarnation: of_row(incarnation) };
            if wires.tell.send(Told::Acknowledged { by, epoch }).is_err() {
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
    let mut frame = Vec::with_capacity(FRAME_BYTES);
    frame.push(kind);
    frame.extend(first.to_be_bytes());
    frame.extend(second.to_be_bytes());
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

fn unheard_of() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a frame of an unknown kind")
}
