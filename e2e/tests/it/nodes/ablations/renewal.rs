//! A renewal whose steps take their time.

use super::super::Said;
use super::super::trial::Client;
use super::Trial;
use anyhow::Context as _;
use rescind_e2e::credential::Bearer;
use rescind_e2e::faketime;
use rescind_e2e::link::{COMMIT, Hold, Line, Way};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The next renewal comes within this.
const RENEWED_WITHIN: Duration = Duration::from_secs(6);
/// A node that was cut off, and has much to read.
const BACK_WITHIN: Duration = Duration::from_secs(30);

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

/// The node comes back, and what it has missed takes a while to apply: what was revoked last,
/// longest. Meanwhile the generation changes all the time, so it covers for the rule but for a few
/// microseconds.
pub(super) async fn much_was_missed(trial: &mut Trial) -> anyhow::Result<()> {
    const LAST: usize = 6;
    let client = trial.client()?;
    let mut last = Vec::new();
    for _ in 0..LAST {
        last.push(trial.known_on(2).await?);
    }
    let cut = trial.link(2)?.hold(Hold::ALL);
    trial.sql(0, &many_bounds())?;
    let revoking: Vec<_> = last.iter().map(|token| client.revoking(0, token)).collect();
    for revoking in revoking {
        revoking.await??.context("not revoked")?;
    }
    let mut watching = JoinSet::new();
    // Two to each, so that there is always one on its way.
    for token in last.iter().chain(&last) {
        let mut connection = client.connect(2).await?;
        let (client, token) = (client.clone(), token.clone());
        let refused = async move {
            while client.look_on(&mut connection, 2, &token).await? != Said::Invalid {}
            anyhow::Ok(())
        };
        watching.spawn(timeout(BACK_WITHIN, refused));
    }
    drop(cut);
    for refused in watching.join_all().await {
        refused.context("the node does not come back")??;
    }
    Ok(())
}

/// As if another node had taken back the tokens of so many tenants, in one transaction. By asking
/// that takes minutes, and a node that reads the log cannot tell. Bounds come before tokens there.
fn many_bounds() -> String {
    const MANY: usize = 40_000;
    format!(
        "UPDATE epoch SET n = n + 1;
         INSERT INTO bounds (tenant, not_before, changed_at)
         SELECT 'tenant-' || number, 1, n FROM epoch, generate_series(1, {MANY}) AS number"
    )
}
