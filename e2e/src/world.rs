//! A world for one page of the documentation: its own loopback, where the default ports are free,
//! its own processes, and a machine on which whatever it changes is forgotten.
//!
//! A page may add users, write to `/etc` and start servers on port 8080, as a reader would. Linux
//! namespaces keep that from this machine and from other pages; `world/enter.sh` says how.

use crate::server;
use anyhow::{Context as _, bail, ensure};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const POLL: Duration = Duration::from_millis(100);
const NAMESPACES: [&str; 6] =
    ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"];

pub struct World {
    out: TempDir,
}

impl World {
    pub fn new() -> anyhow::Result<Self> {
        can_be_made()?;
        Ok(Self { out: tempfile::Builder::new().prefix("rescind-page-").tempdir()? })
    }

    /// What the session wrote, outside as inside (`/mnt/out`).
    pub fn out(&self) -> &Path {
        self.out.path()
    }

    /// Runs a script in bash, as root, in the checkout. Whether it came to its end.
    pub fn run(&self, script: &str, within: Duration) -> anyhow::Result<bool> {
        std::fs::write(self.out().join("session.sh"), script)?;
        let checkout = checkout()?;
        let mut command = unshare();
        command.args(["env", "-i"]).args(environment(&checkout)?).arg("bash");
        command.arg(checkout.join("e2e/world/enter.sh"));
        command.arg(&checkout).arg(self.out()).arg(server::binary()?);
        let log = std::fs::File::create(self.out().join("world.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().context("unshare")?;
        ended(&mut child, within)
    }
}

fn ended(child: &mut Child, within: Duration) -> anyhow::Result<bool> {
    for _ in 0..within.as_millis() / POLL.as_millis() {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        std::thread::sleep(POLL);
    }
    // Its namespaces die with it, and with them every process that the page has started.
    child.kill()?;
    child.wait()?;
    bail!("it goes on after {within:?}")
}

/// Refuses loudly: pages that are not run must not look as if they were.
fn can_be_made() -> anyhow::Result<()> {
    let tried = unshare().args(["ip", "link", "set", "lo", "up"]).output().context("unshare")?;
    ensure!(
        tried.status.success(),
        "no page of the documentation can be run: that needs root (or sudo without a password) and \
         Linux namespaces, as a container has them only with `--privileged`: {}",
        String::from_utf8_lossy(&tried.stderr).trim()
    );
    Ok(())
}

fn unshare() -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("unshare")
    } else {
        let mut command = Command::new("sudo");
        command.args(["-n", "unshare"]);
        command
    };
    command.args(NAMESPACES);
    command
}

/// Nothing of the caller's but the ways to its programs.
fn environment(checkout: &Path) -> anyhow::Result<Vec<OsString>> {
    let home = PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?);
    let or_home = |name: &str, folder: &str| {
        std::env::var_os(name).unwrap_or_else(|| home.join(folder).into_os_string())
    };
    let path = std::env::var_os("PATH").context("PATH is not set")?;
    let places = [Path::new("/mnt/world").to_owned(), checkout.join("e2e/.venv/bin")];
    let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let path = places.into_iter().chain(std::env::split_paths(&path)).chain(system);
    let variables = [
        ("PATH", std::env::join_paths(path)?),
        ("HOME", "/home/ada".into()),
        ("LC_ALL", "C.UTF-8".into()),
        ("CARGO_HOME", or_home("CARGO_HOME", ".cargo")),
        ("RUSTUP_HOME", or_home("RUSTUP_HOME", ".rustup")),
        ("CARGO_NET_OFFLINE", "true".into()),
    ];
    let others = ["RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"].into_iter();
    let others = others.filter_map(|name| Some((name, std::env::var_os(name)?)));
    let variables = variables.into_iter().chain(others).map(|(name, value)| {
        let mut variable = OsString::from(format!("{name}="));
        variable.push(value);
        variable
    });
    Ok(variables.collect())
}

/// The repository.
pub fn checkout() -> anyhow::Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?)
}
