//! The standby takes the primary's place, while clients verify and one node has not heard of it.

use super::Said;
use super::trial::{Servers, Trial};
use anyhow::{Context as _, ensure};
use rescind_e2e::nodes::Setup;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(3);
const SYNC: Setup = Setup { postgres: "durability = \"sync\"", ..Setup::of(3, "3s") };
/// A transaction that hangs is given up after 15 s; then come new connections, and the lease of the
/// node that is left behind.
const REVOKED_WITHIN: Duration = Duration::from_secs(15 + 7 + 4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Old {
    /// It takes connections, as the kernel does for it, and answers nothing.
    StandsStill,
    /// It answers, and one node hears nothing of the new one.
    Lives,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_forgotten_while_the_old_primary_lives() -> anyhow::Result<()> {
    fail_over(Old::Lives).await
}

/// Without a word of its end, connections are given up only after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "half a minute: just nodes"]
async fn nothing_is_forgotten_when_the_primary_stands_still() -> anyhow::Result<()> {
    fail_over(Old::StandsStill).await
}

async fn fail_over(old: Old) -> anyhow::Result<()> {
    let trial = Trial::of(SYNC, &Servers::chain(true).await?).await?;
    played(&trial, old).await.with_context(|| format!("{old:?}\n{}", trial.logs()))?;
    let verdict = trial.verdict()?;
    println!("{old:?}: {verdict}");
    ensure!(verdict.violations.is_empty(), "{verdict}");
    Ok(())
}

async fn played(trial: &Trial, old: Old) -> anyhow::Result<()> {
    let client = trial.client()?;
    let (before, after) = (trial.known_on(2).await?, trial.known_on(2).await?);
    let good = trial.known_on(2).await?;
    client.revoke(0, &before).await?.context("not revoked")?;
    let mut watching = JoinSet::new();
    for node in 0..3 {
        for token in [&before, &after] {
            let (client, token) = (client.clone(), token.clone());
            watching.spawn(async move { client.watch(node, &token, 3 * LEASE).await });
        }
    }
    let nodes = &trial.scene.nodes;
    nodes.node(2)?.link_to(1)?.refuse(true);
    match old {
        Old::StandsStill => trial.servers.server(0)?.pause()?,
        Old::Lives => {
            nodes.node(0)?.link_to(0)?.refuse(true);
            nodes.node(1)?.link_to(0)?.refuse(true);
        }
    }
    let begun = Instant::now();
    trial.servers.server(1)?.promote()?;
    // What the last one could still write was confirmed before this moment.
    let promoted = Instant::now();
    client.revoke_at_last(0, &after).await?;
    ensure!(begun.elapsed() < REVOKED_WITHIN, "revoked after {:?}", begun.elapsed());
    sleep(LEASE.saturating_sub(promoted.elapsed())).await;
    ensure!(client.look(2, &good).await? == Said::Nothing, "the one that is left behind");
    while let Some(watched) = watching.join_next().await {
        watched??;
    }
    for node in [0, 1] {
        ensure!(client.look(node, &good).await? == Said::Valid, "node {node}");
        ensure!(client.look(node, &before).await? == Said::Invalid, "node {node}");
        ensure!(client.look(node, &after).await? == Said::Invalid, "node {node}");
    }
    ensure!(client.look(2, &good).await? == Said::Nothing, "the one that is left behind");
    Ok(())
}
