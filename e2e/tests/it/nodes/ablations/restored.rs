//! The database goes back in time.

use super::Trial;
use super::pushes::answered_with;
use anyhow::Context as _;
use rescind_e2e::link::{Held, Hold, Line};
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

/// The same, and the node that lives on does not look for as long as its lease lasts. It is rung, and
/// says that it has applied that number.
pub(super) async fn number_is_given_to_something_else(trial: &mut Trial) -> anyhow::Result<()> {
    let token = trial.known_on(2).await?;
    let unnoticed = goes_back_unnoticed(trial).await?;
    trial.scene.nodes.node_mut(0)?.start().await?;
    let client = trial.client()?;
    client.all_are_connected().await?;
    answered_with(unnoticed, client.revoking(0, &token)).await?;
    client.watch(2, &token, Duration::from_millis(300)).await
}

/// The same, and what the number means now was not told to it. The next change is, and by the numbers
/// it follows.
pub(super) async fn next_number_is_told(trial: &mut Trial) -> anyhow::Result<()> {
    let token = trial.known_on(2).await?;
    let next = trial.client()?.create(0).await?;
    let unnoticed = goes_back_unnoticed(trial).await?;
    // It does not know who is there now, and lets nobody in.
    let members = trial.link(2)?.hold(Hold::line(Line::Members));
    trial.scene.nodes.node_mut(0)?.start().await?;
    let client = trial.client()?;
    let revoking = client.revoking(0, &token);
    let revoked = format!("SELECT count(*) FROM revocation_log WHERE subject = '{}'", token.id);
    trial.until_sql(0, &revoked, |count| count == "1").await?;
    drop(members);
    client.all_are_connected().await?;
    let revoking_next = client.revoking(0, &next);
    answered_with(unnoticed, revoking).await?;
    client.watch(2, &token, Duration::from_millis(300)).await?;
    revoking_next.await?.map(drop)
}

/// The third node alone lives on, one change ahead, and neither renews its lease nor hears what others
/// ring.
async fn goes_back_unnoticed(trial: &mut Trial) -> anyhow::Result<[Held; 2]> {
    let client = trial.client()?;
    let forgotten = client.create(0).await?;
    for others in [0, 1] {
        trial.scene.nodes.node_mut(others)?.stop().await?;
    }
    trial.scene.nodes.back_up()?;
    client.revoke_at_last(2, &forgotten).await?;
    let link = trial.link(2)?;
    let held = [Line::Own, Line::Doorbell].map(|line| link.hold(Hold::line(line)));
    trial.scene.nodes.restore()?;
    Ok(held)
}
