//! `rescind serve` with a configuration file, for what `rescind dev` does not let anybody choose.

use crate::server::{Facts, Home, Server};
use crate::several::{self, Setup};
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const READY_POLLS_MAX: u32 = 300;
const POLL: Duration = Duration::from_millis(100);

const ADMIN_TOKEN: &str = "admin.token";
const SEALING_KEY: &str = "sealing.key";

const CONFIG: &str = r#"
[public]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
bootstrap_token_file = "HOME/admin.token"
[grpc]
listen = "127.0.0.1:0"
[store]
path = "HOME/data"
[sealing]
key_files = ["HOME/sealing.key"]
[log]
format = "json"
[verify]
listen = "127.0.0.1:0"
"#;

impl Home {
    /// A server with these lines in its section `[verify]`. Nobody is in its database; in that of
    /// several, who is in that of `rescind dev`.
    pub async fn serve(&self, verify: &str) -> anyhow::Result<Server> {
        if let Some(nodes) = several::wanted()? {
            return self.start_several(Setup { verify, ..Setup::of(nodes) }).await;
        }
        self.make_keys().await?;
        self.serve_with_keys(verify, &[]).await
    }

    /// An operator's first token, and a sealing key. Nodes over one database share them.
    pub async fn make_keys(&self) -> anyhow::Result<()> {
        self.keygen("admin-token", ADMIN_TOKEN).await?;
        self.keygen("sealing-key", SEALING_KEY).await
    }

    pub fn copy_keys_to(&self, other: &Self) -> anyhow::Result<()> {
        for file in [ADMIN_TOKEN, SEALING_KEY] {
            write_private(&other.path().join(file), &std::fs::read(self.path().join(file))?)?;
        }
        Ok(())
    }

    /// A server with the keys that are here, and `more` in its configuration, whose last section is
    /// `[verify]`.
    pub async fn serve_with_keys(
        &self,
        more: &str,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Server> {
        let admin_token = std::fs::read_to_string(self.path().join(ADMIN_TOKEN))?.trim().to_owned();
        let home = self.path().to_str().context("a path that is not UTF-8")?;
        let config = self.path().join("rescind.toml");
        std::fs::write(&config, CONFIG.replace("HOME", home) + more)?;
        let before = self.ready_lines().unwrap_or_default().len();
        let mut command = self.command(&["serve", "--config"])?;
        command.arg(config).stdout(Stdio::null()).stderr(self.open_log()?);
        command.envs(environment.iter().copied());
        let mut child = command.spawn()?;
        for _ in 0..READY_POLLS_MAX {
            if let Some(status) = child.try_wait()? {
                bail!("it ended with {status}:\n{}", self.log_tail());
            }
            // The log is that of every life here.
            if let Some(ready) = self.ready_lines()?.into_iter().nth(before) {
                return Ok(Server::new(child, facts(&ready, admin_token, self)?));
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("not ready:\n{}", self.log_tail())
    }

    async fn keygen(&self, kind: &str, file: &str) -> anyhow::Result<()> {
        let output = self.command(&["keygen", kind])?.output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        write_private(&self.path().join(file), &output.stdout)
    }

    fn ready_lines(&self) -> anyhow::Result<Vec<Value>> {
        let log = String::from_utf8(self.log()?)?;
        let lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        Ok(lines.filter(|line| line["message"] == "ready").collect())
    }
}

fn facts(ready: &Value, admin_token: String, home: &Home) -> anyhow::Result<Facts> {
    let url = |listener: &str| {
        let address =
            ready[listener].as_str().with_context(|| format!("no {listener}: {ready}"))?;
        anyhow::Ok(format!("http://{address}"))
    };
    Ok(Facts {
        base_url: url("public")?,
        verify_url: url("verify")?,
        admin_url: url("admin")?,
        grpc_url: url("grpc")?,
        admin_token,
        data: home.data(),
        ..Facts::default()
    })
}

fn write_private(file: &Path, text: &[u8]) -> anyhow::Result<()> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true).mode(0o600);
    Ok(open.open(file)?.write_all(text)?)
}
