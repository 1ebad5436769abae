//! `rescind migrate-store`, as an operator runs it: the real binary, a real PostgreSQL, and what
//! clients see before and afterwards.

use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::credential::{Bearer, Credential, Signer};
use rescind_e2e::nodes::{Nodes, Setup};
use rescind_e2e::postgres::Postgres;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::wire::{Connection, Request};
use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Rows that are put into a store besides, so that there is a middle to be killed in.
const MANY: u32 = 60_000;

/// Ten seconds of looking again.
const LOOKS_MAX: u32 = 100;

/// A home with keys and a connection file, and the database that it names.
struct Scene {
    home: Home,
    postgres: Postgres,
}

/// What clients hold.
struct Held {
    owner: String,
    bearer: Bearer,
    signer: Signer,
    revoked: Bearer,
    revoked_signer: Signer,
}

impl Scene {
    async fn new() -> anyhow::Result<Self> {
        let home = Home::new()?;
        home.make_keys().await?;
        let postgres = Postgres::start().await?;
        let file = home.path().join("postgres");
        std::fs::write(&file, postgres.connection_text())?;
        std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(Self { home, postgres })
    }

    async fn on_sqlite(&self) -> anyhow::Result<Server> {
        self.home.serve_with_keys("", &[]).await
    }

    async fn on_postgres(&self) -> anyhow::Result<Server> {
        self.home.serve_with_keys(&self.postgres_section(), &[]).await
    }

    fn postgres_section(&self) -> String {
        let file = self.home.path().join("postgres");
        format!("[postgres]\nconnection_file = \"{}\"\n", file.display())
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<tokio::process::Command> {
        let mut command = self.home.command(&["migrate-store"])?;
        command.args(arguments).arg("--config").arg(self.home.path().join("rescind.toml"));
        let file = self.home.path().join("postgres");
        command.args(["--set", &format!("postgres.connection_file={}", file.display())]);
        Ok(command)
    }

    async fn migrate(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.home.run(self.command(arguments)?, "").await
    }

    async fn migrated(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.migrate(&[arguments, &["--json"]].concat()).await?;
        ensure!(output.status.success(), "{}", told(&output));
        ensure!(output.stderr.is_empty(), "programs are told nothing: {}", told(&output));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    async fn verifies_its_trail(&self, server: &Server) -> anyhow::Result<()> {
        let mut command = self.home.command(&["audit", "verify", "--json"])?;
        command.env("RESCIND_ADMIN_URL", &server.facts().admin_url);
        command.env("RESCIND_ADMIN_TOKEN", &server.facts().admin_token);
        let output = self.home.run(command, "").await?;
        ensure!(output.status.success(), "{}", told(&output));
        Ok(())
    }

    /// More tokens than anybody would make one by one.
    fn make_many(&self) -> anyhow::Result<()> {
        let rows = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {MANY})
             INSERT INTO tokens (id, owner, kind, digest, scopes, issued_at)
             SELECT 'many-' || i, (SELECT id FROM owners WHERE kind = 'user' LIMIT 1), 'bearer',
                 randomblob(32), '', 1790000000000 FROM n"
        );
        let database = self.home.data().join("rescind.db");
        let output = std::process::Command::new("sqlite3").arg(database).arg(rows).output()?;
        ensure!(output.status.success(), "{}", told(&output));
        Ok(())
    }
}

async fn hold(server: &Server) -> anyhow::Result<Held> {
    let mut admin = Admin::connect(server).await?;
    let owner = admin.create_user("ada@example.com", "correct horse").await?;
    let partner = Request::post("/v1/partners").json(&json!({
        "issuer": "https://issuer.example", "subject": "did:p", "token_management": true,
    }));
    let partner = admin.ask(partner).await?.expect_status(201)?.json()?;
    let partner = partner["id"].as_str().context("no id")?;
    let held = Held {
        bearer: admin.create_bearer(&owner).await?,
        revoked: admin.create_bearer(&owner).await?,
        signer: admin.create_signer(partner).await?,
        revoked_signer: admin.create_signer(partner).await?,
        owner,
    };
    admin.revoke(&held.revoked.id).await?.expect_status(200)?;
    admin.revoke(&held.revoked_signer.token_id).await?.expect_status(200)?;
    Ok(held)
}

impl Held {
    /// Of a node with a short lease: on a machine that does much else it may just have lost it.
    async fn is_soon_as_it_was(&self, server: &Server) -> anyhow::Result<()> {
        let mut last = self.is_as_it_was(server).await;
        for _ in 0..LOOKS_MAX {
            if last.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = self.is_as_it_was(server).await;
        }
        last
    }

    /// What was valid is, and what was revoked is not.
    async fn is_as_it_was(&self, server: &Server) -> anyhow::Result<()> {
        for (bearer, valid) in [(&self.bearer, true), (&self.revoked, false)] {
            let mut verify = Connection::open(server.verify()?).await?;
            let question = Request::post("/v1/verify").json(&json!({"token": bearer.text}));
            let answer = verify.ask(&question).await?.expect_status(200)?.json()?;
            ensure!(answer["valid"] == valid, "{answer} of {}", bearer.id);
        }
        for (signer, status) in [(&self.signer, 200), (&self.revoked_signer, 401)] {
            let list =
                Credential::Signing(signer.clone()).show(Request::get("/auth/api-tokens"))?;
            server.connect().await?.ask(&list).await?.expect_status(status)?;
        }
        Ok(())
    }
}

fn told(output: &Output) -> String {
    format!(
        "{}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn store_goes_to_postgres_and_back_and_every_client_finds_it_as_it_was() -> anyhow::Result<()>
{
    let scene = Scene::new().await?;
    let server = scene.on_sqlite().await?;
    let held = hold(&server).await?;
    held.is_as_it_was(&server).await?;
    // One store at a time is served, and a server keeps the file to itself.
    let refused = scene.migrate(&["--to", "postgres"]).await?;
    ensure!(refused.status.code() == Some(3), "{}", told(&refused));
    ensure!(told(&refused).contains("in use by another process"), "{}", told(&refused));
    server.terminate().await?;

    let done = scene.migrated(&["--to", "postgres"]).await?;
    ensure!(done["moved_before"] == false && done["rows"]["tokens"] == 5, "{done}");
    let again = scene.migrated(&["--to", "postgres"]).await?;
    ensure!(again["moved_before"] == true, "{again}");

    let server = scene.on_postgres().await?;
    held.is_as_it_was(&server).await?;
    scene.verifies_its_trail(&server).await?;
    let mut admin = Admin::connect(&server).await?;
    admin.revoke(&held.bearer.id).await?.expect_status(200)?;
    let later = admin.create_bearer(&held.owner).await?;
    // The old store would accept what has just been revoked.
    let refused = scene.on_sqlite().await.err().context("the old store was served")?.to_string();
    ensure!(refused.contains("was moved to postgresql 127.0.0.1/rescind"), "{refused}");
    server.terminate().await?;

    let place = format!("store.path={}", scene.home.path().join("second").display());
    let done = scene.migrated(&["--to", "sqlite", "--set", &place]).await?;
    ensure!(done["rows"]["tokens"] == 6, "{done}");
    let refused = scene.on_postgres().await.err().context("it was served")?.to_string();
    ensure!(refused.contains("were moved to sqlite"), "{refused}");
    std::fs::rename(scene.home.data(), scene.home.path().join("first"))?;
    std::fs::rename(scene.home.path().join("second"), scene.home.data())?;
    let server = scene.on_sqlite().await?;
    let held = Held { revoked: held.bearer.clone(), bearer: later, ..held };
    held.is_as_it_was(&server).await?;
    scene.verifies_its_trail(&server).await
}

/// `kill -9` wherever it happens to be; the same command, repeated, ends the move.
#[tokio::test]
async fn move_that_is_killed_is_refused_by_servers_and_goes_on() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let server = scene.on_sqlite().await?;
    let held = hold(&server).await?;
    server.terminate().await?;
    scene.make_many()?;
    let mut command = scene.command(&["--to", "postgres"])?;
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stderr.take().context("no stderr")?).lines();
    loop {
        let line = lines.next_line().await?.context("it ended too early")?;
        if line.starts_with("copying tokens: ") {
            break;
        }
    }
    child.kill().await?;
    let refused = scene.on_postgres().await.err().context("half a store was served")?.to_string();
    ensure!(refused.contains("was being filled from another store"), "{refused}");
    let there: u64 = scene.postgres.psql("rescind", "SELECT count(*) FROM tokens")?.parse()?;
    ensure!(there > 0 && there < u64::from(MANY), "{there}: killed outside the middle");
    let output = scene.migrate(&["--to", "postgres"]).await?;
    ensure!(output.status.success(), "{}", told(&output));
    let there: u64 = scene.postgres.psql("rescind", "SELECT count(*) FROM tokens")?.parse()?;
    ensure!(there == u64::from(MANY) + 5, "{there}");
    held.is_as_it_was(&scene.on_postgres().await?).await
}

#[tokio::test]
async fn cluster_that_runs_is_not_moved_and_dead_nodes_are_waited_out() -> anyhow::Result<()> {
    let mut nodes = Nodes::start(Setup::of(2, "2s")).await?;
    let held = hold(nodes.node(0)?.server()?).await?;
    let scene = Scene::new().await?;
    let connection = scene.home.path().join("postgres");
    std::fs::write(&connection, nodes.connection_text())?;
    std::fs::write(scene.home.path().join("rescind.toml"), "[limitless]\nenabled = false\n")?;
    let place = format!("store.path={}", scene.home.data().display());
    let to_sqlite = ["--to", "sqlite", "--set", place.as_str()];
    let refused = scene.migrate(&to_sqlite).await?;
    ensure!(refused.status.code() == Some(1), "{}", told(&refused));
    ensure!(told(&refused).contains("is running on postgresql"), "{}", told(&refused));
    held.is_soon_as_it_was(nodes.node(1)?.server()?).await?;
    nodes.node_mut(0)?.kill().await?;
    nodes.node_mut(1)?.stop().await?;
    let begun = tokio::time::Instant::now();
    let output = scene.migrate(&to_sqlite).await?;
    ensure!(output.status.success(), "{}", told(&output));
    ensure!(told(&output).contains("not stopped, or killed: node-0"), "{}", told(&output));
    ensure!(begun.elapsed() >= Duration::from_millis(2_260), "{:?}", begun.elapsed());
    nodes.copy_keys_to(&scene.home)?;
    let server = scene.on_sqlite().await?;
    held.is_as_it_was(&server).await
}

/// When what it was moved to is lost, there is a way back, and it is told what that means.
#[tokio::test]
async fn store_is_reopened_only_by_a_yes() -> anyhow::Result<()> {
    let scene = Scene::new().await?;
    let server = scene.on_sqlite().await?;
    let held = hold(&server).await?;
    server.terminate().await?;
    scene.migrated(&["--to", "postgres"]).await?;
    let refused = scene.migrate(&["--reopen", "sqlite"]).await?;
    ensure!(refused.status.code() == Some(2), "{}", told(&refused));
    ensure!(told(&refused).contains("is valid here"), "{}", told(&refused));
    scene.on_sqlite().await.err().context("it was served")?;
    let output = scene.migrate(&["--reopen", "sqlite", "--yes"]).await?;
    ensure!(output.status.success(), "{}", told(&output));
    held.is_as_it_was(&scene.on_sqlite().await?).await
}
