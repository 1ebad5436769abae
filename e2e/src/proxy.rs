//! The five proxies, as real programs with a configuration from a page of the documentation.

use crate::page::{Page, Places};
use crate::wire::{Connection, Request};
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Traefik takes a second or two to read its configuration, on a busy machine several.
const START_POLLS_MAX: u32 = 300;
const STOP_POLLS_MAX: u32 = 100;
const POLL: Duration = Duration::from_millis(100);

const HOW_TO_INSTALL: &str = "run ./test once: it installs what the tests need";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Nginx,
    Caddy,
    Traefik,
    EnvoyHttp,
    EnvoyGrpc,
    Haproxy,
}

/// A running proxy. It is stopped when dropped, with every process of its own.
pub struct Proxy {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Program {
    pub const ALL: [Self; 6] =
        [Self::Nginx, Self::Caddy, Self::Traefik, Self::EnvoyHttp, Self::EnvoyGrpc, Self::Haproxy];

    /// What `docs/proxies` says about it.
    pub fn page(self) -> anyhow::Result<Page> {
        Page::read(match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::EnvoyHttp | Self::EnvoyGrpc => "envoy",
            Self::Haproxy => "haproxy",
        })
    }

    /// As the page says, and what keeps several of them apart on one machine.
    fn command(self) -> anyhow::Result<Command> {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Nginx => (installed("/usr/sbin/nginx")?, &["-p", ".", "-c", "nginx.conf"]),
            Self::Haproxy => (installed("/usr/sbin/haproxy")?, &["-db", "-f", "haproxy.cfg"]),
            Self::Caddy => (from_pip("caddy")?, &["run", "--config", "Caddyfile"]),
            Self::Traefik => (from_pip("traefik")?, &["--configFile=traefik.yml"]),
            Self::EnvoyHttp => (from_pip("envoy")?, &["-c", "envoy-http.yaml"]),
            Self::EnvoyGrpc => (from_pip("envoy")?, &["-c", "envoy-grpc.yaml"]),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        if matches!(self, Self::EnvoyHttp | Self::EnvoyGrpc) {
            command.args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"]);
        }
        Ok(command)
    }
}

impl Proxy {
    /// Starts it on a free port and waits until it refuses a request without a credential: then it
    /// has read its configuration, and has found the verifier.
    pub async fn start(program: Program, page: &Page, places: Places) -> anyhow::Result<Self> {
        Self::start_until(program, page, places, |status| status == 401).await
    }

    /// With whatever mistakes are in the page: it is there when it answers at all.
    pub async fn start_as_it_is(
        program: Program,
        page: &Page,
        places: Places,
    ) -> anyhow::Result<Self> {
        // Traefik answers 404 until it has read its routes.
        Self::start_until(program, page, places, |status| status != 404).await
    }

    async fn start_until(
        program: Program,
        page: &Page,
        places: Places,
        is_ready: fn(u16) -> bool,
    ) -> anyhow::Result<Self> {
        let places = Places { web: free_address()?, ..places };
        let folder = tempfile::Builder::new().prefix("rescind-proxy-").tempdir()?;
        // nginx's workers are another user if this one is root, and keep long bodies in files.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        page.write(folder.path(), &places)?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = program.command()?;
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(name, folder.path());
        }
        command.current_dir(folder.path()).stdin(Stdio::null());
        let child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut proxy = Self { child, address: places.web, folder };
        proxy.until_ready(is_ready).await.with_context(|| format!("{program:?} does not start"))?;
        Ok(proxy)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address).await
    }

    /// Everything that it wrote.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    async fn until_ready(&mut self, is_ready: fn(u16) -> bool) -> anyhow::Result<()> {
        let mut last = String::from("no connection");
        for _ in 0..START_POLLS_MAX {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}:\n{}", self.log()?);
            }
            match self.ask_without_credential().await {
                Ok(status) if is_ready(status) => return Ok(()),
                Ok(status) => last = format!("status {status}"),
                Err(fault) => last = fault.to_string(),
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("not ready, {last}:\n{}", self.log()?)
    }

    async fn ask_without_credential(&self) -> anyhow::Result<u16> {
        Ok(self.connect().await?.ask(&Request::get("/")).await?.status)
    }

    fn terminate(&mut self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        for _ in 0..STOP_POLLS_MAX {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        bail!("it goes on")
    }
}

/// With a signal that it can follow: nginx takes its workers with it.
impl Drop for Proxy {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        if self.terminate().is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Free a moment ago; whoever takes it meanwhile makes the proxy's start fail, not its tests pass.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn installed(path: &str) -> anyhow::Result<PathBuf> {
    ensure!(Path::new(path).is_file(), "{path} is missing: {HOW_TO_INSTALL}");
    Ok(path.into())
}

fn from_pip(name: &str) -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    ensure!(path.is_file(), "{} is missing: {HOW_TO_INSTALL}", path.display());
    Ok(path)
}
