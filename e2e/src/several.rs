//! What `rescind dev` serves, on several nodes over one PostgreSQL, each request to one of them; or
//! each connection, where a test is about bytes.
//!
//! For tests that were written for one server: what they see must be the same. A dev server makes the
//! user, the partner and the keys; `rescind migrate-store` takes them to PostgreSQL; another dev
//! server stays, for the API behind it alone.

use crate::front::{Each, Front};
use crate::nodes::private;
use crate::postgres::Postgres;
use crate::server::{Facts, Home, Server};
use anyhow::{Context as _, ensure};
use std::process::ExitStatus;
use std::sync::Arc;

/// Names how many, for tests that ask for one server: see [`Home::start`].
const VARIABLE: &str = "E2E_NODES";

/// How they are set up.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    pub nodes: usize,
    /// What goes to one of them: requests, which are streams over gRPC, or whole connections.
    pub each: Each,
    /// Of each of them.
    pub environment: &'a [(&'a str, &'a str)],
    /// Lines of the section `[verify]`.
    pub verify: &'a str,
}

impl Setup<'_> {
    pub const fn of(nodes: usize) -> Self {
        Self { nodes, each: Each::Request, environment: &[], verify: "" }
    }

    /// For tests of bytes: each connection to one of them.
    pub const fn raw(nodes: usize) -> Self {
        Self { each: Each::Connection, ..Self::of(nodes) }
    }
}

/// All of it is ended when dropped.
pub struct Several {
    /// Of the public listeners, then verify, admin, gRPC.
    fronts: [Front; 4],
    nodes: Vec<(Home, Server)>,
    _upstream: (Home, Box<Server>),
    postgres: Arc<Postgres>,
}

impl Several {
    /// With the data of a dev server that has ended, in `home`.
    pub(crate) async fn start(
        home: &Home,
        facts: &Facts,
        setup: Setup<'_>,
    ) -> anyhow::Result<(Self, Facts)> {
        let postgres = Arc::new(Postgres::start().await?);
        let connection = home.path().join("postgres");
        private(&connection, &postgres.connection_text())?;
        let connection = connection.to_str().context("a path that is not UTF-8")?;
        let data = home.data();
        let data = data.to_str().context("a path that is not UTF-8")?;
        let mut command = home.command(&["migrate-store", "--to", "postgres"])?;
        command.args(["--set", &format!("store.path={data}")]);
        command.args(["--set", &format!("postgres.connection_file={connection}")]);
        // Moving needs no sealing key, and a configuration without one is refused otherwise.
        command.args(["--set", "limitless.enabled=false"]);
        let output = home.run(command, "").await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let upstream = Home::new()?;
        let behind = Box::new(upstream.start_alone(&[]).await?);
        let mut nodes = Vec::new();
        for number in 0..setup.nodes {
            let node = home.beside()?;
            for file in ["admin.token", "sealing.key"] {
                private(
                    &node.path().join(file),
                    &std::fs::read_to_string(home.data().join(file))?,
                )?;
            }
            let config = config(data, connection, number, &behind.facts().upstream_url);
            let config = format!("{}{config}", setup.verify);
            let server = node.serve_with_keys(&config, setup.environment).await?;
            nodes.push((node, server));
        }
        let addresses = |of: fn(&Server) -> anyhow::Result<_>| {
            nodes.iter().map(|(_, server)| of(server)).collect::<anyhow::Result<Vec<_>>>()
        };
        let each = setup.each;
        let streams = if each == Each::Request { Each::Stream } else { each };
        let fronts = [
            Front::of(addresses(Server::public)?, each).await?,
            Front::of(addresses(Server::verify)?, each).await?,
            Front::of(addresses(Server::admin)?, each).await?,
            Front::of(addresses(Server::grpc)?, streams).await?,
        ];
        let [public, verify, admin, grpc] = &fronts;
        let facts = Facts {
            base_url: public.url(),
            verify_url: verify.url(),
            admin_url: admin.url(),
            upstream_url: behind.facts().upstream_url.clone(),
            grpc_url: grpc.url(),
            ..facts.clone()
        };
        let several = Self { fronts, nodes, _upstream: (upstream, behind), postgres };
        Ok((several, facts))
    }

    /// `kill -9` of all of them.
    pub(crate) async fn kill(self) -> anyhow::Result<()> {
        for (_, node) in self.nodes {
            Box::pin(node.kill()).await?;
        }
        Ok(())
    }

    /// SIGTERM to one after the other. Of those that ended badly, the first one's status.
    pub(crate) async fn terminate(self) -> anyhow::Result<ExitStatus> {
        let mut ended = Vec::new();
        for (_, node) in self.nodes {
            ended.push(Box::pin(node.terminate()).await?);
        }
        let bad = ended.iter().find(|status| !status.success());
        bad.or(ended.first()).copied().context("no node")
    }

    /// All of them.
    pub(crate) fn are_running(&mut self) -> anyhow::Result<bool> {
        for (_, node) in &mut self.nodes {
            if !node.is_running()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is behind them; it may outlive them.
    pub fn postgres(&self) -> Arc<Postgres> {
        Arc::clone(&self.postgres)
    }

    /// How many requests, or connections, each node was sent.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = Vec::new();
        for front in &self.fronts {
            counts.resize(front.counts().len(), 0);
            counts.iter_mut().zip(front.counts()).for_each(|(sum, count)| *sum += count);
        }
        counts
    }
}

/// What the environment of the tests says.
pub(crate) fn wanted() -> anyhow::Result<Option<usize>> {
    Ok(std::env::var(VARIABLE).ok().map(|nodes| nodes.parse()).transpose()?)
}

/// As `rescind dev` has it, and with the same issuer.
fn config(data: &str, connection: &str, number: usize, upstream: &str) -> String {
    format!(
        r#"
[postgres]
connection_file = "{connection}"
[cluster]
node = "node-{number}"
[login]
per_address_per_minute = 100000
per_email_per_minute = 100000
[gateway]
upstream = "{upstream}"
[[identity.issuers]]
issuer = "https://issuer.rescind.localhost"
audience = "rescind-dev"
jwks_file = "{data}/jwks.json"
create_partners = true
"#
    )
}
