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

/// What a batch says at its end, together with its commit: the audit entry of a revocation. Its number
/// and the revocation itself have been sent before.
pub(super) const AT_THE_END: &str = "token.revoked";

/// A transaction has its number, and another one overtakes it before it commits.
pub(super) async fn numbers_overtake(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, slow) = (trial.client()?, trial.known_on(2).await?);
    // Nobody has used it, so nobody writes that down now, which would have to wait for the other's row.
    let quick = client.create(0).await?;
    let ends = Hold::line(Line::Writer).only(Way::Questions).from(AT_THE_END);
    let mut held = trial.link(0)?.hold(ends);
    let revoking_slow = client.revoking(0, &slow);
    held.reached(Duration::from_secs(5)).await?;
    let mut revoking_quick = client.revoking(1, &quick);
    // With the lock it cannot; without, all nodes have read its number when it is answered.
    let overtook = tokio::select! {
        answered = &mut revoking_quick => Some(answered),
        waits = waits_for_the_lock(trial) => waits.map(|()| None)?,
    };
    drop(held);
    let quick = match overtook {
        Some(answered) => answered,
        None => revoking_quick.await,
    };
    quick??.context("not revoked")?;
    revoking_slow.await??.context("not revoked")?;
    client.watch(2, &slow, Duration::from_millis(300)).await
}

async fn waits_for_the_lock(trial: &Trial) -> anyhow::Result<()> {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query LIKE '%FROM epoch FOR UPDATE%'";
    trial.until_sql(0, waiting, |count| count != "0").await
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
