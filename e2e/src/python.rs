//! Programs in Python that others have written, in an environment of their own.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const HOW_TO_INSTALL: &str = "the official SDK, Authlib or Schemathesis is not installed. Run
    python3 -m venv e2e/.venv && e2e/.venv/bin/pip install -r e2e/sdk/requirements.txt
or name a Python that has them in RESCIND_SDK_PYTHON";

/// Runs `e2e/sdk/SCRIPT`, which draws in `module`, with one JSON object on its stdin. Gives what it
/// wrote to stdout; a script that fails is an error that says why.
pub async fn run(script: &str, module: &str, input: serde_json::Value) -> anyhow::Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(script);
    let mut child = Command::new(python(module)?)
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
    ensure!(output.status.success(), "{said}\n{complained}");
    Ok(said)
}

fn python(module: &str) -> anyhow::Result<PathBuf> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let python = std::env::var_os("RESCIND_SDK_PYTHON").map_or_else(own, PathBuf::from);
    let import = format!("import {module}");
    let check = std::process::Command::new(&python).args(["-c", &import]).output();
    let installed = check.is_ok_and(|output| output.status.success());
    ensure!(installed, "{}: {HOW_TO_INSTALL}", python.display());
    Ok(python)
}
