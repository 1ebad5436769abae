//! The official Python SDK, unchanged, against the real binary.

use anyhow::{Context as _, ensure};
use rescind_e2e::server::Home;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const HOW_TO_INSTALL: &str = "the official SDK is not installed. Run
    python3 -m venv e2e/.venv && e2e/.venv/bin/pip install -r e2e/sdk/requirements.txt
or name a Python that has it in RESCIND_SDK_PYTHON";

#[tokio::test]
async fn official_python_sdk_does_the_main_job() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    let facts = server.facts();
    let input = serde_json::json!({
        "base_url": facts.base_url,
        "identity_token": facts.identity_token,
        "expired_identity": home.identity("sdk-expired", "expired").await?,
        "other_identity": home.identity("sdk-other-partner", "valid").await?,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/main_job.py");
    let mut child = Command::new(python()?)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    // By stdin: arguments can be read by every process of the machine.
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(input.to_string().as_bytes()).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}\n{complained}\n{}", home.log_tail());
    ensure!(said.ends_with("main job done\n"), "it ended early:\n{said}");
    Ok(())
}

fn python() -> anyhow::Result<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = std::env::var_os("RESCIND_SDK_PYTHON").map_or_else(own, PathBuf::from);
    let check = std::process::Command::new(&python).args(["-c", "import limitless_sdk"]).output();
    let installed = check.is_ok_and(|output| output.status.success());
    ensure!(installed, "{}: {HOW_TO_INSTALL}", python.display());
    Ok(python)
}
