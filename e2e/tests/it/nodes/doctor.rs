//! `rescind doctor cluster`, against databases that are set up well and badly.

use super::{Scene, THREE};
use anyhow::{Context as _, ensure};
use rescind_e2e::link::Hold;
use rescind_e2e::nodes::{Nodes, Setup};
use rescind_e2e::postgres::Postgres;
use rescind_e2e::server::Home;
use serde_json::Value;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

/// Others renew all the time, a few milliseconds each.
const QUIET_WITHIN: Duration = Duration::from_secs(10);

/// What a doctor needs: a configuration that leads to a database.
pub(super) struct Patient {
    home: Home,
    config: PathBuf,
}

impl Patient {
    pub(super) fn new(connection: &str, more: &str) -> anyhow::Result<Self> {
        let home = Home::new()?;
        let (config, file) = (home.path().join("rescind.toml"), home.path().join("postgres"));
        let mut open = std::fs::OpenOptions::new();
        let mut private = open.write(true).create_new(true).mode(0o600).open(&file)?;
        std::io::Write::write_all(&mut private, connection.as_bytes())?;
        let text = format!(
            "[postgres]\nconnection_file = \"{}\"\n{more}\n[limitless]\nenabled = false\n",
            file.display()
        );
        std::fs::write(&config, text)?;
        Ok(Self { home, config })
    }

    /// The exit code, and what was found.
    pub(super) async fn examine(&self, lease: &str) -> anyhow::Result<(i32, Value)> {
        let mut command = self.home.command(&["doctor", "cluster", "--json", "--config"])?;
        command.arg(&self.config).args(["--set", &format!("cluster.lease={lease}")]);
        let output = self.home.run(command, "").await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let found = serde_json::from_str(&text)
            .with_context(|| format!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))?;
        Ok((output.status.code().context("it was killed")?, found))
    }
}

/// State and message of each row of one check.
fn rows<'f>(found: &'f Value, check: &str) -> Vec<(&'f str, &'f str)> {
    let rows = found["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |row: &'f Value, name: &str| row[name].as_str().unwrap_or_default();
    let of_check = rows.iter().filter(|row| row["check"] == check);
    of_check.map(|row| (text(row, "state"), text(row, "message"))).collect()
}

pub(super) fn ensure_state(
    found: &Value,
    check: &str,
    state: &str,
    words: &str,
) -> anyhow::Result<()> {
    let rows = rows(found, check);
    let matches = rows.iter().any(|(is, message)| *is == state && message.contains(words));
    ensure!(matches, "{check} is not {state} ({words}): {found:#}");
    Ok(())
}

#[tokio::test]
async fn three_nodes_that_are_well_are_found_well_and_one_that_stands_still_is_named()
-> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let patient = Patient::new(&scene.nodes.connection_text(), "")?;
    let (exit, found) = patient.examine(THREE.lease).await?;
    ensure!(exit == 0 && found["well"] == true, "{found:#}");
    ensure!(found["next"] == Value::Null, "{found:#}");
    for check in ["database", "durability", "schema", "notify", "clock", "leases", "lag", "paths"] {
        ensure_state(&found, check, "ok", "")?;
    }
    ensure_state(&found, "nodes", "ok", "3 run")?;
    ensure_state(&found, "paths", "ok", "3 nodes were reached")?;
    let node = scene.nodes.node(2)?;
    let held = node.link()?.hold(Hold::ALL);
    node.pause()?;
    nothing_is_under_way(&scene.nodes).await?;
    let examined = patient.examine("15s").await;
    drop(held);
    node.unpause()?;
    let (exit, found) = examined?;
    ensure!(exit == 0, "a warning is no failure: {found:#}");
    ensure_state(&found, "nodes", "warning", "node-2")?;
    ensure!(rows(&found, "nodes").len() == 1, "{found:#}");
    ensure_state(&found, "leases", "warning", "leases of 3000 ms")?;
    ensure_state(&found, "paths", "warning", "node-2")?;
    ensure!(rows(&found, "paths").len() == 1, "{found:#}");
    Ok(())
}

/// A renewal that its node has sent before it stopped is committed when the database gets to it:
/// perhaps while the doctor looks, who would find a node that renews.
async fn nothing_is_under_way(nodes: &Nodes) -> anyhow::Result<()> {
    let active = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND state = 'active' AND pid <> pg_backend_pid()";
    let begun = Instant::now();
    while nodes.postgres.psql(nodes.database(), active)? != "0" {
        ensure!(begun.elapsed() < QUIET_WITHIN, "the database is never idle");
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A database that nobody has opened yet stays as it is.
#[tokio::test]
async fn nothing_is_made_and_settings_that_lose_commits_are_wrong() -> anyhow::Result<()> {
    let postgres = Postgres::start().await?;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let patient = Patient::new(&postgres.connection_text(), "")?;
    let (exit, found) = patient.examine("15s").await?;
    ensure!(exit == 0, "{found:#}");
    ensure_state(&found, "schema", "ok", "none yet")?;
    ensure!(postgres.psql("rescind", tables)? == "0", "tables were made");
    let sync = Patient::new(&postgres.connection_text(), "durability = \"sync\"")?;
    let (exit, found) = sync.examine("15s").await?;
    ensure!(exit == 1 && found["well"] == false, "{found:#}");
    ensure_state(&found, "durability", "wrong", "synchronous_standby_names is empty")?;
    postgres.psql("rescind", "ALTER ROLE rescind SET synchronous_commit = off")?;
    let (exit, found) = patient.examine("15s").await?;
    ensure!(exit == 1, "{found:#}");
    ensure_state(&found, "durability", "wrong", "synchronous_commit is off")?;
    postgres.stop()?;
    let (exit, found) = patient.examine("15s").await?;
    ensure!(exit == 3, "{found:#}");
    ensure_state(&found, "database", "wrong", "cannot be reached")
}

#[tokio::test]
async fn way_that_swallows_notifications_is_found_out() -> anyhow::Result<()> {
    let setup = Setup { nodes: 1, ..THREE };
    let scene = Scene::with(setup).await?;
    let port = scene.nodes.postgres.port();
    let relay = TcpListener::bind("127.0.0.1:0").await?;
    let own = relay.local_addr()?.port();
    let relaying = tokio::spawn(async move {
        while let Ok((client, _)) = relay.accept().await {
            tokio::spawn(async move { drop(without_notifications(client, port).await) });
        }
    });
    let text = scene.nodes.connection_text().replace(&port.to_string(), &own.to_string());
    let (exit, found) = Patient::new(&text, "")?.examine("3s").await?;
    relaying.abort();
    ensure!(exit == 0, "{found:#}");
    ensure_state(&found, "notify", "warning", "no notification comes back")?;
    ensure_state(&found, "nodes", "ok", "1 runs")?;
    let next = found["next"].as_str().unwrap_or_default();
    ensure!(next.contains("to the server itself"), "{found:#}");
    Ok(())
}

/// Hands on every message of the server but notifications (`A`).
async fn without_notifications(client: TcpStream, port: u16) -> anyhow::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    loop {
        let kind = from_server.read_u8().await?;
        let length = from_server.read_u32().await?;
        let mut body = vec![0; usize::try_from(length)?.saturating_sub(4)];
        from_server.read_exact(&mut body).await?;
        if kind != b'A' {
            to_client.write_u8(kind).await?;
            to_client.write_u32(length).await?;
            to_client.write_all(&body).await?;
        }
    }
}
