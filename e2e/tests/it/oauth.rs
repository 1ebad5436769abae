//! An OAuth client that knows nothing of Rescind, unchanged, against the real binary.

use anyhow::{Context as _, ensure};
use rescind_e2e::{python, server::Home};

#[tokio::test]
async fn authlib_introspects_and_revokes_tokens() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    let facts = server.facts();
    let input = serde_json::json!({
        "base_url": facts.base_url,
        "verify_url": facts.verify_url,
        "admin_token": facts.admin_token,
        "email": facts.email,
        "password": facts.password,
    });
    let said = python::run("oauth_job.py", "authlib", input).await;
    let said = said.with_context(|| home.log_tail())?;
    ensure!(said.ends_with("oauth job done\n"), "it ended early:\n{said}");
    Ok(())
}
