//! What a revocation waits for.

use super::Trial;
use anyhow::Context as _;
use rescind_e2e::faketime;
use rescind_e2e::link::{COMMIT, Hold, Line, Way};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A node that hears of nothing.
pub(super) async fn node_is_cut_off(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _cut = trial.link(2)?.hold(Hold::ALL);
    client.revoke_at_last(0, &token).await?;
    client.watch(2, &token, Duration::from_millis(800)).await
}

/// The same, after the others had time to give it up.
pub(super) async fn node_is_cut_off_for_a_while(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _cut = trial.link(2)?.hold(Hold::ALL);
    sleep(Duration::from_millis(1_200)).await;
    client.revoke_at_last(0, &token).await?;
    client.watch(2, &token, Duration::from_millis(500)).await
}

/// "Already revoked" is asked for while the first revoker still waits for a node.
pub(super) async fn asked_again_while_the_first_waits(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _cut = trial.link(2)?.hold(Hold::ALL);
    let first = client.revoking(0, &token);
    sleep(Duration::from_millis(200)).await;
    client.revoke(1, &token).await?.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(300)).await?;
    first.await??.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(300)).await
}

/// The revoker's wall clock is set an hour ahead while it waits.
pub(super) async fn wall_clock_steps(trial: &mut Trial) -> anyhow::Result<()> {
    let revoker = trial.scene.nodes.node_mut(0)?;
    let clock = revoker.file("clock");
    revoker.restart_with(faketime::stepping(&clock)?).await?;
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _cut = trial.link(2)?.hold(Hold::ALL);
    let revoking = client.revoking(0, &token);
    sleep(Duration::from_millis(200)).await;
    faketime::step(&clock, 3_600)?;
    revoking.await??.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(800)).await
}

/// Where numbers come from without the lock. A batch may use a hundred.
pub(super) const DRAWN: &str = "CREATE SEQUENCE drawn INCREMENT BY 100 START WITH 100";

/// A transaction has its number, and others overtake it before it commits.
pub(super) async fn numbers_overtake(trial: &mut Trial) -> anyhow::Result<()> {
    let (slow, quick) = (trial.known_on(2).await?, trial.known_on(2).await?);
    let client = trial.client()?;
    let writes = Hold::line(Line::Writer).only(Way::Questions).from("SAVEPOINT job");
    let mut held = trial.link(0)?.hold(writes);
    let revoking_slow = client.revoking(0, &slow);
    held.reached(Duration::from_secs(5)).await?;
    let mut revoking_quick = client.revoking(1, &quick);
    // With the lock it cannot.
    let overtook = timeout(Duration::from_secs(1), &mut revoking_quick).await;
    drop(held);
    if overtook.is_err() {
        revoking_quick.await??.context("not revoked")?;
    }
    revoking_slow.await??.context("not revoked")?;
    client.watch(2, &slow, Duration::from_millis(300)).await
}

/// COMMIT does not arrive, and its connection ends. Then somebody else gets the same number.
pub(super) async fn commit_is_lost(trial: &mut Trial) -> anyhow::Result<()> {
    let (lost, kept) = (trial.known_on(2).await?, trial.known_on(2).await?);
    let client = trial.client()?;
    let commits = Hold::line(Line::Writer).only(Way::Questions).from(COMMIT);
    let mut held = trial.link(0)?.hold(commits);
    let revoking = client.revoking(0, &lost);
    held.reached(Duration::from_secs(5)).await?;
    trial.link(0)?.reset_line(Line::Writer);
    drop(held);
    client.revoke_at_last(1, &kept).await?;
    // Not answered, unless it is taken for a success.
    let _ = timeout(Duration::from_secs(5), revoking).await;
    client.watch(2, &lost, Duration::from_millis(300)).await
}
