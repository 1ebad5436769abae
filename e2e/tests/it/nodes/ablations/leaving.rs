//! A node that leaves.

use super::Trial;
use super::joining::is_forgotten;
use anyhow::{Context as _, ensure};
use rescind_e2e::link::{COMMIT, Hold, Way};
use rustix::process::{Signal, kill_process};
use std::time::Duration;

/// A server gives up whom it waits for after ten seconds, and leaves.
const LEAVES_WITHIN: Duration = Duration::from_secs(20);

/// Its row is gone, and it has not heard so yet, when a request comes. That it takes one at all then
/// is because of a connection on which a request may have begun: such a one outlives the listeners,
/// which wait for it and at last do not.
pub(super) async fn asked_when_the_row_is_gone(trial: &mut Trial) -> anyhow::Result<()> {
    let client = trial.client()?;
    let mut connection = client.connect(2).await?;
    // An empty line in front of a request is none of it (RFC 9112 §2.2): nothing is asked yet.
    connection.send(b"\r\n").await?;
    let token = trial.known_on(2).await?;
    let link = trial.link(2)?;
    let mut leaving = link.hold(Hold::way(Way::Questions).from("DELETE FROM members"));
    kill_process(trial.scene.nodes.node(2)?.process()?, Signal::TERM)?;
    leaving.reached(LEAVES_WITHIN).await?;
    let _answer = link.hold(Hold::way(Way::Answers).from(COMMIT));
    drop(leaving);
    is_forgotten(trial).await?;
    let answer = client.revoke(0, &token).await?.context("not revoked")?;
    ensure!(answer["acknowledged"] == 2 && answer["waited_out"] == 0, "{answer}");
    client.look_on(&mut connection, 2, &token).await.map(drop)
}
