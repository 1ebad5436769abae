//! Wall clocks that step while nodes run. The lease clock is another one, and expiry is not looked at
//! here: what is promised of a revocation does not depend on what time it is.

use super::trial::{Servers, Trial};
use super::{Said, ask};
use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp};
use rescind_e2e::admin::text;
use rescind_e2e::faketime;
use rescind_e2e::nodes::Setup;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const HOUR: i64 = 3_600;
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wall_clock_that_steps_by_an_hour_changes_nothing_about_revocations() -> anyhow::Result<()>
{
    let mut trial = Trial::of(Setup::of(3, "3s"), &Servers::one().await?).await?;
    let mut clocks = Vec::new();
    for number in [0, 2] {
        let node = trial.scene.nodes.node_mut(number)?;
        let clock = node.file("clock");
        node.restart_with(faketime::stepping(&clock)?).await?;
        clocks.push((number, clock));
    }
    let client = trial.client()?;
    let good = trial.known_on(2).await?;
    // Forwards, back, behind, and back again; and for a while, so that leases are renewed meanwhile.
    for (round, hours) in [1, 0, -1, 0, 1, -1].into_iter().enumerate() {
        for (number, clock) in &clocks {
            faketime::step(clock, hours * HOUR)?;
            ensure!(is_off_by(&trial, *number, hours).await?, "the clock did not step");
        }
        let (token, begun) = (trial.known_on(2).await?, Instant::now());
        let answer = client.revoke(round % 3, &token).await?.context("not revoked")?;
        ensure!(answer["acknowledged"] == 3, "{answer}");
        ensure!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        sleep(Duration::from_millis(300)).await;
        for node in 0..3 {
            ensure!(client.look(node, &token).await? == Said::Invalid, "on node {node}");
            let mut connection = client.connect(node).await?;
            ensure!(ask(&mut connection, &good).await? == Said::Valid, "on node {node}");
        }
    }
    let verdict = trial.verdict()?;
    ensure!(verdict.violations.is_empty(), "{verdict}");
    Ok(())
}

/// By the time that it writes into a new token.
async fn is_off_by(trial: &Trial, node: usize, hours: i64) -> anyhow::Result<bool> {
    let mut admin = trial.scene.nodes.admin(node).await?;
    let created = admin.create_token(&trial.scene.user, "bearer").await?;
    let issued: Timestamp = text(&created.expect_status(201)?.json()?, "issued_at")?.parse()?;
    let off = issued.duration_since(Timestamp::now()) - SignedDuration::from_hours(hours);
    Ok(off.abs() < SignedDuration::from_mins(1))
}
