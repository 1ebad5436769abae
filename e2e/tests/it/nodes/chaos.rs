//! Clients that never stop, on all nodes, while nodes, the database and what lies between them are
//! paused, killed, cut and started again. Afterwards a judge reads what the clients saw.
//!
//! Nothing is asserted while it runs, and nothing is looked up in the nodes: what counts is what
//! clients were told, and when.

use super::load::Load;
use super::{Scene, nemesis};
use anyhow::{Context as _, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rescind_e2e::clock::monotonic_ns;
use rescind_e2e::judge::{Op, Operation, Outcome, Verdict, Violation, judge};
use rescind_e2e::nodes::Setup;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const LEASE: Duration = Duration::from_secs(2);
const SHORT_LEASES: Setup = Setup::of(3, "2s");
/// Unless `CHAOS_SECONDS` says otherwise.
const SECONDS: u64 = 20;
/// Unless `CHAOS_WRITERS` says otherwise.
const WRITERS: u32 = 8;
/// After the end of a fault everybody has a lease again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(3);
/// After so many faults comes a while without, in which everything must be available.
const FAULTS_IN_A_ROW: usize = 10;
const QUIET: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_node_accepts_a_token_after_any_node_has_answered_its_revocation() -> anyhow::Result<()>
{
    let seconds = from_environment("CHAOS_SECONDS")?.unwrap_or(SECONDS);
    let writers = from_environment("CHAOS_WRITERS")?.unwrap_or(WRITERS);
    let ablated = match std::env::var("CHAOS_ABLATED") {
        Ok(rules) => Some(&*rules.leak()),
        Err(_) => None,
    };
    let seen = run(Setup { ablated, ..SHORT_LEASES }, writers, seconds).await?;
    let verdict = &seen.verdict;
    ensure!(seen.odd.is_empty(), "{:?}", seen.odd);
    ensure!(verdict.violations.is_empty(), "{verdict}");
    ensure!(seen.unavailable.is_empty(), "without a fault: {:?}", seen.unavailable);
    let least = usize::try_from(seconds)? * 2;
    ensure!(verdict.revoked > least && verdict.accepted > least, "too little load: {verdict}");
    Ok(())
}

/// What the clients saw.
struct Seen {
    verdict: Verdict,
    odd: Vec<String>,
    unavailable: Vec<Operation>,
}

/// When something was wrong.
#[derive(Clone, Copy)]
struct Struck {
    from_ns: u64,
    /// It was undone.
    until_ns: u64,
}

async fn run(setup: Setup, writers: u32, seconds: u64) -> anyhow::Result<Seen> {
    let mut rng = seeded()?;
    let mut scene = Scene::with(setup).await?;
    let load = Arc::new(Load::new(&scene, writers).await?);
    let mut clients = load.start();
    let (mut struck, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < Duration::from_secs(seconds) {
        sleep(Duration::from_millis(rng.random_range(50..700))).await;
        let from_ns = monotonic_ns();
        let what = nemesis::strike(&mut scene, &load, &mut rng, LEASE).await?;
        struck.push(Struck { from_ns, until_ns: monotonic_ns() });
        println!("{:>6.1} s  {what}", begun.elapsed().as_secs_f32());
        if struck.len() % FAULTS_IN_A_ROW == 0 {
            sleep(QUIET).await;
        }
    }
    sleep(LEASE + RECOVERED_WITHIN).await;
    load.stop();
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    load.sweep().await?;
    let (history, odd) = load.recorder.finish();
    let mut verdict = judge(&history, 0);
    // Whoever looked for it was not answered, and then it was not watched any more.
    verdict.violations.retain(|violation| !matches!(violation, Violation::Unwitnessed(_)));
    println!("{} faults; {verdict}", struck.len());
    let late = |violation: &&Violation| matches!(violation, Violation::LateAccept(_));
    let late = verdict.violations.iter().filter(late).count();
    println!("{late} late accepts in {} revocations under fault", under_fault(&history, &struck));
    Ok(Seen { unavailable: unavailable(&history, &struck, writers), verdict, odd })
}

/// How many revocations were answered of those that a fault overlapped.
fn under_fault(history: &[Operation], struck: &[Struck]) -> usize {
    let answered = |op: &&Operation| op.op == Op::Settle && op.outcome == Outcome::Accepted;
    history.iter().filter(answered).filter(|op| during(op, struck, Duration::ZERO)).count()
}

/// Verifications that were neither yes nor no, and began when nothing was wrong. Writers are no
/// witnesses: they wait for a moment only.
fn unavailable(history: &[Operation], struck: &[Struck], writers: u32) -> Vec<Operation> {
    let unknown = |op: &&Operation| op.op == Op::Verify && op.outcome == Outcome::Unknown;
    let unknown = history.iter().filter(unknown).filter(|op| op.client >= writers);
    unknown.filter(|op| !during(op, struck, LEASE + RECOVERED_WITHIN)).cloned().collect()
}

/// They come in order, and do not overlap.
fn during(op: &Operation, struck: &[Struck], and_after: Duration) -> bool {
    let and_after = u64::try_from(and_after.as_nanos()).unwrap_or(u64::MAX);
    let over = struck.partition_point(|one| one.until_ns.saturating_add(and_after) < op.invoke_ns);
    struck.get(over).is_some_and(|one| one.from_ns <= op.return_ns)
}

/// The seed is printed, and can be given again.
fn seeded() -> anyhow::Result<StdRng> {
    let seed = from_environment("RESCIND_E2E_SEED")?.unwrap_or_else(rand::random);
    println!("RESCIND_E2E_SEED={seed}");
    Ok(StdRng::seed_from_u64(seed))
}

fn from_environment<T: FromStr>(name: &'static str) -> anyhow::Result<Option<T>> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    Ok(Some(text.parse().ok().with_context(|| format!("{name} is not a number"))?))
}
