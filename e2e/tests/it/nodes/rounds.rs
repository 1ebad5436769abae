//! A node that takes no leases beside two that do.

use super::{Said, Scene, ask};
use anyhow::{Context as _, ensure};
use rescind_e2e::link::Hold;
use rescind_e2e::nodes::Setup;
use rescind_e2e::wire::{Connection, Request};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// The last one reads through.
const LAST_READS_THROUGH: Setup = Setup { through: 1, ..Setup::of(3, "3s") };
const THROUGH: usize = 2;
const ROUNDS: usize = 20;
/// How long a verification waits for its proof, and what a busy machine adds.
const ANSWERED_WITHIN: Duration = Duration::from_millis(3_000 + 1_500);
/// Without a lease to wait for: less than one.
const AT_ONCE: Duration = Duration::from_millis(1_500);
const BACK_WITHIN: Duration = Duration::from_secs(20);

async fn open(scene: &Scene, node: usize) -> anyhow::Result<Connection> {
    Connection::open(scene.nodes.node(node)?.server()?.verify()?).await
}

/// At once: it is asked on a connection that was open before the revocation was answered.
#[tokio::test]
async fn node_without_a_lease_refuses_what_another_has_revoked() -> anyhow::Result<()> {
    let scene = Scene::with(LAST_READS_THROUGH).await?;
    let mut through = open(&scene, THROUGH).await?;
    for round in 0..ROUNDS {
        let token = scene.create(round % 3).await?;
        scene.all_say(&token, Said::Valid).await?;
        let answer = scene.revoke(round % 3, &token).await?;
        ensure!(ask(&mut through, &token).await? == Said::Invalid, "round {round}");
        ensure!(answer["waited_out"] == 0, "{answer}");
        ensure!(answer["acknowledged"] == 2, "it holds no lease: {answer}");
        scene.all_say(&token, Said::Invalid).await?;
    }
    let cluster = scene.change(THROUGH, Request::get("/v1/cluster")).await?;
    ensure!(cluster["sealed"] == false && cluster["lease_remaining_ms"].is_null(), "{cluster}");
    ensure!(cluster["nodes"].as_array().context("no nodes")?.len() == 2, "{cluster}");
    Ok(())
}

/// Every way of asking goes through it: the admin API's callers are verified as well.
#[tokio::test]
async fn suspension_holds_on_a_node_without_a_lease() -> anyhow::Result<()> {
    let scene = Scene::with(LAST_READS_THROUGH).await?;
    let token = scene.create(THROUGH).await?;
    let server = scene.nodes.node(THROUGH)?.server()?;
    let forwarded = async || {
        let mut connection = Connection::open(server.verify()?).await?;
        let question = Request::get("/v1/forward-auth/caddy").header("X-Forwarded-Uri", "/");
        let question = question.header("X-Forwarded-Method", "GET");
        let question = question.header("X-Forwarded-For", "198.51.100.7");
        let question = question.header("Authorization", &format!("Bearer {}", token.text));
        anyhow::Ok(connection.ask(&question).await?.status)
    };
    ensure!(forwarded().await? == 200);
    let user = format!("/v1/users/{}", scene.user);
    scene.change(0, Request::post(&format!("{user}/suspend")).json(&json!({}))).await?;
    ensure!(forwarded().await? == 401);
    scene.change(THROUGH, Request::post(&format!("{user}/resume")).json(&json!({}))).await?;
    ensure!(forwarded().await? == 200);
    Ok(())
}

#[tokio::test]
async fn without_the_database_nothing_is_said_within_its_bound() -> anyhow::Result<()> {
    let scene = Scene::with(LAST_READS_THROUGH).await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    scene.nodes.postgres.pause()?;
    for _ in 0..3 {
        let begun = Instant::now();
        let said = ask(&mut open(&scene, THROUGH).await?, &token).await?;
        ensure!(said == Said::Nothing, "{said:?}");
        ensure!(begun.elapsed() <= ANSWERED_WITHIN, "{:?}", begun.elapsed());
    }
    let mut probing = open(&scene, THROUGH).await?;
    ensure!(probing.ask(&Request::get("/readyz")).await?.status == 503);
    scene.nodes.postgres.unpause()?;
    let begun = Instant::now();
    while ask(&mut open(&scene, THROUGH).await?, &token).await? != Said::Valid {
        ensure!(begun.elapsed() < BACK_WITHIN, "it does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Nothing arrives any more, in the middle of whatever its connections do, and none of them ends.
#[tokio::test]
async fn node_without_a_lease_that_is_cut_off_says_nothing() -> anyhow::Result<()> {
    let scene = Scene::with(LAST_READS_THROUGH).await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    let held = scene.nodes.node(THROUGH)?.link()?.hold(Hold::ALL);
    let begun = Instant::now();
    scene.revoke(0, &token).await?;
    ensure!(begun.elapsed() <= AT_ONCE, "{:?}", begun.elapsed());
    let said = ask(&mut open(&scene, THROUGH).await?, &token).await?;
    ensure!(said == Said::Nothing, "{said:?}");
    drop(held);
    let begun = Instant::now();
    loop {
        match ask(&mut open(&scene, THROUGH).await?, &token).await? {
            Said::Invalid => return Ok(()),
            Said::Valid => anyhow::bail!("accepted"),
            Said::Nothing => ensure!(begun.elapsed() < BACK_WITHIN, "it does not come back"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn node_without_a_lease_that_stands_still_holds_up_nobody() -> anyhow::Result<()> {
    let scene = Scene::with(LAST_READS_THROUGH).await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    let mut through = open(&scene, THROUGH).await?;
    ensure!(ask(&mut through, &token).await? == Said::Valid);
    scene.nodes.node(THROUGH)?.pause()?;
    let begun = Instant::now();
    let answer = scene.revoke(1, &token).await?;
    ensure!(begun.elapsed() <= AT_ONCE, "{:?}", begun.elapsed());
    ensure!(answer["waited_out"] == 0, "{answer}");
    // Its request is there before it wakes up.
    let asked = tokio::spawn(async move { (ask(&mut through, &token).await, token) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.nodes.node(THROUGH)?.unpause()?;
    let (said, token) = asked.await?;
    let said = said?;
    ensure!(said == Said::Invalid || said == Said::Nothing, "{said:?}");
    ensure!(ask(&mut open(&scene, THROUGH).await?, &token).await? == Said::Invalid);
    Ok(())
}
