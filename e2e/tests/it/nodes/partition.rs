//! A node that is cut off from the database: both ways, one way, by resets, or of single
//! connections.

use super::Said;
use super::trial::{Client, Servers, Trial};
use anyhow::{Context as _, ensure};
use rescind_e2e::credential::Bearer;
use rescind_e2e::link::{Hold, Way};
use rescind_e2e::nodes::Setup;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(2);
const THREE: Setup = Setup::of(3, "2s");
/// With its drift margin, the margin of the wait, and what a busy machine adds.
const WAITED_OUT: Duration = Duration::from_millis(2_000 + 10 + 250 + 1_000);
/// After the healing: a renewal, and a second.
const BACK_WITHIN: Duration = Duration::from_millis(2_000 / 5 + 1_000);
/// Without anybody to wait for.
const AT_ONCE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Cut {
    /// Nothing arrives, and no connection ends.
    Silent(Hold),
    /// Connections end, and no new one can be made.
    Refused,
}

/// What others revoke it hears from them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_cut_off_from_the_database_seals_itself_and_hears_the_others()
-> anyhow::Result<()> {
    each_cut(THREE).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_is_cut_off_from_all_seals_itself_and_is_waited_for() -> anyhow::Result<()> {
    each_cut(Setup { direct: false, ..THREE }).await
}

async fn each_cut(setup: Setup) -> anyhow::Result<()> {
    let trial = Trial::of(setup, &Servers::one().await?).await?;
    let cuts = [
        Cut::Silent(Hold::ALL),
        Cut::Silent(Hold::way(Way::Questions)),
        Cut::Silent(Hold::way(Way::Answers)),
        Cut::Refused,
    ];
    for cut in cuts {
        cut_off(&trial, cut, setup.direct)
            .await
            .with_context(|| format!("{cut:?}\n{}", trial.logs()))?;
    }
    let verdict = trial.verdict()?;
    ensure!(verdict.violations.is_empty(), "{verdict}");
    Ok(())
}

async fn cut_off(trial: &Trial, cut: Cut, hears: bool) -> anyhow::Result<()> {
    let (client, link) = (trial.client()?, trial.link(2)?);
    if hears {
        client.all_are_connected().await?;
    }
    let (good, revoked) = (trial.known_on(2).await?, trial.known_on(2).await?);
    let begun = Instant::now();
    let held = match cut {
        Cut::Silent(hold) => Some(link.hold(hold)),
        Cut::Refused => {
            link.refuse(true);
            None
        }
    };
    let revoking = client.revoking(0, &revoked);
    let last_yes = until_sealed(&client, &good, begun).await?;
    ensure!(last_yes <= LEASE, "it said yes for {last_yes:?}");
    let answer = revoking.await??.context("not revoked")?;
    ensure!(begun.elapsed() <= WAITED_OUT, "{:?}", begun.elapsed());
    if hears {
        ensure!(answer["acknowledged"] == 3 && answer["waited_out"] == 0, "{answer}");
        ensure!(answer["took_ms"].as_u64() < Some(AT_ONCE.as_millis() as u64), "{answer}");
    } else {
        ensure!(answer["acknowledged"] == 2, "{answer}");
        // None if somebody has watched it to its end just before, and taken its row away.
        ensure!(answer["waited_out"].as_u64() <= Some(1), "{answer}");
    }
    ensure!(client.look(2, &revoked).await? == Said::Nothing);
    let healed = Instant::now();
    drop(held);
    link.refuse(false);
    while client.look(2, &good).await? != Said::Valid {
        ensure!(healed.elapsed() < BACK_WITHIN, "not back after {:?}", healed.elapsed());
        sleep(Duration::from_millis(10)).await;
    }
    ensure!(client.look(2, &revoked).await? == Said::Invalid);
    all_is_well(trial, &client).await
}

/// How long after `begun` the last yes was asked for. Nothing but a yes comes before it is sealed,
/// and nothing but silence after.
async fn until_sealed(client: &Client, good: &Bearer, begun: Instant) -> anyhow::Result<Duration> {
    let mut last_yes = Duration::ZERO;
    while begun.elapsed() < LEASE + Duration::from_millis(300) {
        let asked = begun.elapsed();
        match client.look(2, good).await? {
            Said::Valid => last_yes = asked,
            Said::Nothing => {}
            Said::Invalid => anyhow::bail!("a good token is refused"),
        }
    }
    ensure!(client.look(2, good).await? == Said::Nothing, "it is not sealed");
    Ok(last_yes)
}

async fn all_is_well(trial: &Trial, client: &Client) -> anyhow::Result<()> {
    let (token, begun) = (trial.known_on(2).await?, Instant::now());
    let answer = client.revoke(0, &token).await?.context("not revoked")?;
    ensure!(answer["acknowledged"] == 3 && answer["waited_out"] == 0, "{answer}");
    ensure!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    Ok(())
}

/// Every second of them, again and again. The lease is longer than it takes to make them anew, so
/// whoever verifies does not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_loses_single_connections_goes_on() -> anyhow::Result<()> {
    const ROUNDS: usize = 10;
    let trial = Trial::of(Setup::of(3, "4s"), &Servers::one().await?).await?;
    let (client, good) = (trial.client()?, trial.known_on(2).await?);
    for round in 0..ROUNDS {
        let token = trial.known_on(2).await?;
        trial.link(2)?.reset_some(2);
        client.revoke_at_last(round % 3, &token).await?;
        for node in 0..3 {
            ensure!(client.look(node, &token).await? == Said::Invalid, "on node {node}");
        }
        ensure!(client.look(2, &good).await? == Said::Valid, "in round {round}");
    }
    let verdict = trial.verdict()?;
    ensure!(verdict.violations.is_empty(), "{verdict}");
    Ok(())
}
