//! A node that has run out of something: of file descriptors, of processor time to hash passwords
//! with, of small revocations.

use super::trial::{Servers, Trial};
use super::{Said, ask};
use anyhow::{Context as _, ensure};
use rescind_e2e::credential::Bearer;
use rescind_e2e::nodes::Setup;
use rescind_e2e::wire::{Connection, Request};
use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(2);
const THREE: Setup = Setup::of(3, "2s");
const WAITED_OUT: Duration = Duration::from_millis(2_000 + 10 + 250 + 1_000);

/// Its connections to the database are cut when it cannot make new ones, since all that it may open
/// is taken by clients who do nothing. It is sealed then, and no one is told otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_without_file_descriptors_keeps_its_lease_or_is_sealed() -> anyhow::Result<()> {
    const OPEN_MAX: u64 = 96;
    let trial = Trial::of(THREE, &Servers::one().await?).await?;
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let good = trial.known_on(2).await?;
    let (mut open, node) = (client.connect(2).await?, trial.scene.nodes.node(2)?);
    client.look_on(&mut open, 2, &good).await?;
    let few = Rlimit { current: Some(OPEN_MAX), maximum: Some(OPEN_MAX) };
    prlimit(Some(node.process()?), Resource::Nofile, few)?;
    let mut idle = Vec::new();
    for _ in 0..2 * OPEN_MAX {
        idle.push(client.connect(2).await?);
    }
    // It goes on with the connections that it has.
    let begun = Instant::now();
    while begun.elapsed() < 2 * LEASE {
        ensure!(client.look_on(&mut open, 2, &good).await? == Said::Valid);
        sleep(Duration::from_millis(20)).await;
    }
    node.link()?.reset();
    let begun = Instant::now();
    client.revoke(0, &token).await?.context("not revoked")?;
    ensure!(begun.elapsed() <= WAITED_OUT, "{:?}", begun.elapsed());
    while begun.elapsed() < 2 * LEASE {
        ensure!(client.look_on(&mut open, 2, &token).await? != Said::Valid);
        ensure!(client.look_on(&mut open, 2, &good).await? != Said::Invalid);
        sleep(Duration::from_millis(20)).await;
    }
    drop(idle);
    let begun = Instant::now();
    while client.look_on(&mut open, 2, &good).await? != Said::Valid {
        ensure!(begun.elapsed() < Duration::from_secs(10), "{}", node.log_tail());
        sleep(Duration::from_millis(50)).await;
    }
    ensure!(client.look_on(&mut open, 2, &token).await? == Said::Invalid);
    let verdict = trial.verdict()?;
    ensure!(verdict.violations.is_empty(), "{verdict}");
    Ok(())
}

/// Passwords are hashed on all nodes as fast as they come, and as many tokens as an owner may have are
/// taken back in one write, while others are verified.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: just nodes"]
async fn logins_and_a_mass_revocation_hold_up_no_renewal() -> anyhow::Result<()> {
    const MANY: usize = 10_000;
    const AT_ONCE: usize = 40;
    let trial = Trial::of(THREE, &Servers::one().await?).await?;
    let client = trial.client()?;
    let mut many = Vec::new();
    for _ in 0..MANY / AT_ONCE {
        let some: JoinSet<_> = (0..AT_ONCE).map(|_| client.clone()).map(create).collect();
        many.extend(some.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    let known = many.get(..30).context("few tokens")?.to_vec();
    for token in &known {
        for node in 0..3 {
            ensure!(client.look(node, token).await? == Said::Valid);
        }
    }
    let mut flood = JoinSet::new();
    for (_, server) in trial.scene.nodes.servers() {
        for _ in 0..8 {
            flood.spawn(log_in_for_ever(server.public()?));
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < 2 * LEASE {
        for node in 0..3 {
            let token = known.first().context("no token")?;
            ensure!(client.look(node, token).await? == Said::Valid, "on node {node}");
        }
    }
    let mut connections = Vec::new();
    for node in 0..3 {
        connections.push(client.connect(node).await?);
    }
    let set = Request::post("/v1/revocations").json(&json!({"owner_id": trial.scene.user}));
    let begun = Instant::now();
    let answer = trial.scene.change(1, set).await?;
    ensure!(answer["acknowledged"] == 3, "{answer}");
    println!("{} tokens were revoked at once in {:?}", many.len(), begun.elapsed());
    for connection in &mut connections {
        for token in &known {
            ensure!(ask(connection, token).await? == Said::Invalid, "{}", token.id);
        }
    }
    flood.abort_all();
    Ok(())
}

async fn create(client: super::trial::Client) -> anyhow::Result<Bearer> {
    client.create(0).await
}

async fn log_in_for_ever(public: std::net::SocketAddr) {
    let log_in = Request::post("/auth/token")
        .json(&json!({"email": "ada@example.com", "password": "wrong horse"}));
    loop {
        if let Ok(mut connection) = Connection::open(public).await {
            let _ = connection.ask(&log_in).await;
        }
    }
}
