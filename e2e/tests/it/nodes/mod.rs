//! Three nodes over one PostgreSQL: what one of them has answered holds on all of them.

mod ablations;
mod chaos;
mod clocks;
mod doctor;
mod epochs;
mod exhaustion;
mod failover;
mod faults;
mod load;
mod metrics;
mod nemesis;
mod newcomers;
mod partition;
mod patience;
mod poolers;
mod rounds;
mod trial;
mod ways;

use anyhow::ensure;
use rescind_e2e::admin::{Admin, text};
use rescind_e2e::credential::Bearer;
use rescind_e2e::nodes::{Nodes, Setup};
use rescind_e2e::wire::{Connection, Request};
use serde_json::{Value, json};
use std::time::Duration;

const THREE: Setup = Setup::of(3, "3s");
/// With leases that a restart of PostgreSQL on a busy machine fits into.
const PATIENT: Setup = Setup::of(3, "30s");
const ROUNDS: usize = 20;

/// What one node says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Valid,
    Invalid,
    /// Neither: it has no lease.
    Nothing,
}

/// Nodes with one user, and a connection to each one's verify listener.
pub(super) struct Scene {
    pub(super) nodes: Nodes,
    pub(super) user: String,
}

impl Scene {
    pub(super) async fn start() -> anyhow::Result<Self> {
        Self::with(THREE).await
    }

    pub(super) async fn with(setup: Setup) -> anyhow::Result<Self> {
        Self::of(Nodes::start(setup).await?).await
    }

    pub(super) async fn of(nodes: Nodes) -> anyhow::Result<Self> {
        let user = nodes.admin(0).await?.create_user("ada@example.com", "correct horse").await?;
        Ok(Self { nodes, user })
    }

    pub(super) async fn create(&self, node: usize) -> anyhow::Result<Bearer> {
        self.nodes.admin(node).await?.create_bearer(&self.user).await
    }

    pub(super) async fn revoke(&self, node: usize, token: &Bearer) -> anyhow::Result<Value> {
        let answer = self.nodes.admin(node).await?.revoke(&token.id).await?;
        answer.expect_status(200)?.json()
    }

    /// What each node that is up says, asked one after the other.
    pub(super) async fn said(&self, token: &Bearer) -> anyhow::Result<Vec<Said>> {
        let mut said = Vec::new();
        for (_, server) in self.nodes.servers() {
            said.push(ask(&mut Connection::open(server.verify()?).await?, token).await?);
        }
        Ok(said)
    }

    pub(super) async fn all_say(&self, token: &Bearer, expected: Said) -> anyhow::Result<()> {
        let said = self.said(token).await?;
        ensure!(said.iter().all(|one| *one == expected), "{said:?} of {}", token.id);
        Ok(())
    }

    /// Does something as an operator, on one node.
    pub(super) async fn change(&self, node: usize, request: Request) -> anyhow::Result<Value> {
        self.nodes.admin(node).await?.ask(request).await?.expect_status(200)?.json()
    }
}

pub(super) async fn ask(connection: &mut Connection, token: &Bearer) -> anyhow::Result<Said> {
    let answer =
        connection.ask(&Request::post("/v1/verify").json(&json!({"token": token.text}))).await?;
    if answer.status == 503 {
        return Ok(Said::Nothing);
    }
    let valid = answer.expect_status(200)?.json()?["valid"] == true;
    Ok(if valid { Said::Valid } else { Said::Invalid })
}

#[tokio::test]
async fn token_of_one_node_works_on_all_and_its_revocation_holds_on_all() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    for round in 0..ROUNDS {
        let token = scene.create(round % 3).await?;
        scene.all_say(&token, Said::Valid).await?;
        let answer = scene.revoke((round + 1) % 3, &token).await?;
        scene.all_say(&token, Said::Invalid).await?;
        ensure!(answer["acknowledged"] == 3 && answer["waited_out"] == 0, "{answer}");
        let again = scene.revoke((round + 2) % 3, &token).await?;
        ensure!(again["already_revoked"] == true, "{again}");
    }
    Ok(())
}

/// Each goes through the same log.
#[tokio::test]
async fn whatever_takes_power_away_holds_on_all() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let token = scene.create(0).await?;
    scene.all_say(&token, Said::Valid).await?;
    let user = format!("/v1/users/{}", scene.user);
    scene.change(1, Request::post(&format!("{user}/suspend")).json(&json!({}))).await?;
    scene.all_say(&token, Said::Invalid).await?;
    scene.change(2, Request::post(&format!("{user}/resume")).json(&json!({}))).await?;
    scene.all_say(&token, Said::Valid).await?;
    let set = json!({"owner_id": scene.user});
    scene.change(1, Request::post("/v1/revocations").json(&set)).await?;
    scene.all_say(&token, Said::Invalid).await?;
    let later = scene.create(2).await?;
    scene.all_say(&later, Said::Valid).await
}

/// A node that was away has missed everything, and knows all of it when it is back.
#[tokio::test]
async fn node_that_starts_later_knows_what_was_revoked_before() -> anyhow::Result<()> {
    let mut scene = Scene::start().await?;
    let (kept, revoked) = (scene.create(0).await?, scene.create(0).await?);
    scene.all_say(&revoked, Said::Valid).await?;
    scene.nodes.node_mut(2)?.stop().await?;
    let begun = tokio::time::Instant::now();
    scene.revoke(1, &revoked).await?;
    ensure!(begun.elapsed() < Duration::from_secs(1), "a node that left is not waited for");
    scene.nodes.node_mut(2)?.start().await?;
    scene.all_say(&revoked, Said::Invalid).await?;
    scene.all_say(&kept, Said::Valid).await
}

/// By the contract that the token belongs to, with the facts in a header.
#[tokio::test]
async fn contract_answers_as_documented_and_says_what_was_achieved() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let token = scene.create(0).await?;
    let server = scene.nodes.node(1)?.server()?;
    let answer = server.connect().await?.ask(&token.show(Request::delete("/auth/token"))).await?;
    let answer = answer.expect_status(200)?;
    ensure!(answer.body == br#"{"message":"Token revoked successfully"}"#, "{}", answer.text());
    let achieved = answer.header("x-rescind-revocation").unwrap_or_default();
    ensure!(achieved.contains("acknowledged=3"), "{achieved:?}");
    scene.all_say(&token, Said::Invalid).await
}

#[tokio::test]
async fn operator_sees_every_node() -> anyhow::Result<()> {
    let scene = Scene::start().await?;
    let mut admin: Admin = scene.nodes.admin(0).await?;
    let cluster = admin.ask(Request::get("/v1/cluster")).await?.expect_status(200)?.json()?;
    let nodes = cluster["nodes"].as_array().cloned().unwrap_or_default();
    let mut names = nodes.iter().map(|node| text(node, "node")).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    ensure!(names == ["node-0", "node-1", "node-2"], "{cluster}");
    Ok(())
}
