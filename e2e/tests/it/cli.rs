//! The command line against several nodes: each of its requests may meet another one, and what it was
//! told by the last it must find with the next.

use crate::several::met_all;
use anyhow::{Context as _, ensure};
use rescind_e2e::server::{Home, Server};
use rescind_e2e::several::Setup;
use rescind_e2e::wire::{Connection, Request};
use serde_json::{Value, json};
use std::process::Output;

/// With three nodes, so many that each is surely met.
const ROUNDS: usize = 3;
const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn operator_does_a_days_work_on_the_command_line() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start().await?;
    a_days_work(&home, &server).await.with_context(|| home.log_tail())
}

#[tokio::test]
async fn operator_does_a_days_work_on_the_command_line_with_three_nodes() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_several(Setup::of(3)).await?;
    a_days_work(&home, &server).await.with_context(|| home.log_tail())?;
    met_all(&server)
}

async fn a_days_work(home: &Home, server: &Server) -> anyhow::Result<()> {
    let operator = Operator { home, server };
    for round in 0..ROUNDS {
        let email = format!("u{round}@example.com");
        let user = operator.json(&["user", "create", "--email", &email], PASSWORD).await?;
        let user = text(&user, "id")?;
        let made = operator.json(&["token", "create", "--owner", &user], "").await?;
        let (id, token) = (text(&made, "id")?, text(&made, "token")?);
        ensure!(is_valid(server, &token).await?, "{id} is not valid");
        let shown = operator.json(&["token", "show", &id], "").await?;
        ensure!(shown["owner"]["id"] == user || shown["owner_id"] == user, "{shown}");
        let next = text(&operator.json(&["token", "rotate", &id], "").await?, "token")?;
        ensure!(!is_valid(server, &token).await?, "{id} is valid after its rotation");
        ensure!(is_valid(server, &next).await?, "the new one of {id} is not valid");
        operator.json(&["user", "suspend", &user], "").await?;
        ensure!(!is_valid(server, &next).await?, "{user} is suspended");
        operator.json(&["user", "resume", &user], "").await?;
        ensure!(is_valid(server, &next).await?, "{user} is resumed");
        let all = ["revoke-all", "--owner", &user, "--yes"];
        operator.json(&all, "").await?;
        ensure!(!is_valid(server, &next).await?, "all of {user} were revoked");
    }
    operator.json(&["audit", "verify"], "").await?;
    operator.json(&["status"], "").await?;
    Ok(())
}

struct Operator<'a> {
    home: &'a Home,
    server: &'a Server,
}

impl Operator<'_> {
    async fn json(&self, arguments: &[&str], input: &str) -> anyhow::Result<Value> {
        let output = self.run(arguments, input).await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {}\n{said}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?}"))
    }

    async fn run(&self, arguments: &[&str], input: &str) -> anyhow::Result<Output> {
        let mut command = self.home.command(arguments)?;
        command.arg("--json");
        command.env("RESCIND_ADMIN_URL", &self.server.facts().admin_url);
        command.env("RESCIND_ADMIN_TOKEN", &self.server.facts().admin_token);
        self.home.run(command, input).await
    }
}

/// As three questions say, each of which may meet another node.
async fn is_valid(server: &Server, token: &str) -> anyhow::Result<bool> {
    let mut verify = Connection::open(server.verify()?).await?;
    let question = Request::post("/v1/verify").json(&json!({"token": token}));
    let mut said = Vec::new();
    for _ in 0..3 {
        said.push(verify.ask(&question).await?.expect_status(200)?.json()?["valid"] == true);
    }
    ensure!(said.windows(2).all(|two| two.first() == two.last()), "{said:?}");
    said.pop().context("nobody was asked")
}

fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    Ok(value[field].as_str().with_context(|| format!("no {field}: {value}"))?.to_owned())
}
