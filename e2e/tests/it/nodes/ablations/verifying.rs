//! What goes on within one verification, and what it finds in memory.

use super::Trial;
use anyhow::{Context as _, ensure};
use rescind_e2e::link::{Hold, Line, Way};
use rustix::process::Pid;
use std::process::Command;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// As the product names it.
const LEASE_THREAD: &str = "rescind-lease";

/// A node fetches a token that it does not know, and what it gets is older than its memory.
pub(super) async fn fetched_while_it_is_revoked(trial: &mut Trial) -> anyhow::Result<()> {
    // The statement is prepared by now.
    let client = trial.client()?;
    for _ in 0..4 {
        trial.known_on(2).await?;
    }
    let token = client.create(0).await?;
    let mut fetches = trial.link(2)?.hold(Hold::line(Line::Fetch).only(Way::Answers));
    let (looker, looked_for) = (client.clone(), token.clone());
    let looking = tokio::spawn(async move { looker.look(2, &looked_for).await });
    fetches.reached(Duration::from_secs(5)).await?;
    client.revoke(0, &token).await?.context("not revoked")?;
    drop(fetches);
    looking.await??;
    client.watch(2, &token, Duration::from_millis(300)).await
}

/// A node without leases reads the log for one question, and is asked another one before it has the
/// answer.
pub(super) async fn asked_while_the_log_is_read(trial: &mut Trial) -> anyhow::Result<()> {
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let look = || {
        let (looker, looked_for) = (client.clone(), token.clone());
        tokio::spawn(async move { looker.look(2, &looked_for).await })
    };
    let answers = Hold::line(Line::Log).only(Way::Answers).from("REPEATABLE READ");
    let mut held = trial.link(2)?.hold(answers);
    let first = look();
    held.reached(Duration::from_secs(5)).await?;
    client.revoke(0, &token).await?.context("not revoked")?;
    let second = look();
    sleep(Duration::from_millis(100)).await;
    drop(held);
    first.await??;
    second.await??;
    client.watch(2, &token, Duration::from_millis(300)).await
}

/// Requests wait for a node that stands still for longer than its lease. When it wakes up they are
/// served before its timers run: it has one processor, and the thread of its lease gets that when
/// nobody else wants it.
pub(super) async fn node_stands_still(trial: &mut Trial) -> anyhow::Result<()> {
    const WAITING: usize = 100;
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let mut connections = Vec::new();
    for _ in 0..WAITING {
        let mut connection = client.connect(2).await?;
        client.look_on(&mut connection, 2, &token).await?;
        connections.push(connection);
    }
    let node = trial.scene.nodes.node(2)?;
    starve_the_lease(node.process()?)?;
    node.pause()?;
    client.revoke(0, &token).await?.context("not revoked")?;
    let waiting: JoinSet<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (client, token) = (client.clone(), token.clone());
            async move { client.look_on(&mut connection, 2, &token).await }
        })
        .collect();
    sleep(Duration::from_millis(100)).await;
    node.unpause()?;
    waiting.join_all().await.into_iter().collect::<Result<Vec<_>, _>>().map(drop)
}

fn starve_the_lease(process: Pid) -> anyhow::Result<()> {
    let process = process.as_raw_nonzero().to_string();
    let own = std::fs::read_to_string("/proc/self/status")?;
    let allowed = own.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let one =
        allowed.and_then(|list| list.trim().split([',', '-']).next()).context("no processor")?;
    run("taskset", &["--all-tasks", "--cpu-list", "--pid", one, &process])?;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?;
        if std::fs::read_to_string(task.path().join("comm"))?.trim() == LEASE_THREAD {
            let task = task.file_name().into_string().ok().context("no thread")?;
            return run("chrt", &["--idle", "--pid", "0", &task]);
        }
    }
    anyhow::bail!("no thread keeps the lease")
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A verification has looked the token up without a lease. Before it decides, its node has one again.
pub(super) async fn renewed_while_it_decides(trial: &mut Trial) -> anyhow::Result<()> {
    let node = trial.scene.nodes.node_mut(2)?;
    let late = node.file("late");
    let name = late.to_str().context("a path that is not UTF-8")?.to_owned();
    node.restart_with(vec![("ABLATION_LATE_CLOCK", name)]).await?;
    let (client, token) = (trial.client()?, trial.known_on(2).await?);
    let cut = trial.link(2)?.hold(Hold::ALL);
    client.revoke(0, &token).await?.context("not revoked")?;
    std::fs::write(&late, "2500")?;
    sleep(Duration::from_millis(50)).await;
    let (looker, looked_for) = (client.clone(), token.clone());
    let looking = tokio::spawn(async move { looker.look(2, &looked_for).await });
    sleep(Duration::from_millis(200)).await;
    ensure!(!looking.is_finished(), "the clock was not late");
    drop(cut);
    looking.await??;
    std::fs::write(&late, "0").map_err(Into::into)
}
