//! Clients that create, use and revoke until the server dies under them.

use super::Pool;
use anyhow::Context as _;
use rand::{RngExt as _, seq::IteratorRandom as _};
use rescind_e2e::admin::{Admin, read_bearer};
use rescind_e2e::credential::{Credential, Signer};
use rescind_e2e::judge::{Op, Outcome};
use rescind_e2e::recorder::Recorder;
use rescind_e2e::server::Server;
use rescind_e2e::wire::{Answer, Connection, Request};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// Enough that several writes wait for one commit.
const CLIENTS: u32 = 6;

/// Clients of the final sweep.
const SWEEPERS: usize = 4;

pub(super) struct Load {
    pub(super) recorder: Recorder,
    /// Every token that was ever answered, alive or not.
    pool: Mutex<Pool>,
    owner: String,
    identity: String,
    /// Revokes others and is never revoked.
    steward: Signer,
}

impl Load {
    pub(super) async fn new(server: &Server) -> anyhow::Result<Self> {
        let identity = server.facts().identity_token.clone();
        let answer = server.connect().await?.ask(&derive_request(&identity)).await?;
        let steward = Signer::read(&answer.expect_status(201)?)?;
        let owner = Admin::connect(server).await?.user_id(&server.facts().email).await?;
        Ok(Self { recorder: Recorder::default(), pool: Mutex::default(), owner, identity, steward })
    }

    /// Starts the clients. Each goes on until its connection breaks.
    pub(super) async fn run(self: &Arc<Self>, server: &Server) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let connections = (server.connect().await, Admin::connect(server).await);
            if let (Ok(public), Ok(admin)) = connections {
                let load = Arc::clone(self);
                clients.spawn(async move {
                    // The error is the server's death; what was under way is in the history as
                    // unknown.
                    let _ = load.client(client, public, admin).await;
                });
            }
        }
        clients
    }

    /// Looks at every token once more.
    pub(super) async fn sweep(self: &Arc<Self>, server: &Server) -> anyhow::Result<()> {
        let tokens: Vec<_> = self.tokens().values().cloned().collect();
        let mut sweepers = JoinSet::new();
        for part in tokens.chunks(tokens.len().div_ceil(SWEEPERS).max(1)).map(<[_]>::to_vec) {
            let (load, mut connection) = (Arc::clone(self), server.connect().await?);
            sweepers.spawn(async move {
                for credential in part {
                    load.recorder.verify(0, &mut connection, &credential).await?;
                }
                anyhow::Ok(())
            });
        }
        sweepers.join_all().await.into_iter().collect()
    }

    async fn client(
        &self,
        client: u32,
        mut public: Connection,
        mut admin: Admin,
    ) -> anyhow::Result<()> {
        loop {
            let fresh = if rand::random() {
                self.create_bearer(client, &mut admin).await?
            } else {
                self.create_signer(client, &mut public).await?
            };
            self.recorder.verify(client, &mut public, &fresh).await?;
            let (fate, older) = {
                let mut rng = rand::rng();
                let older = self.tokens().values().choose(&mut rng).cloned();
                (rng.random_range(0..8), older.unwrap_or_else(|| fresh.clone()))
            };
            match fate {
                0..3 => self.recorder.revoke(client, &mut public, &fresh).await?,
                3 => self.revoke_by_steward(client, &mut public, &fresh).await?,
                4 => self.recorder.revoke(client, &mut public, &older).await?,
                _ => Outcome::Unknown,
            };
            self.recorder.verify(client, &mut public, &fresh).await?;
            self.recorder.verify(client, &mut public, &older).await?;
        }
    }

    pub(super) async fn create_bearer(
        &self,
        client: u32,
        admin: &mut Admin,
    ) -> anyhow::Result<Credential> {
        let invocation = self.recorder.begin(client, Op::Create);
        let answer = self.expect_created(admin.create_token(&self.owner, "bearer").await?)?;
        let credential = Credential::Bearer(read_bearer(&answer)?);
        self.recorder.end(invocation, credential.id(), Outcome::Accepted);
        Ok(self.keep(credential))
    }

    async fn create_signer(
        &self,
        client: u32,
        public: &mut Connection,
    ) -> anyhow::Result<Credential> {
        let invocation = self.recorder.begin(client, Op::Create);
        let answer = self.expect_created(public.ask(&derive_request(&self.identity)).await?)?;
        let credential = Credential::Signing(Signer::read(&answer)?);
        self.recorder.end(invocation, credential.id(), Outcome::Accepted);
        Ok(self.keep(credential))
    }

    async fn revoke_by_steward(
        &self,
        client: u32,
        public: &mut Connection,
        credential: &Credential,
    ) -> anyhow::Result<Outcome> {
        match credential {
            Credential::Bearer(_) => self.recorder.revoke(client, public, credential).await,
            Credential::Signing(signer) => {
                self.recorder.revoke_by(client, public, &self.steward, &signer.token_id).await
            }
        }
    }

    /// Creations are never refused here, and only an outage may fail them.
    fn expect_created(&self, answer: Answer) -> anyhow::Result<Answer> {
        if !matches!(answer.status, 201 | 503) {
            self.recorder.odd(format!("create: {}", answer.text()));
        }
        answer.expect_status(201).context("not created")
    }

    fn keep(&self, credential: Credential) -> Credential {
        self.tokens().insert(credential.id().to_owned(), credential.clone());
        credential
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn derive_request(identity: &str) -> Request {
    Request::post("/auth/api-tokens/derive")
        .header("identity", &format!("Bearer {identity}"))
        .json_text("{}")
}
