//! Clients that never stop: some verify on each node, others make tokens on one node, have another
//! take them back, and look on every node what has become of them.

use super::{Said, Scene, ask};
use anyhow::Context as _;
use rand::RngExt as _;
use rescind_e2e::admin::{Admin, read_bearer};
use rescind_e2e::credential::Bearer;
use rescind_e2e::judge::{Op, Outcome};
use rescind_e2e::recorder::Recorder;
use rescind_e2e::wire::{Answer, Connection, PATIENCE, Request};
use serde_json::json;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

const VERIFIERS_PER_NODE: u32 = 2;
/// Tokens of each writer that are looked at by all.
const WATCHED: usize = 12;
/// Whose tokens one user owns. All that an owner ever had make a new one slower, until PostgreSQL has
/// cleaned up; and it forgets to when it is killed every other minute.
const WRITERS_PER_USER: u32 = 16;
/// Of so many tokens one stays valid. An owner may have 10,000.
const REVOKED_OF: u32 = 50;
/// A token of one among few writers, at most, before it is taken back.
const USED_FOR_MILLIS: u64 = 60;
/// Two looks of one verifier. Without it they would take the machine from those who write.
const BETWEEN: Duration = Duration::from_millis(2);
/// What a writer waits for: others go on meanwhile, and more is revoked. A verifier waits as long as
/// it takes, since a node that has stood still answers when it wakes.
const LOOK_WITHIN: Duration = Duration::from_secs(1);
const CREATED_WITHIN: Duration = Duration::from_secs(3);
/// A lease with its margins, and some.
const REVOKED_WITHIN: Duration = Duration::from_secs(3);
/// After an answer that was none.
const PAUSE: Duration = Duration::from_millis(20);

/// What clients know.
pub(super) struct Load {
    pub(super) recorder: Recorder,
    watched: Mutex<VecDeque<Bearer>>,
    nodes: Mutex<Vec<Addresses>>,
    /// Who owns what they make.
    users: Vec<String>,
    admin_token: String,
    writers: u32,
    stop: AtomicBool,
}

#[derive(Clone, Copy)]
struct Addresses {
    verify: SocketAddr,
    admin: SocketAddr,
}

/// One client's connections, kept for as long as they are of use; two to each node.
struct Hands {
    client: u32,
    verify: Vec<Option<Connection>>,
    admin: Vec<Option<Admin>>,
}

impl Load {
    pub(super) async fn new(scene: &Scene, writers: u32) -> anyhow::Result<Self> {
        let (mut admin, mut users) = (scene.nodes.admin(0).await?, vec![scene.user.clone()]);
        for number in 1..writers.div_ceil(WRITERS_PER_USER) {
            let email = format!("writer-{number}@example.com");
            users.push(admin.create_user(&email, "correct horse").await?);
        }
        let load = Self {
            recorder: Recorder::default(),
            watched: Mutex::default(),
            nodes: Mutex::default(),
            users,
            admin_token: scene.nodes.node(0)?.server()?.facts().admin_token.clone(),
            writers,
            stop: AtomicBool::new(false),
        };
        load.moved(scene)?;
        Ok(load)
    }

    /// A node that starts again has other ports.
    pub(super) fn moved(&self, scene: &Scene) -> anyhow::Result<()> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        *nodes = scene
            .nodes
            .servers()
            .map(|(_, server)| Ok(Addresses { verify: server.verify()?, admin: server.admin()? }))
            .collect::<anyhow::Result<_>>()?;
        Ok(())
    }

    pub(super) fn start(self: &Arc<Self>) -> JoinSet<anyhow::Result<()>> {
        let mut clients = JoinSet::new();
        for node in 0..self.nodes() {
            for number in 0..VERIFIERS_PER_NODE {
                let load = Arc::clone(self);
                let client = self.writers + 10 * node + number;
                clients.spawn(async move { load.verify(client, node).await });
            }
        }
        for client in 0..self.writers {
            let load = Arc::clone(self);
            clients.spawn(async move { load.write(client).await });
        }
        clients
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What every node says of the tokens that are still watched, when all is well again.
    pub(super) async fn sweep(&self) -> anyhow::Result<()> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut hands = self.hands(0);
        for token in &watched {
            self.look_everywhere(&mut hands, token).await?;
        }
        Ok(())
    }

    fn hands(&self, client: u32) -> Hands {
        let (verify, admin) = (0..self.nodes()).map(|_| (None, None)).unzip();
        Hands { client, verify, admin }
    }

    fn nodes(&self) -> u32 {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(nodes.len()).unwrap_or_default()
    }

    fn addresses(&self, node: u32) -> anyhow::Result<Addresses> {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.get(node as usize).copied().context("no such node")
    }

    fn any_node(&self) -> u32 {
        rand::random_range(0..self.nodes())
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn any_watched(&self) -> Option<Bearer> {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let number = rand::rng().random_range(0..watched.len().max(1));
        watched.get(number).cloned()
    }

    /// Many writers have many revocations under way when something is wrong. When nothing is, they
    /// would do nothing but take the machine from one another, so each of them is slower then.
    fn used_for(&self) -> Duration {
        let most = (2 * u64::from(self.writers)).max(USED_FOR_MILLIS);
        Duration::from_millis(rand::random_range(0..most))
    }

    fn watch(&self, bearer: Bearer) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push_back(bearer);
        if watched.len() > WATCHED * self.writers as usize {
            watched.pop_front();
        }
    }

    /// Asks one node about one token after another, for as long as it is let.
    async fn verify(&self, client: u32, node: u32) -> anyhow::Result<()> {
        let mut hands = self.hands(client);
        while self.goes_on() {
            tokio::time::sleep(BETWEEN).await;
            match self.any_watched() {
                Some(token) => self.look(&mut hands, node, &token, PATIENCE).await?,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        Ok(())
    }

    async fn look(
        &self,
        hands: &mut Hands,
        node: u32,
        token: &Bearer,
        within: Duration,
    ) -> anyhow::Result<()> {
        let address = self.addresses(node)?.verify;
        let place = hands.verify.get_mut(node as usize).context("no such node")?;
        let invocation = self.recorder.begin(hands.client, Op::Verify).on(node);
        let said = async {
            let mut open = match place.take() {
                Some(open) => open,
                None => Connection::open(address).await?,
            };
            let said = ask(&mut open, token).await?;
            *place = Some(open);
            anyhow::Ok(said)
        };
        let outcome = match timeout(within, said).await {
            Ok(Ok(Said::Valid)) => Outcome::Accepted,
            Ok(Ok(Said::Invalid)) => Outcome::Refused,
            // Or the node went down.
            Ok(Ok(Said::Nothing) | Err(_)) | Err(_) => Outcome::Unknown,
        };
        self.recorder.end(invocation, &token.id, outcome);
        if outcome == Outcome::Unknown {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn look_everywhere(&self, hands: &mut Hands, token: &Bearer) -> anyhow::Result<()> {
        let mut nodes: Vec<_> = (0..self.nodes()).collect();
        // In any order.
        nodes.rotate_left(self.any_node() as usize);
        for node in nodes {
            self.look(hands, node, token, LOOK_WITHIN).await?;
        }
        Ok(())
    }

    /// Makes tokens on one node, and has another take most of them back, until it says so.
    async fn write(&self, client: u32) -> anyhow::Result<()> {
        let mut hands = self.hands(client);
        while self.goes_on() {
            let Some(token) = self.create(&mut hands).await? else { continue };
            // On whatever node, in the next millisecond.
            self.look(&mut hands, self.any_node(), &token, LOOK_WITHIN).await?;
            self.watch(token.clone());
            tokio::time::sleep(self.used_for()).await;
            if rand::random_range(0..REVOKED_OF) == 0 {
                continue;
            }
            while self.goes_on() && !self.revoke(&mut hands, &token).await? {}
            self.look_everywhere(&mut hands, &token).await?;
        }
        Ok(())
    }

    async fn create(&self, hands: &mut Hands) -> anyhow::Result<Option<Bearer>> {
        let node = self.any_node();
        let invocation = self.recorder.begin(hands.client, Op::Create).on(node);
        let user = self.users.get((hands.client / WRITERS_PER_USER) as usize).context("no user")?;
        let body = json!({"owner_id": user, "kind": "bearer"});
        let create = self.administer(hands, node, Request::post("/v1/tokens").json(&body));
        match timeout(CREATED_WITHIN, create).await {
            Ok(Ok(answer)) if answer.status == 201 => {
                let bearer = read_bearer(&answer)?;
                self.recorder.end(invocation, &bearer.id, Outcome::Accepted);
                Ok(Some(bearer))
            }
            // Whoever was not answered does not know its name.
            _ => {
                tokio::time::sleep(PAUSE).await;
                Ok(None)
            }
        }
    }

    async fn revoke(&self, hands: &mut Hands, token: &Bearer) -> anyhow::Result<bool> {
        let node = self.any_node();
        let invocation = self.recorder.begin(hands.client, Op::Settle).on(node);
        let revoke = Request::post(&format!("/v1/tokens/{}/revoke", token.id)).json(&json!({}));
        let answered = timeout(REVOKED_WITHIN, self.administer(hands, node, revoke)).await;
        let outcome = match &answered {
            Ok(Ok(answer)) if answer.status == 200 => Outcome::Accepted,
            Ok(Ok(answer)) if answer.status != 503 => {
                self.recorder.odd(answer.text());
                Outcome::Unknown
            }
            _ => Outcome::Unknown,
        };
        self.recorder.end(invocation, &token.id, outcome);
        if outcome == Outcome::Unknown {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(outcome == Outcome::Accepted)
    }

    async fn administer(
        &self,
        hands: &mut Hands,
        node: u32,
        request: Request,
    ) -> anyhow::Result<Answer> {
        let address = self.addresses(node)?.admin;
        let place = hands.admin.get_mut(node as usize).context("no such node")?;
        let mut admin = match place.take() {
            Some(admin) => admin,
            None => Admin::at(address, &self.admin_token).await?,
        };
        let answer = admin.ask(request).await?;
        *place = Some(admin);
        Ok(answer)
    }
}
