//! A node that joins while something is revoked.

use super::super::Said;
use super::Trial;
use anyhow::{Context as _, ensure};
use rescind_e2e::link::{COMMIT, Hold, Line, Way};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A node that was cut off, after all the attempts that failed.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// It has loaded everything, and its row is on its way: nobody can wait for it yet.
pub(super) async fn revoked_before_the_row(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(1).await?);
    let mut row = trial.link(2)?.hold(Hold::line(Line::Own).only(Way::Questions));
    let (revoker, revoked) = (client.clone(), token.clone());
    let revoking = tokio::spawn(async move {
        row.reached(Duration::from_secs(20)).await?;
        let answer = revoker.revoke(0, &revoked).await?.context("not revoked")?;
        ensure!(answer["acknowledged"] == 2, "{answer}");
        anyhow::Ok(())
    });
    trial.scene.nodes.node_mut(2)?.start().await?;
    revoking.await??;
    trial.client()?.watch(2, &token, Duration::from_millis(800)).await
}

/// It has joined since the revoker has last looked who is there, and is cut off.
pub(super) async fn joined_since(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, before) = (trial.client()?, trial.known_on(1).await?);
    client.revoke(0, &before).await?.context("not revoked")?;
    trial.scene.nodes.node_mut(2)?.start().await?;
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _cut = trial.link(2)?.hold(Hold::ALL);
    client.revoke(0, &token).await?.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(800)).await
}

/// A node that is cut off has a successor of the same name, somewhere else.
pub(super) async fn successor_takes_the_name(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _cut = trial.link(2)?.hold(Hold::ALL);
    trial.scene.nodes.node_mut(3)?.start().await?;
    client.revoke(0, &token).await?.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(800)).await
}

/// The answer to a registration is lost. Two others watch its row to the end. One of them takes it
/// away, and the other one does not look before it has come back.
pub(super) async fn registered_again(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let (first, second) = (client.create(0).await?, client.create(0).await?);
    let (third, fourth) = (client.create(0).await?, client.create(0).await?);
    let link = trial.link(2)?;
    let cut = link.hold(Hold::ALL);
    client.revoke(0, &first).await?.context("not revoked")?;
    is_forgotten(trial).await?;
    // It finds that its row is gone, and registers.
    let own = Hold::line(Line::Own).only(Way::Answers).from(COMMIT);
    let mut looked = link.hold(own);
    drop(cut);
    looked.reached(BACK_WITHIN).await?;
    let mut registered = link.hold(own);
    drop(looked);
    registered.reached(Duration::from_secs(5)).await?;
    let cut = link.hold(Hold::ALL);
    // Both see the row, one of them for the last time.
    let looks = trial.link(1)?.hold(Hold::line(Line::Members));
    let watching = [client.revoking(0, &second), client.revoking(1, &third)];
    for watching in watching {
        watching.await??.context("not revoked")?;
    }
    is_forgotten(trial).await?;
    drop((registered, cut));
    let begun = Instant::now();
    while client.look(2, &token).await? != Said::Valid {
        ensure!(begun.elapsed() < BACK_WITHIN, "the node does not come back");
    }
    let _cut = link.hold(Hold::ALL);
    drop(looks);
    let burying = client.revoking(1, &fourth);
    // Not before its time, unless it is taken for the one that was watched.
    let _ = timeout(Duration::from_secs(1), is_forgotten(trial)).await;
    client.revoke(0, &token).await?.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(500)).await?;
    burying.await??.context("not revoked").map(drop)
}

/// The third node is.
pub(super) async fn is_forgotten(trial: &Trial) -> anyhow::Result<()> {
    let rows = "SELECT count(*) FROM members WHERE node = 'node-2'";
    trial.until_sql(0, rows, |count| count == "0").await
}
