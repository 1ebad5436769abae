//! What is asked of one node about a change on another, and what each says of itself.

use super::{Said, Scene, ask};
use anyhow::{Context as _, ensure};
use rescind_e2e::credential::Bearer;
use rescind_e2e::wire::{Answer, Connection, Request};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// How long a question waits for its epoch.
const PATIENCE: Duration = Duration::from_secs(1);

async fn ask_at(scene: &Scene, node: usize, token: &Bearer, epoch: u64) -> anyhow::Result<Answer> {
    let mut connection = Connection::open(scene.nodes.node(node)?.server()?.verify()?).await?;
    let question = Request::post("/v1/verify").json(&json!({"token": token.text}));
    connection.ask(&question.header("X-Rescind-Min-Epoch", &epoch.to_string())).await
}

async fn probe(scene: &Scene, node: usize, path: &str) -> anyhow::Result<u16> {
    let mut connection = Connection::open(scene.nodes.node(node)?.server()?.verify()?).await?;
    Ok(connection.ask(&Request::get(path)).await?.status)
}

/// Asked before the change was made, on a node that hears of it from another.
#[tokio::test]
async fn question_for_a_later_epoch_waits_for_another_nodes_change() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let (first, second) = (scene.create(0).await?, scene.create(0).await?);
    scene.all_say(&second, Said::Valid).await?;
    let epoch = scene.revoke(1, &first).await?["epoch"].as_u64().context("no epoch")?;
    let answer = ask_at(&scene, 2, &second, epoch).await?.expect_status(200)?.json()?;
    ensure!(answer["valid"] == true, "{answer}");
    let begun = Instant::now();
    let revoking = async {
        tokio::time::sleep(PATIENCE / 4).await;
        scene.revoke(1, &second).await
    };
    let (asked, revoked) = tokio::join!(ask_at(&scene, 2, &second, epoch + 1), revoking);
    ensure!(revoked?["epoch"] == epoch + 1);
    let answer = asked?.expect_status(200)?.json()?;
    ensure!(answer["valid"] == false, "{answer}");
    ensure!(begun.elapsed() >= PATIENCE / 4, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let answer = ask_at(&scene, 2, &second, epoch + 1_000).await?.expect_status(503)?;
    ensure!(answer.header("retry-after").is_some() && begun.elapsed() >= PATIENCE);
    Ok(())
}

/// A load balancer leaves it out; a supervisor leaves it alone.
#[tokio::test]
async fn node_without_a_lease_is_not_ready_and_lives_until_it_has_one_again() -> anyhow::Result<()>
{
    let scene = Scene::start().await?;
    let token = scene.create(0).await?;
    for node in 0..3 {
        ensure!(probe(&scene, node, "/readyz").await? == 200);
    }
    scene.nodes.postgres.pause()?;
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    for node in 0..3 {
        ensure!(probe(&scene, node, "/readyz").await? == 503);
        ensure!(probe(&scene, node, "/livez").await? == 200);
    }
    scene.nodes.postgres.unpause()?;
    let begun = Instant::now();
    for node in 0..3 {
        while probe(&scene, node, "/readyz").await? != 200 {
            ensure!(begun.elapsed() < Duration::from_secs(20), "node {node} does not come back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut open = Connection::open(scene.nodes.node(node)?.server()?.verify()?).await?;
        ensure!(ask(&mut open, &token).await? == Said::Valid, "ready, and does not verify");
    }
    Ok(())
}
