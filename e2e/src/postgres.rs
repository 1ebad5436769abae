//! A PostgreSQL of its own for one test: it can be killed, stopped and paused like any other
//! program.
//!
//! The server refuses to run as root, so that root hands its folder to the user `postgres`, which
//! Debian's package makes, and starts it as that user.

mod backup;
mod pooler;
mod standby;

pub use pooler::Pooler;

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Who runs it when root must not.
const USER: &str = "postgres";
const READY_POLLS_MAX: u32 = 300;
const POLL: Duration = Duration::from_millis(100);

/// Small, on loopback, and as durable as a real one: a test of durability needs fsync.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
fsync = on
max_connections = 100
shared_buffers = 32MB
log_min_messages = warning
";

/// A running server. It is stopped when dropped, and its folder deleted.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// A new cluster with one superuser, `rescind`, and an empty database of that name.
    pub async fn start() -> anyhow::Result<Self> {
        let server = Self::in_a_folder()?;
        server.initialise()?;
        server.resume_service().await?;
        server.psql("postgres", "CREATE DATABASE rescind")?;
        Ok(server)
    }

    /// Nothing in it yet.
    fn in_a_folder() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("rescind-postgres-").tempdir()?;
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700))?;
        if is_root() {
            ensure!(Command::new("chown").arg(USER).arg(folder.path()).status()?.success());
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self { folder, programs: programs()?, port })
    }

    /// All that it keeps, and its log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a configuration points to.
    pub fn connection_text(&self) -> String {
        self.connection_to("rescind")
    }

    pub(crate) fn connection_to(&self, database: &str) -> String {
        format!("postgresql://rescind@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Starts it, or starts it again, and waits until it answers.
    pub async fn resume_service(&self) -> anyhow::Result<()> {
        for _ in 0..READY_POLLS_MAX {
            // One that was killed keeps its folder locked until its last process is gone; one that
            // runs refuses to be started, which is as good.
            let _ = self.control(&["start", "-W"]);
            if self.psql("postgres", "SELECT 1").is_ok() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("PostgreSQL does not answer:\n{}", self.log_tail())
    }

    /// Every process of it, at once and without a farewell, as after a power cut of the machine
    /// whose disk keeps what it acknowledged.
    pub fn kill(&self) -> anyhow::Result<()> {
        let mut processes = self.backends()?;
        processes.insert(0, self.postmaster()?);
        for process in processes {
            signal(process, Signal::KILL)?;
        }
        Ok(())
    }

    /// Stops it as an operator would.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.control(&["stop", "-m", "fast"])
    }

    /// Every process of it stands still: connections stay open and nothing answers.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal_all(Signal::STOP)
    }

    pub fn unpause(&self) -> anyhow::Result<()> {
        self.signal_all(Signal::CONT)
    }

    /// Runs statements as the superuser; what they print.
    pub fn psql(&self, database: &str, sql: &str) -> anyhow::Result<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p"])
            .arg(self.port.to_string())
            .args(["-U", "rescind", "-d", database, "-c", sql])
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn initialise(&self) -> anyhow::Result<()> {
        let arguments = ["-U", "rescind", "-A", "trust", "--no-sync", "--no-instructions", "-D"];
        let mut command = self.command("initdb");
        command.args(arguments).arg(self.data());
        succeed(command)?;
        self.append(SETTINGS)?;
        self.append(&self.place())
    }

    /// Where it listens.
    fn place(&self) -> String {
        let (port, folder) = (self.port, self.folder.path().display());
        format!("\nport = {port}\nunix_socket_directories = '{folder}'\n")
    }

    /// The last setting of a name is the one that counts.
    fn append(&self, settings: &str) -> anyhow::Result<()> {
        let mut append = self.command_of("sh");
        append.arg("-c").arg("cat >> \"$0\"").arg(self.data().join("postgresql.conf"));
        let mut child = append.stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("no stdin")?;
        std::io::Write::write_all(&mut stdin, settings.as_bytes())?;
        drop(stdin);
        ensure!(child.wait()?.success(), "the settings were not written");
        Ok(())
    }

    fn control(&self, what: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command("pg_ctl");
        command.args(what).arg("-D").arg(self.data()).arg("-l").arg(self.log_path());
        succeed(command)
    }

    /// One of PostgreSQL's programs, as somebody who may run it.
    fn command(&self, program: &str) -> Command {
        self.command_of(self.programs.join(program))
    }

    fn command_of(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn signal_all(&self, what: Signal) -> anyhow::Result<()> {
        let postmaster = self.postmaster()?;
        signal(postmaster, what)?;
        self.backends()?.into_iter().try_for_each(|process| signal(process, what))
    }

    fn postmaster(&self) -> anyhow::Result<i32> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        file.lines().next().context("an empty postmaster.pid")?.parse().context("no process id")
    }

    fn backends(&self) -> anyhow::Result<Vec<i32>> {
        let postmaster = self.postmaster()?.to_string();
        let output = Command::new("pgrep").args(["-P", &postmaster]).output()?;
        String::from_utf8(output.stdout)?.lines().map(|line| Ok(line.trim().parse()?)).collect()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log_tail(&self) -> String {
        const TAIL_BYTES: usize = 4_000;
        let log = std::fs::read(self.log_path()).unwrap_or_default();
        let start = log.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(log.get(start..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Postgres {
    /// Whatever state a test has left it in.
    fn drop(&mut self) {
        let _ = self.signal_all(Signal::CONT);
        let _ = self.control(&["stop", "-m", "immediate"]);
    }
}

fn succeed(mut command: Command) -> anyhow::Result<()> {
    // pg_ctl hands its output on to the server, which would hold a pipe open for ever.
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "{:?} ended with {status}", command.get_args());
    Ok(())
}

fn signal(process: i32, what: Signal) -> anyhow::Result<()> {
    let process = Pid::from_raw(process).context("no process id")?;
    match kill_process(process, what) {
        // It has ended meanwhile.
        Err(rustix::io::Errno::SRCH) => Ok(()),
        done => Ok(done?),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The newest that is installed.
fn programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir(Path::new(VERSIONS)).context(HOW_TO_INSTALL)?;
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for version in versions {
        let programs = version?.path().join("bin");
        let number = programs.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        if let (Some(Ok(number)), true) =
            (number.map(str::parse), programs.join("postgres").is_file())
        {
            found.push((number, programs));
        }
    }
    found.into_iter().max().map(|(_, programs)| programs).context(HOW_TO_INSTALL)
}

const HOW_TO_INSTALL: &str = "PostgreSQL is missing: run ./test once, it installs what is needed";
