//! Whether a node can be reached where its row says, and whether it is that node: for whoever looks
//! from outside, and is no member himself.
//!
//! A node lets nobody in who has no row. It shows its certificate all the same, and proves that it
//! holds its key, before it asks for the other's: so much is enough here.

use super::certificate::{self, Certificate};
use super::{CONNECT_WITHIN, HANDSHAKE_WITHIN, Known, Peer};
use rescind_core::Digest;
use rescind_store::Contact;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

/// Why a node was not reached at its address.
#[derive(Debug, thiserror::Error)]
pub enum Unreached {
    #[error("no connection can be made to it")]
    Connect(#[source] io::Error),
    /// Something answers there, and does not speak as a node does.
    #[error("what answers there is no node")]
    Handshake(#[source] io::Error),
    /// A node, but not the one of the row: an earlier life of it, or another one.
    #[error("what answers there shows another certificate than its row has")]
    Stranger,
}

/// Connects as another node does, as far as that takes no row of one's own. How long it took.
///
/// # Errors
/// Within a few seconds: why not.
pub async fn reach(contact: &Contact) -> Result<Duration, Unreached> {
    let begun = Instant::now();
    let connected = timeout(CONNECT_WITHIN, TcpStream::connect(&contact.address)).await;
    let stream = connected.map_err(io::Error::from).flatten().map_err(Unreached::Connect)?;
    let stranger = Arc::new(Notify::new());
    let connector = Certificate::new().and_then(|own| {
        let connector = own.tls(&only(contact), &stranger)?.1;
        Ok(connector)
    });
    let connector = connector.map_err(Unreached::Handshake)?;
    let shaken = timeout(HANDSHAKE_WITHIN, connector.connect(certificate::name(), stream)).await;
    match shaken.map_err(io::Error::from).flatten() {
        Ok(stream) => certificate::of_peer(stream.get_ref().1).map_err(Unreached::Handshake)?,
        // The verifier has seen one that it does not know.
        Err(_) if timeout(Duration::ZERO, stranger.notified()).await.is_ok() => {
            return Err(Unreached::Stranger);
        }
        Err(error) => return Err(Unreached::Handshake(error)),
    };
    Ok(begun.elapsed())
}

/// Nobody else is known.
fn only(contact: &Contact) -> Arc<watch::Sender<Known>> {
    let Contact { address, certificate } = contact;
    let certificate: &Digest = certificate;
    let peer = Peer { node: "".into(), address: address.clone() };
    Arc::new(watch::Sender::new(Known::from([(*certificate.as_bytes(), peer)])))
}
