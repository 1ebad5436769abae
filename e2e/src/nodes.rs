//! Several nodes over one PostgreSQL: real processes, each with a home of its own, each with a
//! [`Link`] of its own to the database, and with another one that the other nodes reach it by.

use crate::admin::Admin;
use crate::link::{Held, Hold, Link};
use crate::postgres::{Pooler, Postgres};
use crate::server::{Home, Server};
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Databases that were made so far, so that several clusters can share a server.
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Some nodes, and the database behind them. All is ended when dropped.
pub struct Nodes {
    nodes: Vec<Node>,
    pub postgres: Arc<Postgres>,
    database: String,
    _poolers: Vec<Pooler>,
}

pub struct Node {
    home: Home,
    /// `None` while it is down.
    server: Option<Server>,
    /// One to each server, in the order in which the node tries them.
    links: Vec<Link>,
    /// What the others dial; `None` without direct connections.
    direct: Option<Link>,
    more: String,
    /// For its next start.
    pub environment: Vec<(&'static str, String)>,
}

/// How nodes are set up.
#[derive(Clone, Copy)]
pub struct Setup {
    pub nodes: usize,
    /// As in the configuration.
    pub lease: &'static str,
    /// More of the section `[postgres]`.
    pub postgres: &'static str,
    /// Whether they ring and acknowledge over direct connections, too.
    pub direct: bool,
    /// Rules of the lease protocol that the nodes do not follow: a test of the test.
    pub ablated: Option<&'static str>,
    /// Nodes that are not started.
    pub later: usize,
    /// How many of them, the last ones, take no leases.
    pub through: usize,
    /// Whether the last one has the name of the one before it.
    pub twins: bool,
    /// Of a pooler that stands before each server.
    pub pool_mode: Option<&'static str>,
    /// Run in the new database before anybody else is there.
    pub before: &'static str,
}

impl Setup {
    pub const fn of(nodes: usize, lease: &'static str) -> Self {
        Self {
            nodes,
            lease,
            postgres: "",
            direct: true,
            ablated: None,
            later: 0,
            through: 0,
            twins: false,
            pool_mode: None,
            before: "",
        }
    }
}

impl Nodes {
    /// With a server of their own.
    pub async fn start(setup: Setup) -> anyhow::Result<Self> {
        Self::over(setup, &[Arc::new(Postgres::start().await?)]).await
    }

    /// In a new database of the first server; the others are those that may take its place.
    pub async fn over(setup: Setup, servers: &[Arc<Postgres>]) -> anyhow::Result<Self> {
        let postgres = Arc::clone(servers.first().context("no server")?);
        let database = format!("nodes_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        postgres.psql("postgres", &format!("CREATE DATABASE {database}"))?;
        postgres.psql(&database, setup.before)?;
        let (mut ports, mut poolers) = (Vec::new(), Vec::new());
        for server in servers {
            match setup.pool_mode {
                None => ports.push(server.port()),
                Some(mode) => {
                    let pooler = server.pooled(mode).await?;
                    ports.push(pooler.port());
                    poolers.push(pooler);
                }
            }
        }
        let mut nodes: Vec<Node> = Vec::new();
        for number in 0..setup.nodes {
            let home = Home::new()?;
            match nodes.first() {
                None => home.make_keys().await?,
                Some(first) => first.home.copy_keys_to(&home)?,
            }
            let mut links = Vec::new();
            for port in &ports {
                links.push(Link::to(*port).await?);
            }
            let connection = home.path().join("postgres");
            private(&connection, &connection_text(&links, &database))?;
            let (connection, Setup { lease, postgres, .. }) = (connection.display(), setup);
            let through = number >= setup.nodes - setup.through;
            let (direct, listen) = match setup.direct {
                _ if through => (None, "verify = \"read-through\"\n".to_owned()),
                true => listen().await?,
                false => Default::default(),
            };
            let name = number - usize::from(setup.twins && number + 1 == setup.nodes);
            let more = format!(
                "[postgres]\nconnection_file = \"{connection}\"\n{postgres}\n\
                 [cluster]\nnode = \"node-{name}\"\nlease = \"{lease}\"\n{listen}"
            );
            let ablated = setup.ablated.map(|rules| ("ABLATED_RULES", rules.to_owned()));
            let environment = ablated.into_iter().collect();
            nodes.push(Node { home, server: None, links, direct, more, environment });
        }
        let mut nodes = Self { nodes, postgres, database, _poolers: poolers };
        for number in 0..setup.nodes - setup.later {
            nodes.node_mut(number)?.start().await?;
        }
        Ok(nodes)
    }

    /// To the database that they share, for whoever is none of them.
    pub fn connection_text(&self) -> String {
        self.postgres.connection_to(&self.database)
    }

    /// Its name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Keeps it as it is now, for [`Nodes::restore`].
    pub fn back_up(&self) -> anyhow::Result<()> {
        self.postgres.back_up(&self.database)
    }

    /// What was written since the backup is gone.
    pub fn restore(&self) -> anyhow::Result<()> {
        self.postgres.restore(&self.database)
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

    /// The direct connections of all.
    pub fn hold_direct(&self, what: Hold) -> anyhow::Result<Vec<Held>> {
        self.nodes.iter().map(|node| Ok(node.direct()?.hold(what))).collect()
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
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.server = Some(self.home.serve_with_keys(&self.more, &environment).await?);
        Ok(())
    }

    pub fn server(&self) -> anyhow::Result<&Server> {
        self.server.as_ref().context("this node is down")
    }

    /// To the database; of several servers, to the first.
    pub fn link(&self) -> anyhow::Result<&Link> {
        self.link_to(0)
    }

    pub fn link_to(&self, server: usize) -> anyhow::Result<&Link> {
        self.links.get(server).context("no such server")
    }

    /// By which the other nodes ring at it (questions), and hear what it has applied (answers).
    pub fn direct(&self) -> anyhow::Result<&Link> {
        self.direct.as_ref().context("without direct connections")
    }

    /// A file in its home.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Stops, and starts again with more in its environment.
    pub async fn restart_with(&mut self, more: Vec<(&'static str, String)>) -> anyhow::Result<()> {
        self.stop().await?;
        self.environment.extend(more);
        self.start().await
    }

    /// SIGSTOP: it stands still, and does not know it.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)
    }

    pub fn unpause(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, what: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.process()?, what)?)
    }

    pub fn process(&self) -> anyhow::Result<Pid> {
        Pid::from_raw(i32::try_from(self.server()?.id()?)?).context("no process id")
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

/// A node that others reach through a link. It listens where nobody else did a moment ago, and at each
/// of its starts again.
async fn listen() -> anyhow::Result<(Option<Link>, String)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let link = Link::to(port).await?;
    let listen =
        format!("listen = \"127.0.0.1:{port}\"\nadvertise = \"127.0.0.1:{}\"\n", link.port());
    Ok((Some(link), listen))
}

fn connection_text(links: &[Link], database: &str) -> String {
    let hosts: Vec<_> = links.iter().map(|link| format!("127.0.0.1:{}", link.port())).collect();
    format!("postgresql://rescind@{}/{database}?sslmode=disable", hosts.join(","))
}

pub(crate) fn private(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}
