//! Faults in the system calls of a running server, put there by `strace`.
//!
//! The product is not told: no feature, no mock, no file system of its own. The n-th call of a kind
//! kills the process or returns an error instead of being made, as a crash or a bad disk would have
//! it. Calls are counted per thread, from the moment of attaching; all that changes the database is
//! written by one thread.

use crate::server::Server;
use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

const ATTACH_WITHIN: Duration = Duration::from_secs(10);
const DETACH_WITHIN: Duration = Duration::from_secs(10);

/// As long as it lives, the server's calls fail as they were told to.
pub struct Strace {
    child: Child,
    /// One line for each call of the kind, marked if it was tampered with.
    calls: NamedTempFile,
    /// Never read again, but a closed pipe would end it.
    _messages: Lines<BufReader<ChildStderr>>,
}

impl Strace {
    /// Attaches to every thread. `fault` is strace's own notation, as in
    /// `fsync:error=EIO:when=2`.
    pub async fn attach(server: &Server, fault: &str) -> anyhow::Result<Self> {
        let calls = NamedTempFile::new()?;
        let mut command = Command::new("strace");
        command.args(["--follow-forks", "--attach", &server.id()?.to_string()]);
        command.arg("--output").arg(calls.path());
        let kind = fault.split_once(':').context("a fault without an effect")?.0;
        command.args(["-e", &format!("trace={kind}"), "-e", &format!("inject={fault}")]);
        command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("strace is needed: apt-get install strace")?;
        let messages = child.stderr.take().context("no stderr")?;
        let mut messages = BufReader::new(messages).lines();
        timeout(ATTACH_WITHIN, until_attached(&mut messages)).await.context("strace hangs")??;
        Ok(Self { child, calls, _messages: messages })
    }

    /// Lets the server go on as if nothing had been, and says how many calls it made fail.
    pub async fn detach(mut self) -> anyhow::Result<usize> {
        // It ends by itself when the server does.
        if let (None, Some(id)) = (self.child.try_wait()?, self.child.id()) {
            let pid = Pid::from_raw(i32::try_from(id)?).context("no process id")?;
            kill_process(pid, Signal::TERM)?;
        }
        timeout(DETACH_WITHIN, self.child.wait()).await.context("strace does not let go")??;
        let calls = std::fs::read_to_string(self.calls.path())?;
        Ok(calls.lines().filter(|call| call.contains("(INJECTED)")).count())
    }
}

async fn until_attached(messages: &mut Lines<BufReader<ChildStderr>>) -> anyhow::Result<()> {
    let mut said = Vec::new();
    while let Some(line) = messages.next_line().await? {
        if line.contains(" attached") {
            return Ok(());
        }
        said.push(line);
    }
    bail!(
        "strace cannot attach, and these tests need it to (as root, or with \
         kernel.yama.ptrace_scope = 0, and where seccomp allows ptrace): {}",
        said.join("; ")
    );
}
