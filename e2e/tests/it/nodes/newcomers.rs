//! Tokens that are shown to another node than the one that has just made them: a fleet that logs in.

use super::metrics::{of, scrape};
use super::{PATIENT, Said, Scene, ask};
use anyhow::{Context as _, ensure};
use rescind_e2e::credential::Bearer;
use rescind_e2e::wire::{Connection, Request};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Clients that log in.
const CLIENTS: usize = 64;
/// Of each of them.
const TOKENS: usize = 64;
/// In one request. All clients together wait for a thousand at a time: that is as many as a node could
/// look for in a second if it looked for them one by one, and four times that are shown.
const SHOWN_TOGETHER: usize = 16;
/// Whose they are. An owner with many makes the next one slower.
const OWNERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_new_tokens_in_a_second_work_on_another_node() -> anyhow::Result<()> {
    let scene = Arc::new(Scene::with(PATIENT).await?);
    let owners = owners(&scene).await?;
    let each = |client: usize| {
        let owner = owners.get(client % OWNERS).cloned();
        make(Arc::clone(&scene), owner)
    };
    let made = all((0..CLIENTS).map(each)).await?;
    let begun = Instant::now();
    let verify = scene.nodes.node(1)?.server()?.verify()?;
    let shown = made.into_iter().map(|tokens| async move {
        let (mut connection, mut valid) = (Connection::open(verify).await?, 0);
        for together in tokens.chunks(SHOWN_TOGETHER) {
            let items: Vec<_> = together.iter().map(|token| json!({"token": token.text})).collect();
            let request = Request::post("/v1/verify").json(&json!({"items": items}));
            let answer = connection.ask(&request).await?.expect_status(200)?.json()?;
            let results = answer["results"].as_array().context("no results")?;
            valid += results.iter().filter(|result| result["valid"] == true).count();
        }
        Ok(valid)
    });
    let valid: usize = all(shown).await?.into_iter().sum();
    println!("{valid} new tokens were accepted in {:?}", begun.elapsed());
    ensure!(valid == CLIENTS * TOKENS, "{valid} of {}", CLIENTS * TOKENS);
    let samples = scrape(scene.nodes.admin(1).await?).await?;
    let fetches =
        |result: &str| of(&samples, &format!("rescind_fetches_total{{result=\"{result}\"}}"));
    ensure!(fetches("known")? >= f64::from(u32::try_from(valid)?), "{samples:?}");
    ensure!(fetches("refused")? + fetches("failed")? == 0.0, "{samples:?}");
    Ok(())
}

/// As they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_works_on_another_node_in_the_moment_in_which_it_was_made() -> anyhow::Result<()> {
    const FOR: Duration = Duration::from_secs(3);
    let scene = Arc::new(Scene::with(PATIENT).await?);
    let owners = owners(&scene).await?;
    let begun = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (scene, owner) = (Arc::clone(&scene), owners.get(client % OWNERS).cloned());
        async move {
            let owner = owner.context("no owner")?;
            // On two nodes they are made, and on the third one shown.
            let mut admin = scene.nodes.admin(client % 2).await?;
            let mut connection = Connection::open(scene.nodes.node(2)?.server()?.verify()?).await?;
            let mut shown = 0;
            while begun.elapsed() < FOR {
                let token = admin.create_bearer(&owner).await?;
                let said = ask(&mut connection, &token).await?;
                ensure!(said == Said::Valid, "{said:?} of {}", token.id);
                shown += 1;
            }
            Ok(shown)
        }
    });
    let shown: usize = all(clients).await?.into_iter().sum();
    println!("{shown} tokens were made and shown in {:?}", begun.elapsed());
    Ok(())
}

async fn owners(scene: &Scene) -> anyhow::Result<Vec<String>> {
    let (mut admin, mut owners) = (scene.nodes.admin(0).await?, Vec::new());
    for owner in 0..OWNERS {
        owners.push(admin.create_user(&format!("{owner}@example.com"), "correct horse").await?);
    }
    Ok(owners)
}

async fn make(scene: Arc<Scene>, owner: Option<String>) -> anyhow::Result<Vec<Bearer>> {
    let owner = owner.context("no owner")?;
    let (mut admin, mut tokens) = (scene.nodes.admin(0).await?, Vec::new());
    for _ in 0..TOKENS {
        tokens.push(admin.create_bearer(&owner).await?);
    }
    Ok(tokens)
}

/// What each has found, or why one could not.
async fn all<T: Send + 'static>(
    clients: impl Iterator<Item = impl Future<Output = anyhow::Result<T>> + Send + 'static>,
) -> anyhow::Result<Vec<T>> {
    clients.collect::<JoinSet<_>>().join_all().await.into_iter().collect()
}
