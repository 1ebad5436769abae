//! What `rescind dev` serves, on several nodes over one PostgreSQL, each request to one of them.
//!
//! For tests that were written for one server: what they see must be the same. A dev server makes the
//! user, the partner and the keys; `rescind migrate-store` takes them to PostgreSQL; another dev
//! server stays, for the API behind it alone.

use crate::front::Front;
use crate::nodes::private;
use crate::postgres::Postgres;
use crate::server::{Facts, Home, Server};
use anyhow::{Context as _, ensure};

/// Names how many, for tests that ask for one server: see [`Home::start`].
pub const VARIABLE: &str = "E2E_NODES";

/// All of it is ended when dropped.
pub struct Several {
    fronts: [Front; 3],
    nodes: Vec<(Home, Server)>,
    _upstream: (Home, Box<Server>),
    _postgres: Postgres,
}

impl Several {
    /// With the data of a dev server that has ended, in `home`.
    pub(crate) async fn start(
        home: &Home,
        facts: &Facts,
        count: usize,
    ) -> anyhow::Result<(Self, Facts)> {
        let postgres = Postgres::start().await?;
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
        for number in 0..count {
            let node = Home::new()?;
            for file in ["admin.token", "sealing.key"] {
                private(
                    &node.path().join(file),
                    &std::fs::read_to_string(home.data().join(file))?,
                )?;
            }
            let config = config(data, connection, number, &behind.facts().upstream_url);
            let server = node.serve_with_keys(&config, &[]).await?;
            nodes.push((node, server));
        }
        let addresses = |of: fn(&Server) -> anyhow::Result<_>| {
            nodes.iter().map(|(_, server)| of(server)).collect::<anyhow::Result<Vec<_>>>()
        };
        let fronts = [
            Front::of(addresses(Server::public)?).await?,
            Front::of(addresses(Server::verify)?).await?,
            Front::of(addresses(Server::admin)?).await?,
        ];
        let [public, verify, admin] = &fronts;
        let facts = Facts {
            base_url: public.url(),
            verify_url: verify.url(),
            admin_url: admin.url(),
            upstream_url: behind.facts().upstream_url.clone(),
            grpc_url: String::new(),
            ..facts.clone()
        };
        let several = Self { fronts, nodes, _upstream: (upstream, behind), _postgres: postgres };
        Ok((several, facts))
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

    /// How many requests each node was sent.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = Vec::new();
        for front in &self.fronts {
            counts.resize(front.counts().len(), 0);
            counts.iter_mut().zip(front.counts()).for_each(|(sum, count)| *sum += count);
        }
        counts
    }
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
