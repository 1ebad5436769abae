//! The admin API against its own description, by a program that knows nothing else of it.

use anyhow::{Context as _, ensure};
use rescind_e2e::{python, server::Home};

/// Some thousand requests; a machine that does much else may need a while.
const SECONDS_MAX: u64 = 300;

#[tokio::test]
async fn schemathesis_finds_no_answer_that_the_document_does_not_tell_of() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    let facts = server.facts();
    let work = tempfile::tempdir()?;
    let input = serde_json::json!({
        "admin_url": facts.admin_url,
        "admin_token": facts.admin_token,
        "data": work.path(),
    });
    let run = python::run("openapi_job.py", "schemathesis", input);
    let said = tokio::time::timeout(std::time::Duration::from_secs(SECONDS_MAX), run).await;
    let said = said.context("it takes too long")?.with_context(|| home.log_tail())?;
    ensure!(said.contains(" passed, "), "it tested nothing:\n{said}");
    Ok(())
}
