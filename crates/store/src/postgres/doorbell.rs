//! Listening for other nodes: for their commits, and for what they have applied, on a connection
//! that does nothing else.
//!
//! A notification is a hint: it may come late, twice or never, and a pooler in between swallows all
//! of them. So nothing rests on it but speed. After each new connection the bell says "look", for
//! whatever was missed meanwhile.

use super::{
    batch::COMMITTED, connection::Connector, fault::Fault, members::APPLIED, rows::digest_of,
};
use crate::{Bell, Position, Ring, outage::chain};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Notification};

/// How often it is asked whether the connection is still there. One that is cut without a word looks
/// just like silence.
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Between attempts to listen anew.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// For as long as it is let.
pub(super) async fn listen(connector: Connector, bell: Arc<Bell>) {
    let mut pause = PAUSE_FIRST;
    loop {
        let mut heard = false;
        if let Err(fault) = listen_once(&connector, &bell, &mut heard).await {
            tracing::info!(error = %chain(&fault), "listening for other nodes again");
        }
        pause = if heard { PAUSE_FIRST } else { (pause * 2).min(PAUSE_MAX) };
        sleep(pause).await;
    }
}

async fn listen_once(
    connector: &Connector,
    bell: &Arc<Bell>,
    heard: &mut bool,
) -> Result<(), Fault> {
    let rings = Arc::clone(bell);
    // Goes with the task that reads the connection, when that has ended.
    let (reading, mut ended) = oneshot::channel::<()>();
    let session = connector
        .listening(move |message| {
            let _reading = &reading;
            if let AsyncMessage::Notification(told) = message {
                rings.ring(read(&told).unwrap_or(Ring::Look));
            }
        })
        .await?;
    session.batch_execute(&format!("LISTEN {COMMITTED}; LISTEN {APPLIED}")).await?;
    *heard = true;
    bell.ring(Ring::Look);
    loop {
        if timeout(PROBE_EVERY, &mut ended).await.is_ok() {
            return Err(Fault::Away("the connection has ended".into()));
        }
        timeout(PROBE_TIMEOUT, session.batch_execute("SELECT 'doorbell'"))
            .await
            .map_err(|_| Fault::TimedOut("listening"))??;
    }
}

fn read(told: &Notification) -> Option<Ring> {
    if told.channel() == COMMITTED {
        return told.payload().parse().ok().map(Ring::Committed);
    }
    let mut words = told.payload().split(' ');
    let (epoch, mark) = (words.next()?.parse().ok()?, words.next()?);
    let mark = if mark == UNMARKED { None } else { Some(digest_of(mark)?) };
    let (incarnation, node) = (words.next()?.parse().ok()?, words.next()?.into());
    Some(Ring::Acknowledged { node, incarnation, applied: Position { epoch, mark } })
}

/// In words: the epoch, its mark, the node's incarnation, its name.
pub(super) fn acknowledgement(node: &str, incarnation: u64, applied: &Position) -> String {
    let mark = applied.mark.map_or(UNMARKED.into(), |mark| STANDARD.encode(mark.as_bytes()));
    format!("{} {mark} {incarnation} {node}", applied.epoch)
}

/// In the place of a mark.
const UNMARKED: &str = "-";
