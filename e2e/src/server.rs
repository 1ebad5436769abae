//! The real binary, as a child process that can be killed like any other.
//!
//! A [`Home`] is what survives a crash: the data directory, the configuration and the log. A
//! [`Server`] is one life of the process in it, with ports of its own.

use crate::several::{self, Setup, Several};
use crate::wire::Connection;
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A debug build of a server with a full database starts well within this.
const START_WITHIN: Duration = Duration::from_secs(30);
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// For a command that ends by itself.
const RUN_WITHIN: Duration = Duration::from_secs(60);

const SEVERAL: &str = "these are several nodes, not one process";

/// A folder that servers live in, one after the other. It is deleted when dropped.
pub struct Home {
    folder: TempDir,
    log: PathBuf,
}

/// The line that `rescind dev --json` prints when it is ready.
#[derive(Clone, Default, Deserialize)]
pub struct Facts {
    pub base_url: String,
    pub verify_url: String,
    pub admin_url: String,
    pub grpc_url: String,
    pub upstream_url: String,
    pub admin_token: String,
    pub email: String,
    pub password: String,
    pub identity_token: String,
    pub data: PathBuf,
}

/// A running process. It is killed when dropped.
pub struct Server {
    /// `None` of one that is several nodes.
    child: Option<Child>,
    facts: Facts,
    several: Option<Several>,
}

impl Home {
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("rescind-e2e-").tempdir()?;
        let log = folder.path().join("server.log");
        Ok(Self { folder, log })
    }

    /// Another folder, for a server that writes to this one's log: who reads that reads all of it.
    pub(crate) fn beside(&self) -> anyhow::Result<Self> {
        Ok(Self { log: self.log.clone(), ..Self::new()? })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The server's data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that any server wrote to stderr here.
    pub fn log(&self) -> anyhow::Result<Vec<u8>> {
        Ok(std::fs::read(&self.log)?)
    }

    pub async fn start(&self) -> anyhow::Result<Server> {
        self.start_with(&[]).await
    }

    /// Starts a server with these environment variables and waits until it is ready. It is an
    /// error if it ends before that. `E2E_NODES=3` makes it three nodes over a PostgreSQL, for
    /// tests that do not care.
    pub async fn start_with(&self, environment: &[(&str, &str)]) -> anyhow::Result<Server> {
        match several::wanted()? {
            Some(nodes) => self.start_several(Setup { environment, ..Setup::of(nodes) }).await,
            None => self.start_alone(environment).await,
        }
    }

    /// As [`Self::start`], for tests of bytes: of several nodes each connection has one, and nobody
    /// reads what goes through it.
    pub async fn start_raw(&self) -> anyhow::Result<Server> {
        match several::wanted()? {
            Some(nodes) => self.start_several(Setup::raw(nodes)).await,
            None => self.start_alone(&[]).await,
        }
    }

    /// Nodes with the same data, each request to one of them.
    pub async fn start_several(&self, setup: Setup<'_>) -> anyhow::Result<Server> {
        let alone = self.start_alone(setup.environment).await?;
        let facts = alone.facts.clone();
        ensure!(alone.terminate().await?.success(), "{}", self.log_tail());
        let (several, facts) = Several::start(self, &facts, setup).await?;
        Ok(Server { child: None, facts, several: Some(several) })
    }

    /// One server, whatever the environment of the tests says.
    pub async fn start_alone(&self, environment: &[(&str, &str)]) -> anyhow::Result<Server> {
        let mut command = self.command(&["dev", "--json"])?;
        for option in ["--listen", "--verify-listen", "--admin-listen", "--grpc-listen"] {
            command.args([option, "127.0.0.1:0"]);
        }
        command.arg("--data").arg(self.data());
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(self.open_log()?).spawn()?;
        let facts = match timeout(START_WITHIN, first_line(&mut child)).await {
            Ok(facts) => {
                facts.with_context(|| format!("it did not start:\n{}", self.log_tail()))?
            }
            Err(_) => bail!("not ready after {START_WITHIN:?}:\n{}", self.log_tail()),
        };
        Ok(Server::new(child, facts))
    }

    /// Runs a command to its end, with `input` on its standard input: where secrets belong.
    pub async fn run(&self, mut command: Command, input: &str) -> anyhow::Result<Output> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        Ok(timeout(RUN_WITHIN, child.wait_with_output()).await.context("it does not end")??)
    }

    /// A command of the binary, in this home, ready to run.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(binary()?);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RESCIND_") {
                command.env_remove(name);
            }
        }
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env(name, self.folder.path());
        }
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    /// An identity token of the server's own issuer for another partner.
    pub async fn identity(&self, subject: &str, kind: &str) -> anyhow::Result<String> {
        let arguments = ["dev", "identity", "--subject", subject, "--kind", kind, "--data"];
        let output = self.command(&arguments)?.arg(self.data()).output().await?;
        if !output.status.success() {
            bail!("dev identity failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// A copy of the data directory; no server may be running.
    pub fn copy_data(&self) -> anyhow::Result<TempDir> {
        let copy = tempfile::tempdir()?;
        copy_folder(&self.data(), copy.path())?;
        Ok(copy)
    }

    /// Puts a copy back in the place of the data directory; no server may be running.
    pub fn restore_data(&self, copy: &TempDir) -> anyhow::Result<()> {
        std::fs::remove_dir_all(self.data())?;
        copy_folder(copy.path(), &self.data())
    }

    /// The end of the log, for messages.
    pub fn log_tail(&self) -> String {
        const TAIL_BYTES: usize = 4_000;
        let log = self.log().unwrap_or_default();
        let start = log.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }

    pub(crate) fn open_log(&self) -> anyhow::Result<File> {
        Ok(OpenOptions::new().create(true).append(true).open(&self.log)?)
    }
}

impl Server {
    pub(crate) fn new(child: Child, facts: Facts) -> Self {
        Self { child: Some(child), facts, several: None }
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub fn several(&self) -> Option<&Several> {
        self.several.as_ref()
    }

    pub fn public(&self) -> anyhow::Result<SocketAddr> {
        address_of(&self.facts.base_url)
    }

    pub fn verify(&self) -> anyhow::Result<SocketAddr> {
        address_of(&self.facts.verify_url)
    }

    pub fn admin(&self) -> anyhow::Result<SocketAddr> {
        address_of(&self.facts.admin_url)
    }

    pub fn grpc(&self) -> anyhow::Result<SocketAddr> {
        address_of(&self.facts.grpc_url)
    }

    /// A new connection to the public listener.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.public()?).await
    }

    /// `kill -9`: no destructor, no flush, no farewell. Of several nodes, all of them.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        if let Some(several) = self.several.take() {
            return several.kill().await;
        }
        Ok(self.child.as_mut().context("no process")?.kill().await?)
    }

    /// SIGTERM, and the status that it ended with.
    pub async fn terminate(mut self) -> anyhow::Result<ExitStatus> {
        if let Some(several) = self.several.take() {
            return several.terminate().await;
        }
        let pid = Pid::from_raw(i32::try_from(self.id()?)?).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        self.ended(STOP_WITHIN).await
    }

    /// Waits for it to end by itself.
    pub async fn ended(mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let child = self.child.as_mut().context(SEVERAL)?;
        Ok(timeout(within, child.wait()).await.context("the process goes on")??)
    }

    /// The process's number.
    pub fn id(&self) -> anyhow::Result<u32> {
        self.child.as_ref().context(SEVERAL)?.id().context("it has ended before")
    }

    /// Whether it is still there; a server must survive whatever it is sent.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        match (&mut self.child, &mut self.several) {
            (Some(child), _) => Ok(child.try_wait()?.is_none()),
            (None, Some(several)) => several.are_running(),
            (None, None) => Ok(false),
        }
    }
}

async fn first_line(child: &mut Child) -> anyhow::Result<Facts> {
    let stdout = child.stdout.take().context("no stdout")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    if line.is_empty() {
        bail!("it ended with {}", child.wait().await?);
    }
    serde_json::from_str(&line).context("the first line is not the promised JSON")
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn address_of(url: &str) -> anyhow::Result<SocketAddr> {
    let address = url.strip_prefix("http://").with_context(|| format!("not a plain URL: {url}"))?;
    address.trim_end_matches('/').parse().with_context(|| format!("not an address: {url}"))
}

/// `RESCIND_BIN`, or the debug build beside this test.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let path = match std::env::var_os("RESCIND_BIN") {
        Some(path) => PathBuf::from(path),
        None => beside_the_test().context("this test lies outside a target directory")?,
    };
    if !path.is_file() {
        bail!("{} is missing: run `cargo build -p rescind` or set RESCIND_BIN", path.display());
    }
    Ok(path)
}

/// `target/debug/rescind`, seen from `target/debug/deps/it-…`.
fn beside_the_test() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.parent().and_then(Path::parent).map(|folder| folder.join("rescind"))
}
