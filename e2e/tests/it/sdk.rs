//! The official Python SDK, unchanged, against the real binary.

use crate::several::met_all;
use anyhow::{Context as _, ensure};
use rescind_e2e::python;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::several::Setup;

#[tokio::test]
async fn official_python_sdk_does_the_main_job() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    main_job(&home, &server).await
}

#[tokio::test]
async fn official_python_sdk_does_the_main_job_on_three_nodes() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_several(Setup::of(3)).await?;
    main_job(&home, &server).await?;
    met_all(&server)
}

async fn main_job(home: &Home, server: &Server) -> anyhow::Result<()> {
    let facts = server.facts();
    let input = serde_json::json!({
        "base_url": facts.base_url,
        "identity_token": facts.identity_token,
        "expired_identity": home.identity("sdk-expired", "expired").await?,
        "other_identity": home.identity("sdk-other-partner", "valid").await?,
    });
    let said = python::run("main_job.py", "limitless_sdk", input).await;
    let said = said.with_context(|| home.log_tail())?;
    ensure!(said.ends_with("main job done\n"), "it ended early:\n{said}");
    Ok(())
}
