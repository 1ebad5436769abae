//! One schedule of steps, played on real nodes: what clients ask is written down, and judged like
//! any other history.

use super::{Said, Scene};
use anyhow::{Context as _, ensure};
use rescind_e2e::admin::read_bearer;
use rescind_e2e::credential::Bearer;
use rescind_e2e::judge::{Op, Outcome, Verdict, Violation, judge};
use rescind_e2e::link::Link;
use rescind_e2e::nodes::{Nodes, Setup};
use rescind_e2e::postgres::Postgres;
use rescind_e2e::recorder::Recorder;
use rescind_e2e::wire::{Answer, Connection, Request};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// Longer than any lease here.
const REVOKED_WITHIN: Duration = Duration::from_secs(40);

/// A node knows of others once it has read the rows, and dials them.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);

/// Where a missing rule keeps nodes from their work.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Nodes write it down, if only at the end of a lease.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Trial {
    pub(super) scene: Scene,
    pub(super) servers: Servers,
    recorder: Arc<Recorder>,
}

/// Databases. The first is where nodes go first; the others are its standby, and the standby of that,
/// without which the standby could not confirm a write once it has taken over.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) all: Vec<Arc<Postgres>>,
    /// What the standby streams through.
    pub(super) replication: Option<Arc<Link>>,
}

impl Servers {
    pub(super) async fn one() -> anyhow::Result<Self> {
        Ok(Self { all: vec![Arc::new(Postgres::start().await?)], replication: None })
    }

    /// Commits wait for the standby if they are `synchronous`.
    pub(super) async fn chain(synchronous: bool) -> anyhow::Result<Self> {
        let primary = Postgres::start().await?;
        if synchronous {
            primary.wait_for_a_standby()?;
        }
        let replication = Link::to(primary.port()).await?;
        let standby = Postgres::standby_of(replication.port()).await?;
        let second = Postgres::standby_of(standby.port()).await?;
        let all = [primary, standby, second].map(Arc::new).to_vec();
        Ok(Self { all, replication: Some(Arc::new(replication)) })
    }

    pub(super) fn server(&self, number: usize) -> anyhow::Result<&Postgres> {
        Ok(self.all.get(number).context("no such server")?)
    }
}

/// Somebody who knows where the nodes are that are up now.
#[derive(Clone)]
pub(super) struct Client {
    recorder: Arc<Recorder>,
    nodes: Vec<Option<[SocketAddr; 2]>>,
    admin_token: String,
    user: String,
}

/// What is awaited in the background.
pub(super) type Awaited<T> = JoinHandle<anyhow::Result<T>>;

impl Trial {
    pub(super) async fn of(setup: Setup, servers: &Servers) -> anyhow::Result<Self> {
        let scene = Scene::of(Nodes::over(setup, &servers.all).await?).await?;
        Ok(Self { scene, servers: servers.clone(), recorder: Arc::default() })
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let nodes = &self.scene.nodes;
        let addresses = |number| match nodes.node(number)?.server() {
            Ok(server) => anyhow::Ok(Some([server.verify()?, server.admin()?])),
            Err(_) => Ok(None),
        };
        Ok(Client {
            recorder: Arc::clone(&self.recorder),
            nodes: (0..nodes.len()).map(addresses).collect::<Result<_, _>>()?,
            admin_token: nodes.node(0)?.server()?.facts().admin_token.clone(),
            user: self.scene.user.clone(),
        })
    }

    pub(super) fn link(&self, node: usize) -> anyhow::Result<&Link> {
        self.scene.nodes.node(node)?.link()
    }

    /// A new token, made on the first node, that this node has in its memory.
    pub(super) async fn known_on(&self, node: usize) -> anyhow::Result<Bearer> {
        let (client, begun) = (self.client()?, Instant::now());
        loop {
            if let Ok(token) = client.create(0).await
                && client.look(node, &token).await? == Said::Valid
            {
                return Ok(token);
            }
            ensure!(begun.elapsed() < READY_WITHIN, "no token becomes valid");
        }
    }

    /// What is written in the nodes' database on this server, past all nodes.
    pub(super) fn sql(&self, server: usize, question: &str) -> anyhow::Result<String> {
        self.servers.server(server)?.psql(self.scene.nodes.database(), question)
    }

    /// Asks until it is so.
    pub(super) async fn until_sql(
        &self,
        server: usize,
        question: &str,
        so: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let said = self.sql(server, question)?;
            if so(&said) {
                return Ok(());
            }
            ensure!(begun.elapsed() < WRITTEN_WITHIN, "{said:?} is the answer to {question}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Until this node has read the log after a renewal that began later than now. The renewal after
    /// it is written when the log was read.
    pub(super) async fn renewed_on(&self, server: usize, node: usize) -> anyhow::Result<()> {
        let renewals =
            format!("SELECT coalesce(max(renewals), 0) FROM members WHERE node = 'node-{node}'");
        let before: u64 = self.sql(server, &renewals)?.parse()?;
        let twice = |now: &str| now.parse().is_ok_and(|now: u64| now >= before + 2);
        self.until_sql(server, &renewals, twice).await
    }

    /// The ends of all logs, for messages.
    pub(super) fn logs(&self) -> String {
        let nodes = &self.scene.nodes;
        let log = |number| nodes.node(number).map(|node| node.log_tail()).unwrap_or_default();
        (0..nodes.len()).map(|number| format!("node {number}:\n{}", log(number))).collect()
    }

    pub(super) fn verdict(&self) -> anyhow::Result<Verdict> {
        let (history, odd) = self.recorder.finish();
        ensure!(odd.is_empty(), "{odd:?}");
        let mut verdict = judge(&history, 0);
        verdict.violations.retain(|violation| !matches!(violation, Violation::Unwitnessed(_)));
        Ok(verdict)
    }
}

impl Client {
    fn address(&self, node: usize, listener: usize) -> anyhow::Result<SocketAddr> {
        let node = self.nodes.get(node).copied().flatten().context("this node is down")?;
        node.get(listener).copied().context("no such listener")
    }

    pub(super) async fn create(&self, node: usize) -> anyhow::Result<Bearer> {
        let invocation = self.recorder.begin(0, Op::Create).on(u32::try_from(node)?);
        let body = json!({"owner_id": self.user, "kind": "bearer"});
        let answer = self.administer(node, Request::post("/v1/tokens").json(&body)).await?;
        let bearer = read_bearer(&answer.expect_status(201)?)?;
        self.recorder.end(invocation, &bearer.id, Outcome::Accepted);
        Ok(bearer)
    }

    pub(super) async fn look(&self, node: usize, token: &Bearer) -> anyhow::Result<Said> {
        let mut connection = Connection::open(self.address(node, 0)?).await?;
        self.look_on(&mut connection, node, token).await
    }

    pub(super) async fn look_on(
        &self,
        connection: &mut Connection,
        node: usize,
        token: &Bearer,
    ) -> anyhow::Result<Said> {
        let invocation = self.recorder.begin(1, Op::Verify).on(u32::try_from(node)?);
        let said = super::ask(connection, token).await?;
        let outcome = match said {
            Said::Valid => Outcome::Accepted,
            Said::Invalid => Outcome::Refused,
            Said::Nothing => Outcome::Unknown,
        };
        self.recorder.end(invocation, &token.id, outcome);
        Ok(said)
    }

    /// To the listener that verifies.
    pub(super) async fn connect(&self, node: usize) -> anyhow::Result<Connection> {
        Connection::open(self.address(node, 0)?).await
    }

    /// One look after the other.
    pub(super) async fn watch(
        &self,
        node: usize,
        token: &Bearer,
        time: Duration,
    ) -> anyhow::Result<()> {
        let (mut connection, begun) = (self.connect(node).await?, Instant::now());
        while begun.elapsed() < time {
            self.look_on(&mut connection, node, token).await?;
        }
        Ok(())
    }

    /// The answer, if it was a success.
    pub(super) async fn revoke(
        &self,
        node: usize,
        token: &Bearer,
    ) -> anyhow::Result<Option<Value>> {
        let invocation = self.recorder.begin(2, Op::Settle).on(u32::try_from(node)?);
        let revoke = Request::post(&format!("/v1/tokens/{}/revoke", token.id)).json(&json!({}));
        let answered = self.administer(node, revoke).await;
        let answered = answered.ok().filter(|answer| answer.status == 200);
        let outcome = if answered.is_some() { Outcome::Accepted } else { Outcome::Unknown };
        self.recorder.end(invocation, &token.id, outcome);
        answered.map(|answer| answer.json()).transpose()
    }

    /// Asks again while there is none.
    pub(super) async fn revoke_at_last(
        &self,
        node: usize,
        token: &Bearer,
    ) -> anyhow::Result<Value> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = self.revoke(node, token).await? {
                return Ok(answer);
            }
            ensure!(begun.elapsed() < REVOKED_WITHIN, "no revocation is answered");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The same, in the background.
    pub(super) fn revoking(&self, node: usize, token: &Bearer) -> Awaited<Option<Value>> {
        let (client, token) = (self.clone(), token.clone());
        tokio::spawn(async move { client.revoke(node, &token).await })
    }

    /// Until each node says directly to all others what it commits and applies.
    pub(super) async fn all_are_connected(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let up = |node: &usize| self.nodes.get(*node).is_some_and(Option::is_some);
        let up: Vec<_> = (0..self.nodes.len()).filter(up).collect();
        for &node in &up {
            loop {
                let answer = self.administer(node, Request::get("/v1/cluster")).await?;
                let direct = answer.json()?["direct"].clone();
                let counts = ["others", "rung", "hearing"].map(|count| direct[count].as_u64());
                if counts.iter().all(|count| *count == Some(up.len() as u64 - 1)) {
                    break;
                }
                ensure!(begun.elapsed() < CONNECTED_WITHIN, "{direct}");
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    async fn administer(&self, node: usize, request: Request) -> anyhow::Result<Answer> {
        let mut connection = Connection::open(self.address(node, 1)?).await?;
        let authorization = format!("Bearer {}", self.admin_token);
        connection.send(&request.header("Authorization", &authorization).bytes()).await?;
        connection.answer_to("POST", REVOKED_WITHIN).await
    }
}
