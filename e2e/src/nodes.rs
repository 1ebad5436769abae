//! Several nodes over one PostgreSQL: real processes, each with a home of its own.

use crate::admin::Admin;
use crate::postgres::Postgres;
use crate::server::{Home, Server};
use anyhow::Context as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;

/// Some nodes, and the database behind them. All is ended when dropped.
pub struct Nodes {
    nodes: Vec<Node>,
    pub postgres: Postgres,
}

pub struct Node {
    home: Home,
    /// `None` while it is down.
    server: Option<Server>,
    more: String,
    ablated: Option<&'static str>,
}

/// How nodes are set up.
#[derive(Clone, Copy)]
pub struct Setup {
    pub nodes: usize,
    /// As in the configuration.
    pub lease: &'static str,
    /// Rules of the lease protocol that the nodes do not follow: a test of the test.
    pub ablated: Option<&'static str>,
}

impl Nodes {
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        let postgres = Postgres::start().await?;
        let mut nodes: Vec<Node> = Vec::new();
        for number in 0..setup.nodes {
            let home = Home::new()?;
            match nodes.first() {
                None => home.make_keys().await?,
                Some(first) => first.home.copy_keys_to(&home)?,
            }
            let connection = home.path().join("postgres");
            private(&connection, &postgres.connection_text())?;
            let (connection, lease) = (connection.display(), setup.lease);
            let more = format!(
                "[postgres]\nconnection_file = \"{connection}\"\n\
                 [cluster]\nnode = \"node-{number}\"\nlease = \"{lease}\"\n\
                 listen = \"127.0.0.1:0\"\n"
            );
            let mut node = Node { home, server: None, more, ablated: setup.ablated };
            node.start().await?;
            nodes.push(node);
        }
        Ok(Self { nodes, postgres })
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn node(&self, number: usize) -> anyhow::Result<&Node> {
        self.nodes.get(number).with_context(|| format!("no node {number}"))
    }

    pub fn node_mut(&mut self, number: usize) -> anyhow::Result<&mut Node> {
        self.nodes.get_mut(number).with_context(|| format!("no node {number}"))
    }

    /// For another server with their data.
    pub fn copy_keys_to(&self, home: &Home) -> anyhow::Result<()> {
        self.node(0)?.home.copy_keys_to(home)
    }

    /// Those that are up.
    pub fn servers(&self) -> impl Iterator<Item = (usize, &Server)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(number, node)| node.server.as_ref().map(|server| (number, server)))
    }

    pub async fn admin(&self, number: usize) -> anyhow::Result<Admin> {
        Admin::connect(self.node(number)?.server()?).await
    }

    pub fn verify_addresses(&self) -> anyhow::Result<Vec<SocketAddr>> {
        self.servers().map(|(_, server)| server.verify()).collect()
    }
}

impl Node {
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let ablated = self.ablated.map(|rules| ("ABLATED_RULES", rules));
        self.server = Some(self.home.serve_with_keys(&self.more, ablated.as_slice()).await?);
        Ok(())
    }

    pub fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("this node is down")
    }

    /// `kill -9`.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.server.take().context("this node is down")?.kill().await
    }

    /// SIGTERM, and waits for its end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.server.take().context("this node is down")?.terminate().await?;
        anyhow::ensure!(status.success(), "it ended with {status}:\n{}", self.home.log_tail());
        Ok(())
    }

    pub fn log_tail(&self) -> String {
        self.home.log_tail()
    }
}

pub(crate) fn private(file: &std::path::Path, text: &str) -> anyhow::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}
