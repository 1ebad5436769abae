//! PgBouncer between the nodes and their database.

use super::doctor::{Patient, ensure_state};
use super::{Said, Scene, THREE};
use anyhow::{Context as _, ensure};
use rescind_e2e::nodes::{Nodes, Setup};
use rescind_e2e::postgres::Postgres;

/// Without direct connections everything goes through the pooler: the log, the rows, notifications.
#[tokio::test]
async fn revocation_holds_on_all_behind_a_pooler_that_keeps_sessions() -> anyhow::Result<()> {
    let setup = Setup { pool_mode: Some("session"), direct: false, ..THREE };
    let scene = Scene::with(setup).await?;
    for round in 0..5 {
        let token = scene.create(round % 3).await?;
        scene.all_say(&token, Said::Valid).await?;
        let answer = scene.revoke((round + 1) % 3, &token).await?;
        scene.all_say(&token, Said::Invalid).await?;
        ensure!(answer["acknowledged"] == 3 && answer["waited_out"] == 0, "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn no_node_starts_behind_a_pooler_that_shares_sessions() -> anyhow::Result<()> {
    let setup = Setup { nodes: 1, pool_mode: Some("transaction"), ..THREE };
    let refused = Nodes::start(setup).await.err().context("it has started")?;
    ensure!(
        format!("{refused:#}").contains("gives each transaction another session"),
        "{refused:#}"
    );
    Ok(())
}

#[tokio::test]
async fn doctor_tells_poolers_apart() -> anyhow::Result<()> {
    let postgres = Postgres::start().await?;
    for (mode, exit, state) in [("session", 0, "ok"), ("transaction", 1, "wrong")] {
        let pooler = postgres.pooled(mode).await?;
        let (own, port) = (postgres.port().to_string(), pooler.port().to_string());
        let text = postgres.connection_text().replace(&own, &port);
        let (ended, found) = Patient::new(&text, "")?.examine(THREE.lease).await?;
        ensure!(ended == exit, "{mode}: {found:#}");
        ensure_state(&found, "database", state, "")?;
    }
    Ok(())
}
