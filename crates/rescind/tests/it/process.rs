//! The real binary in a home of its own. Every wait is bounded, and every process ends with its
//! test.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// A debug build on a busy machine needs a second or two for anything that is waited for here.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Between two looks at a file.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Free ports, picked by the kernel when they are bound.
pub(crate) const FREE_PORTS: [&str; 8] = [
    "--listen",
    "127.0.0.1:0",
    "--verify-listen",
    "127.0.0.1:0",
    "--admin-listen",
    "127.0.0.1:0",
    "--grpc-listen",
    "127.0.0.1:0",
];

/// A user's home directory, empty at first.
pub(crate) struct Home(TempDir);

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) talk: String,
}

/// A process that runs until it is told to stop. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::Builder::new().prefix("rescind-it-").tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `rescind` with these arguments, and with nothing of this process's environment.
    pub(crate) fn rescind<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_rescind"));
        command.args(arguments);
        command
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.0.path());
        command.env("XDG_CONFIG_HOME", self.path("config")).env("XDG_DATA_HOME", self.path("data"));
        command.current_dir(self.0.path()).kill_on_drop(true);
        command
    }

    /// Runs `rescind` with these words to its end.
    pub(crate) async fn run(&self, line: &str, input: &str) -> Ran {
        run(self.rescind(line.split_whitespace()), input).await
    }

    /// Starts a process; `name` is that of its output's files.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Process {
        let (out, log) = (self.path(&format!("{name}.out")), self.path(&format!("{name}.log")));
        command.stdin(Stdio::null());
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&log).unwrap());
        Process { child: command.spawn().unwrap(), out, log }
    }
}

/// Runs a command to its end.
pub(crate) async fn run(mut command: Command, input: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that ends without reading is none of our business here.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = timeout(SOON, child.wait_with_output()).await.expect("it does not end").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let exit = output.status.code().unwrap_or_else(|| panic!("ended by {}", output.status));
    Ran { exit, out: text(output.stdout), talk: text(output.stderr) }
}

impl Ran {
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.exit, 0, "{self:?}");
        self
    }

    /// Standard output, which is one JSON value on one line.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Process {
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it has ended")
    }

    /// Waits until its standard output is as it should be.
    pub(crate) async fn says(&mut self, enough: impl Fn(&str) -> bool) -> String {
        self.look(Self::out, enough).await
    }

    /// Waits until its log is as it should be.
    pub(crate) async fn logs(&mut self, enough: impl Fn(&str) -> bool) -> String {
        self.look(Self::log, enough).await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(SOON, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("it goes on:\n{}", self.log())).unwrap()
    }

    /// SIGTERM, and a good end.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{status}:\n{}", self.log());
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Whether it ends before it says or logs one of these.
    pub(crate) async fn ends_before(&mut self, signs: &[&str]) -> bool {
        let waited = timeout(SOON, async {
            loop {
                let ended = self.child.try_wait().unwrap().is_some();
                let text = self.out() + &self.log();
                match signs.iter().any(|sign| text.contains(sign)) {
                    true => return false,
                    false if ended => return true,
                    false => sleep(LOOK_EVERY).await,
                }
            }
        });
        waited.await.expect("it does nothing")
    }

    async fn look(
        &mut self,
        read: impl Fn(&Self) -> String,
        enough: impl Fn(&str) -> bool,
    ) -> String {
        let waited = timeout(SOON, async {
            loop {
                // Looked at before the output: what was written last is not missed.
                let ended = self.child.try_wait().unwrap();
                let text = read(self);
                if enough(&text) {
                    return text;
                }
                if let Some(status) = ended {
                    panic!("it ended with {status}:\n{}{}", self.out(), self.log());
                }
                sleep(LOOK_EVERY).await;
            }
        });
        let waited = waited.await;
        waited.unwrap_or_else(|_| panic!("it did not come:\n{}{}", self.out(), self.log()))
    }
}

/// The names in a directory, in order.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
