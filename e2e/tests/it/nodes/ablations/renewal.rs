//! A renewal whose steps take their time.

use super::super::trial::Client;
use super::Trial;
use anyhow::Context as _;
use rescind_e2e::credential::Bearer;
use rescind_e2e::faketime;
use rescind_e2e::link::{COMMIT, Hold, Line, Way};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const AT_ONCE: usize = 20;
/// The next renewal comes within this.
const RENEWED_WITHIN: Duration = Duration::from_secs(6);

/// The node has heard that there is something new, and cannot read what it is.
pub(super) async fn log_does_not_come(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _log = trial.link(2)?.hold(Hold::line(Line::Log).only(Way::Answers));
    client.revoke_at_last(0, &token).await?;
    client.watch(2, &token, Duration::from_millis(800)).await
}

/// It hears of nothing, and goes on renewing its lease.
pub(super) async fn doorbell_is_lost(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let _doorbell = trial.link(2)?.hold(Hold::line(Line::Doorbell));
    client.revoke_at_last(0, &token).await?;
    client.watch(2, &token, Duration::from_millis(800)).await
}

/// What the log said is a second old when it arrives.
pub(super) async fn log_comes_late(trial: &mut Trial) -> anyhow::Result<()> {
    revoked_behind_a_renewal(trial, Duration::from_secs(1)).await
}

/// The holder's clock is slow and the revoker's is fast, both as far as is allowed for.
pub(super) async fn clocks_drift(trial: &mut Trial) -> anyhow::Result<()> {
    for (node, rate) in [(2, "0.995"), (0, "1.005")] {
        let drifting = faketime::drifting(rate)?;
        trial.scene.nodes.node_mut(node)?.restart_with(drifting).await?;
    }
    revoked_behind_a_renewal(trial, Duration::ZERO).await
}

/// A renewal has read the log when something is revoked; its answer is late by so much, and then the
/// node is cut off.
async fn revoked_behind_a_renewal(trial: &mut Trial, late: Duration) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let link = trial.link(2)?;
    // So that it is a renewal that reads.
    let _doorbell = link.hold(Hold::line(Line::Doorbell));
    let mut log = link.hold(Hold::line(Line::Log).only(Way::Answers).from(COMMIT));
    log.reached(RENEWED_WITHIN).await?;
    let revoking = client.revoking(0, &token);
    // None comes after it.
    let _renewals = link.hold(Hold::line(Line::Own));
    sleep(late).await;
    drop(log);
    sleep(Duration::from_millis(100)).await;
    let _cut = link.hold(Hold::ALL);
    revoking.await??.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(1_500)).await
}

/// The node's row is written at once, and it hears of that late. It is cut off, and the others watch
/// the row until they can forget it.
pub(super) async fn renewal_is_confirmed_late(trial: &mut Trial) -> anyhow::Result<()> {
    const LATE: Duration = Duration::from_millis(1_300);
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let mut others = Vec::new();
    for _ in 0..120 {
        others.push(client.create(0).await?);
    }
    let link = trial.link(2)?;
    let mut renewal = link.hold(Hold::line(Line::Own).only(Way::Answers).from(COMMIT));
    // Each makes the revoker look at the rows, more than once.
    let looking = tokio::spawn(revoke_one_by_one(client.clone(), others));
    renewal.reached(RENEWED_WITHIN).await?;
    let _next = link.hold(Hold::line(Line::Own).only(Way::Questions));
    sleep(LATE).await;
    drop(renewal);
    sleep(Duration::from_millis(150)).await;
    let _cut = link.hold(Hold::ALL);
    client.revoke(0, &token).await?.context("not revoked")?;
    client.watch(2, &token, Duration::from_millis(1_500)).await?;
    looking.abort();
    Ok(())
}

async fn revoke_one_by_one(client: Client, tokens: Vec<Bearer>) {
    let mut revoking = JoinSet::new();
    for token in tokens {
        let client = client.clone();
        revoking.spawn(async move { client.revoke(0, &token).await });
        sleep(Duration::from_millis(100)).await;
    }
    revoking.join_all().await;
}

/// The node comes back, and what it has missed takes a while to apply. Meanwhile the generation
/// changes all the time, so it covers for the rule but for a few microseconds.
pub(super) async fn much_was_missed(trial: &mut Trial) -> anyhow::Result<()> {
    const MANY: usize = 600;
    let client = trial.client()?;
    let mut missed = Vec::new();
    while missed.len() < MANY {
        let some = (0..AT_ONCE).map(|_| client.clone());
        let some: JoinSet<_> = some.map(|client| async move { client.create(0).await }).collect();
        // Some may be told that it is too much.
        missed.extend(some.join_all().await.into_iter().flatten());
    }
    let mut last = Vec::new();
    for _ in 0..6 {
        last.push(trial.known_on(2).await?);
    }
    let cut = trial.link(2)?.hold(Hold::ALL);
    let revoking: Vec<_> = missed.iter().map(|token| client.revoking(0, token)).collect();
    sleep(Duration::from_millis(800)).await;
    let revoking_last: Vec<_> = last.iter().map(|token| client.revoking(0, token)).collect();
    for revoking in revoking.into_iter().chain(revoking_last) {
        revoking.await??;
    }
    let watching: JoinSet<_> = (last.iter().chain(&last))
        .map(|token| {
            let (client, token) = (client.clone(), token.clone());
            async move { client.watch(2, &token, Duration::from_secs(2)).await }
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    drop(cut);
    watching.join_all().await.into_iter().collect()
}
