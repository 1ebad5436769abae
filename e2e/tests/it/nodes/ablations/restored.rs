//! The database goes back in time.

use super::Trial;
use anyhow::Context as _;
use std::time::Duration;

/// A backup is put in its place while a node lives on that knows what came after. Another one, which
/// starts on it, gives the same number to something else.
pub(super) async fn backup_takes_its_place(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let forgotten = client.create(0).await?;
    for others in [0, 1] {
        trial.scene.nodes.node_mut(others)?.stop().await?;
    }
    let nodes = &trial.scene.nodes;
    nodes.back_up()?;
    client.revoke_at_last(2, &forgotten).await?;
    nodes.restore()?;
    // Whoever can notice has noticed.
    trial.renewed_on(0, 2).await?;
    trial.scene.nodes.node_mut(0)?.start().await?;
    let client = trial.client()?;
    client.revoke(0, &token).await?.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(300)).await
}
