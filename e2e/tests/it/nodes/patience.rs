//! A caller with less patience than a silent node's lease is long.

use super::{Said, Scene, ask};
use anyhow::{Context as _, ensure};
use rescind_e2e::admin::text;
use rescind_e2e::credential::Bearer;
use rescind_e2e::wire::{Connection, Request};
use serde_json::{Value, json};

async fn progress(scene: &Scene, node: usize, url: &str, prefer: &str) -> anyhow::Result<Value> {
    let question = Request::get(url).header("Prefer", prefer);
    scene.nodes.admin(node).await?.ask(question).await?.expect_status(200)?.json()
}

/// Only when it is said to be settled may nobody accept it.
async fn nobody_accepts(scene: &Scene, token: &Bearer) -> anyhow::Result<()> {
    for said in scene.said(token).await? {
        ensure!(said != Said::Valid, "settled, and {said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn revocation_that_waits_for_a_silent_node_is_pending_until_it_holds_everywhere()
-> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    let mut silent = Connection::open(scene.nodes.node(2)?.server()?.verify()?).await?;
    ensure!(ask(&mut silent, &token).await? == Said::Valid);
    scene.nodes.node(2)?.pause()?;
    let revoke = Request::post(&format!("/v1/tokens/{}/revoke", token.id)).json(&json!({}));
    let revoke = revoke.header("Prefer", "wait=1");
    let answer = scene.nodes.admin(0).await?.ask(revoke).await?.expect_status(202)?;
    ensure!(answer.header("preference-applied") == Some("wait=1"), "{}", answer.text());
    let told = answer.json()?;
    ensure!(told["settled"] == false && told.get("acknowledged").is_none(), "{told}");
    let url = text(&told, "status_url")?;
    ensure!(answer.header("location") == Some(url.as_str()), "{}", answer.text());
    for node in [0, 1] {
        let mut open = Connection::open(scene.nodes.node(node)?.server()?.verify()?).await?;
        ensure!(ask(&mut open, &token).await? == Said::Invalid, "node {node}");
        let pending = progress(&scene, node, &url, "wait=0").await?;
        ensure!(pending["settled"] == false, "{pending}");
    }
    // The one that was asked to revoke it, and one that finds out anew.
    for node in [0, 1] {
        let settled = progress(&scene, node, &url, "wait=30").await?;
        ensure!(settled["settled"] == true, "{settled}");
        let nodes = settled["acknowledged"].as_u64().context("no number")?;
        ensure!(nodes == 2, "{settled}");
    }
    let asked = tokio::spawn(async move { (ask(&mut silent, &token).await, token) });
    scene.nodes.node(2)?.unpause()?;
    let (said, token) = asked.await?;
    ensure!(said? != Said::Valid);
    nobody_accepts(&scene, &token).await
}
