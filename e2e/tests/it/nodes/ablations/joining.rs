//! A node that joins while something is revoked.

use super::Trial;
use anyhow::{Context as _, ensure};
use rescind_e2e::link::{Hold, Line, Way};
use std::time::Duration;

/// It has loaded everything, and its row is on its way: nobody can wait for it yet.
pub(super) async fn revoked_before_the_row(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(1).await?);
    let mut row = trial.link(2)?.hold(Hold::line(Line::Own).only(Way::Questions));
    let (revoker, revoked) = (client.clone(), token.clone());
    let revoking = tokio::spawn(async move {
        row.reached(Duration::from_secs(20)).await?;
        let answer = revoker.revoke(0, &revoked).await?.context("not revoked")?;
        ensure!(answer["nodes_acknowledged"] == 2, "{answer}");
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
