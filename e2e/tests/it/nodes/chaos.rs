//! Clients that never stop, on all nodes, while nodes and the database are paused, killed and
//! started again. Afterwards a judge reads what the clients saw.
//!
//! Nothing is asserted while it runs, and nothing is looked up in the nodes: what counts is what
//! clients were told, and when.

use super::{Said, Scene, ask};
use anyhow::{Context as _, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use rescind_e2e::admin::{Admin, read_bearer};
use rescind_e2e::clock::monotonic_ns;
use rescind_e2e::credential::Bearer;
use rescind_e2e::judge::{Op, Operation, Outcome, Verdict, Violation, judge};
use rescind_e2e::nodes::Setup;
use rescind_e2e::recorder::Recorder;
use rescind_e2e::wire::{Connection, Request};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_secs(2);
const SHORT_LEASES: Setup = Setup { nodes: 3, lease: "2s", ablated: None };
/// Unless `CHAOS_SECONDS` says otherwise.
const SECONDS: u64 = 20;
const VERIFIERS_PER_NODE: u32 = 2;
const WRITERS: u32 = 4;
/// Tokens that are still looked at: a late accept comes soon or not at all.
const WATCHED: usize = 48;
/// After the end of a fault everybody has a lease again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(3);

/// What clients know.
struct Load {
    recorder: Recorder,
    watched: Mutex<VecDeque<Bearer>>,
    nodes: Mutex<Vec<Addresses>>,
    user: String,
    admin_token: String,
    stop: AtomicBool,
}

#[derive(Clone, Copy)]
struct Addresses {
    verify: SocketAddr,
    admin: SocketAddr,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_accepts_a_token_after_any_node_has_answered_its_revocation() -> anyhow::Result<()>
{
    let seconds = match std::env::var("CHAOS_SECONDS") {
        Ok(seconds) => seconds.parse().context("CHAOS_SECONDS is not a number")?,
        Err(_) => SECONDS,
    };
    let ablated = match std::env::var("CHAOS_ABLATED") {
        Ok(rules) => Some(&*rules.leak()),
        Err(_) => None,
    };
    let seen = run(Setup { ablated, ..SHORT_LEASES }, seconds).await?;
    let verdict = &seen.verdict;
    ensure!(seen.odd.is_empty(), "{:?}", seen.odd);
    ensure!(verdict.violations.is_empty(), "{verdict}");
    ensure!(seen.unavailable.is_empty(), "without a fault: {:?}", seen.unavailable);
    let least = usize::try_from(seconds)? * 2;
    ensure!(verdict.revoked > least && verdict.accepted > least, "too little load: {verdict}");
    Ok(())
}

/// A test that finds nothing wrong in a broken build is no test. Here nobody waits for anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_whose_revocations_wait_for_nobody_is_found_out() -> anyhow::Result<()> {
    let setup = Setup { ablated: Some("revoker-waits"), ..SHORT_LEASES };
    let seen = run(setup, SECONDS / 2).await?;
    let late = |violation: &Violation| matches!(violation, Violation::LateAccept(_));
    ensure!(seen.verdict.violations.iter().any(late), "{}", seen.verdict);
    Ok(())
}

/// What the clients saw.
struct Seen {
    verdict: Verdict,
    odd: Vec<String>,
    unavailable: Vec<Operation>,
}

async fn run(setup: Setup, seconds: u64) -> anyhow::Result<Seen> {
    let mut rng = seeded()?;
    let mut scene = Scene::with(setup).await?;
    let load = Arc::new(Load::new(&scene)?);
    let mut clients = load.start();
    let (mut faults, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..700))).await;
        let from = monotonic_ns();
        let what = fault(&mut scene, &load, &mut rng).await?;
        faults.push((from, monotonic_ns() + nanos(LEASE + RECOVERED_WITHIN)));
        println!("{:>6.1} s  {what}", begun.elapsed().as_secs_f32());
        tokio::time::sleep(LEASE / 2).await;
    }
    tokio::time::sleep(LEASE + RECOVERED_WITHIN).await;
    load.stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    load.sweep().await?;
    let (history, odd) = load.recorder.finish();
    let mut verdict = judge(&history, 0);
    // Whoever looked for it was not answered, and then it was not watched any more.
    verdict.violations.retain(|violation| !matches!(violation, Violation::Unwitnessed(_)));
    println!("{} faults; {verdict}", faults.len());
    let unavailable = unavailable(&history, &faults).into_iter().cloned().collect();
    Ok(Seen { verdict, odd, unavailable })
}

/// The seed is printed, and can be given again.
fn seeded() -> anyhow::Result<StdRng> {
    let seed = match std::env::var("RESCIND_E2E_SEED") {
        Ok(seed) => seed.parse().context("RESCIND_E2E_SEED is not a number")?,
        Err(_) => rand::random(),
    };
    println!("RESCIND_E2E_SEED={seed}");
    Ok(StdRng::seed_from_u64(seed))
}

/// Does one, and undoes it.
async fn fault(scene: &mut Scene, load: &Load, rng: &mut StdRng) -> anyhow::Result<String> {
    let node = rng.random_range(0..scene.nodes.len());
    let pause = Duration::from_millis(rng.random_range(50..2 * LEASE.as_millis() as u64));
    match rng.random_range(0..8) {
        0..4 => {
            signal(scene, node, Signal::STOP)?;
            tokio::time::sleep(pause).await;
            signal(scene, node, Signal::CONT)?;
            Ok(format!("node {node} stood still for {pause:?}"))
        }
        4 | 5 => {
            scene.nodes.node_mut(node)?.kill().await?;
            tokio::time::sleep(pause / 4).await;
            scene.nodes.node_mut(node)?.start().await?;
            load.moved(scene)?;
            Ok(format!("node {node} was killed and started again"))
        }
        6 => {
            scene.nodes.postgres.pause()?;
            tokio::time::sleep(pause).await;
            scene.nodes.postgres.unpause()?;
            Ok(format!("PostgreSQL stood still for {pause:?}"))
        }
        _ => {
            scene.nodes.postgres.kill()?;
            scene.nodes.postgres.resume_service().await?;
            Ok("PostgreSQL was killed and started again".into())
        }
    }
}

fn signal(scene: &Scene, node: usize, what: Signal) -> anyhow::Result<()> {
    let id = i32::try_from(scene.nodes.node(node)?.server()?.id()?)?;
    Ok(kill_process(Pid::from_raw(id).context("no process id")?, what)?)
}

/// Verifications that were neither yes nor no, and began when nothing was wrong.
fn unavailable<'a>(history: &'a [Operation], faults: &[(u64, u64)]) -> Vec<&'a Operation> {
    let during = |op: &Operation| {
        faults.iter().any(|(from, until)| op.return_ns >= *from && op.invoke_ns <= *until)
    };
    let unknown = |op: &&Operation| op.op == Op::Verify && op.outcome == Outcome::Unknown;
    history.iter().filter(unknown).filter(|op| !during(op)).collect()
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

impl Load {
    fn new(scene: &Scene) -> anyhow::Result<Self> {
        let load = Self {
            recorder: Recorder::default(),
            watched: Mutex::default(),
            nodes: Mutex::default(),
            user: scene.user.clone(),
            admin_token: scene.nodes.node(0)?.server()?.facts().admin_token.clone(),
            stop: AtomicBool::new(false),
        };
        load.moved(scene)?;
        Ok(load)
    }

    /// A node that starts again has other ports.
    fn moved(&self, scene: &Scene) -> anyhow::Result<()> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        *nodes = scene
            .nodes
            .servers()
            .map(|(_, server)| Ok(Addresses { verify: server.verify()?, admin: server.admin()? }))
            .collect::<anyhow::Result<_>>()?;
        Ok(())
    }

    fn start(self: &Arc<Self>) -> JoinSet<anyhow::Result<()>> {
        let mut clients = JoinSet::new();
        let nodes = u32::try_from(self.addresses().len()).unwrap_or_default();
        for node in 0..nodes {
            for number in 0..VERIFIERS_PER_NODE {
                let (load, client) = (Arc::clone(self), 100 * (node + 1) + number);
                clients.spawn(async move { load.verify(client, node).await });
            }
        }
        for client in 0..WRITERS {
            let load = Arc::clone(self);
            clients.spawn(async move { load.write(client).await });
        }
        clients
    }

    fn addresses(&self) -> Vec<Addresses> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn any_watched(&self) -> Option<Bearer> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let watched: Vec<_> = watched.iter().collect();
        watched.choose(&mut rand::rng()).map(|bearer| (*bearer).clone())
    }

    fn watch(&self, bearer: Bearer) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push_back(bearer);
        if watched.len() > WATCHED {
            watched.pop_front();
        }
    }

    /// Asks one node about one token after another, for as long as it is let.
    async fn verify(&self, client: u32, node: u32) -> anyhow::Result<()> {
        let mut connection = None;
        while self.goes_on() {
            let Some(token) = self.any_watched() else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            self.look(client, node, &mut connection, &token).await?;
        }
        Ok(())
    }

    async fn look(
        &self,
        client: u32,
        node: u32,
        connection: &mut Option<Connection>,
        token: &Bearer,
    ) -> anyhow::Result<()> {
        let address = *self.addresses().get(node as usize).context("no such node")?;
        let invocation = self.recorder.begin(client, Op::Verify).on(node);
        let said = match connection.take() {
            Some(mut open) => ask(&mut open, token).await.map(|said| (said, open)),
            None => match Connection::open(address.verify).await {
                Ok(mut open) => ask(&mut open, token).await.map(|said| (said, open)),
                Err(error) => Err(error),
            },
        };
        let outcome = match said {
            Ok((said, open)) => {
                *connection = Some(open);
                match said {
                    Said::Valid => Outcome::Accepted,
                    Said::Invalid => Outcome::Refused,
                    Said::Nothing => Outcome::Unknown,
                }
            }
            // The node went down.
            Err(_) => Outcome::Unknown,
        };
        self.recorder.end(invocation, &token.id, outcome);
        if outcome == Outcome::Unknown {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Makes tokens on one node, and has another take most of them back, until it says so.
    async fn write(&self, client: u32) -> anyhow::Result<()> {
        while self.goes_on() {
            let Some(token) = self.create(client).await? else { continue };
            // On whatever node, in the next millisecond.
            self.look(client, self.any_node(), &mut None, &token).await?;
            self.watch(token.clone());
            let used_for = rand::random_range(0..60);
            tokio::time::sleep(Duration::from_millis(used_for)).await;
            if rand::random_range(0..10) > 0 {
                while self.goes_on() && !self.revoke(client, &token).await? {}
            }
        }
        Ok(())
    }

    async fn create(&self, client: u32) -> anyhow::Result<Option<Bearer>> {
        let node = self.any_node();
        let invocation = self.recorder.begin(client, Op::Create).on(node);
        let body = json!({"owner_id": self.user, "kind": "bearer"});
        match self.administer(node, Request::post("/v1/tokens").json(&body)).await {
            Ok(answer) if answer.status == 201 => {
                let bearer = read_bearer(&answer)?;
                self.recorder.end(invocation, &bearer.id, Outcome::Accepted);
                Ok(Some(bearer))
            }
            // Whoever was not answered does not know its name.
            _ => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(None)
            }
        }
    }

    async fn revoke(&self, client: u32, token: &Bearer) -> anyhow::Result<bool> {
        let node = self.any_node();
        let invocation = self.recorder.begin(client, Op::Settle).on(node);
        let revoke = Request::post(&format!("/v1/tokens/{}/revoke", token.id)).json(&json!({}));
        let answered = self.administer(node, revoke).await;
        let outcome = match &answered {
            Ok(answer) if answer.status == 200 => Outcome::Accepted,
            Ok(answer) if answer.status != 503 => {
                self.recorder.odd(answer.text());
                Outcome::Unknown
            }
            _ => Outcome::Unknown,
        };
        self.recorder.end(invocation, &token.id, outcome);
        Ok(outcome == Outcome::Accepted)
    }

    async fn administer(
        &self,
        node: u32,
        request: Request,
    ) -> anyhow::Result<rescind_e2e::wire::Answer> {
        let address = *self.addresses().get(node as usize).context("no such node")?;
        Admin::at(address.admin, &self.admin_token).await?.ask(request).await
    }

    fn any_node(&self) -> u32 {
        rand::random_range(0..self.addresses().len() as u32)
    }

    /// What every node says of the tokens that are still watched, when all is well again.
    async fn sweep(&self) -> anyhow::Result<()> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for node in 0..self.addresses().len() as u32 {
            let mut connection = None;
            for token in &watched {
                self.look(0, node, &mut connection, token).await?;
            }
        }
        Ok(())
    }
}
