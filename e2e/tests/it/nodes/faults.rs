//! The same under faults: a node that stands still, one that is gone, a database that is gone.

use super::{PATIENT, Said, Scene, ask};
use anyhow::{Context as _, ensure};
use rescind_e2e::link::{Hold, Way};
use rescind_e2e::wire::Connection;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The lease of the scene, with its drift margin, the margin of the wait, and what a busy machine
/// adds.
const WAITED_OUT: Duration = Duration::from_millis(3_000 + 15 + 250 + 1_000);
/// Without anybody to wait for.
const AT_ONCE: Duration = Duration::from_millis(1_500);
/// A direct connection that has nothing to say says so every second, and is given up after four.
const HEARTBEATS: Duration = Duration::from_secs(3);
const GIVEN_UP: Duration = Duration::from_millis(4_500);

/// A node that is paused for longer than its lease wakes up with its memory as it was.
#[tokio::test]
async fn paused_node_is_waited_out_and_accepts_nothing_when_it_wakes() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    let mut open = Connection::open(scene.nodes.node(2)?.server()?.verify()?).await?;
    ensure!(ask(&mut open, &token).await? == Said::Valid);
    scene.nodes.node(2)?.pause()?;
    let begun = Instant::now();
    let answer = scene.revoke(0, &token).await?;
    let took = begun.elapsed();
    ensure!(answer["acknowledged"] == 2 && answer["waited_out"] == 1, "{answer}");
    ensure!(took <= WAITED_OUT, "{took:?}");
    // Its request is there before it wakes up, and so it answers before any timer of its runs.
    let asked = tokio::spawn(async move { ask(&mut open, &token).await.map(|said| (said, token)) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.nodes.node(2)?.unpause()?;
    let (said, token) = asked.await??;
    ensure!(said != Said::Valid, "{said:?}");
    until_all_say(&scene, &token, Said::Invalid).await
}

/// Its lease is waited for once; whoever is gone for good does not slow down the next revocation.
#[tokio::test]
async fn killed_node_is_waited_out_once() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let (first, second) = (scene.create(0).await?, scene.create(0).await?);
    scene.all_say(&first, Said::Valid).await?;
    scene.nodes.node_mut(2)?.kill().await?;
    let begun = Instant::now();
    scene.revoke(0, &first).await?;
    ensure!(begun.elapsed() <= WAITED_OUT, "{:?}", begun.elapsed());
    scene.all_say(&first, Said::Invalid).await?;
    let begun = Instant::now();
    scene.revoke(1, &second).await?;
    ensure!(begun.elapsed() <= AT_ONCE, "{:?}", begun.elapsed());
    scene.all_say(&second, Said::Invalid).await
}

/// Nothing goes through and no connection ends, while PostgreSQL is well. The revoker rings by
/// notification at its second look, and the rows say what was applied; or its acknowledgements are
/// all that is lost.
#[tokio::test]
async fn silent_direct_connections_cost_a_revocation_moments_and_no_lease() -> anyhow::Result<()> {
    let scene = Scene::with(PATIENT).await?;
    for way in [None, Some(Way::Questions), Some(Way::Answers)] {
        let held = scene.nodes.hold_direct(Hold { way, ..Hold::ALL })?;
        revoked_at_once(&scene).await.with_context(|| format!("{way:?}"))?;
        for mut held in held {
            held.reached(HEARTBEATS).await?;
        }
    }
    // After a while of silence they are given up, and the commit notifies.
    let _held = scene.nodes.hold_direct(Hold::ALL)?;
    sleep(GIVEN_UP).await;
    revoked_at_once(&scene).await.context("given up")
}

/// By all three, and nobody's lease is waited for.
async fn revoked_at_once(scene: &Scene) -> anyhow::Result<()> {
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    let begun = Instant::now();
    let answer = scene.revoke(0, &token).await?;
    ensure!(begun.elapsed() <= AT_ONCE, "{:?}", begun.elapsed());
    ensure!(answer["acknowledged"] == 3 && answer["waited_out"] == 0, "{answer}");
    println!("{answer}");
    scene.all_say(&token, Said::Invalid).await
}

/// A restart within the lease is not noticed by whoever verifies.
#[tokio::test]
async fn database_that_restarts_within_the_lease_is_not_missed() -> anyhow::Result<()> {
    let scene = Scene::with(PATIENT).await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    scene.nodes.postgres.kill()?;
    scene.all_say(&token, Said::Valid).await?;
    scene.nodes.postgres.resume_service().await?;
    scene.all_say(&token, Said::Valid).await?;
    until_revoked(&scene, &token).await?;
    scene.all_say(&token, Said::Invalid).await
}

/// Without the database for longer than the lease nobody says anything, and nobody says "revoked".
#[tokio::test]
async fn nodes_without_a_database_are_sealed_and_come_back_by_themselves() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    scene.nodes.postgres.pause()?;
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    scene.all_say(&token, Said::Nothing).await?;
    scene.nodes.postgres.unpause()?;
    until_all_say(&scene, &token, Said::Valid).await?;
    until_revoked(&scene, &token).await?;
    scene.all_say(&token, Said::Invalid).await
}

/// After an outage every connection has to be made anew; a revocation that cannot be written is
/// 503 until then, and never a success.
async fn until_revoked(
    scene: &Scene,
    token: &rescind_e2e::credential::Bearer,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let answer = scene.nodes.admin(1).await?.revoke(&token.id).await?;
        match answer.status {
            200 => return Ok(()),
            503 if begun.elapsed() < Duration::from_secs(20) => {}
            _ => anyhow::bail!("{}\n{}", answer.text(), scene.nodes.node(1)?.log_tail()),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn until_all_say(
    scene: &Scene,
    token: &rescind_e2e::credential::Bearer,
    expected: Said,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let said = scene.said(token).await?;
        if said.iter().all(|one| *one == expected) {
            return Ok(());
        }
        let other = |one: &Said| *one != expected && *one != Said::Nothing;
        ensure!(!said.iter().any(other), "{said:?}");
        ensure!(begun.elapsed() < Duration::from_secs(20), "{said:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
