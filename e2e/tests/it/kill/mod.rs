//! `kill -9` at every named point of a write, and at random times, while clients create, use and
//! revoke.
//!
//! One data directory lives through all of it. Each restart must continue the audit chain that
//! was seen before; at the end every token that was ever answered is looked at, and the judge
//! reads the whole history.

mod load;

use anyhow::{Context as _, ensure};
use load::Load;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rescind_e2e::admin::Admin;
use rescind_e2e::audit::Chain;
use rescind_e2e::clock::monotonic_ns;
use rescind_e2e::credential::Credential;
use rescind_e2e::judge::{Op, Operation, Outcome, Violation, judge};
use rescind_e2e::server::{Home, Server};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Kills under load, at the least; those during start come on top.
const KILLS_MIN: usize = 100;

const CRASH_POINTS: [&str; 6] = [
    "before_begin",
    "after_begin",
    "before_commit",
    "after_commit",
    "after_publish",
    "before_answer",
];

/// At which passage of the point. A start passes each a few times itself.
const PASSAGES: [u32; 7] = [2, 6, 11, 17, 26, 41, 64];

/// A point that the load does not reach in this time is not passed at all.
const POINT_REACHED_WITHIN: Duration = Duration::from_secs(20);

const RANDOM_LIFE_MILLIS: std::ops::Range<u64> = 20..700;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answered_change_is_lost_or_undone_by_a_hundred_kills() -> anyhow::Result<()> {
    let mut rng = seeded()?;
    let mut campaign = Campaign::new().await?;
    for point in CRASH_POINTS {
        for passage in PASSAGES {
            campaign.die_at(&format!("{point}:{passage}")).await?;
        }
    }
    while campaign.kills < KILLS_MIN {
        campaign.die_after(Duration::from_millis(rng.random_range(RANDOM_LIFE_MILLIS))).await?;
    }
    campaign.conclude().await
}

/// The seed is printed, and can be given again.
fn seeded() -> anyhow::Result<StdRng> {
    let seed = match std::env::var("RESCIND_E2E_SEED") {
        Ok(seed) => seed.parse().context("RESCIND_E2E_SEED is not a number")?,
        Err(_) => rand::random(),
    };
    println!("RESCIND_E2E_SEED={seed}");
    Ok(StdRng::seed_from_u64(seed))
}

struct Campaign {
    home: Home,
    load: Arc<Load>,
    chain: Chain,
    kills: usize,
    killed_at_start: usize,
}

impl Campaign {
    async fn new() -> anyhow::Result<Self> {
        let home = Home::new()?;
        let server = home.start_alone(&[]).await?;
        let load = Arc::new(Load::new(&server).await?);
        server.kill().await?;
        Ok(Self { home, load, chain: Chain::default(), kills: 0, killed_at_start: 0 })
    }

    async fn die_at(&mut self, crash_point: &str) -> anyhow::Result<()> {
        let Ok(server) = self.home.start_alone(&[("RESCIND_CRASH_POINT", crash_point)]).await
        else {
            // If it was not the crash point that ended it, the next round finds that out.
            self.killed_at_start += 1;
            return Ok(());
        };
        let clients = self.load.run(&server).await;
        let ended = server.ended(POINT_REACHED_WITHIN).await;
        let status = ended.with_context(|| format!("{crash_point} was never passed"))?;
        const SIGABRT: i32 = 6;
        ensure!(
            status.signal() == Some(SIGABRT),
            "{crash_point}: {status}\n{}",
            self.home.log_tail()
        );
        clients.join_all().await;
        self.kills += 1;
        Ok(())
    }

    async fn die_after(&mut self, life: Duration) -> anyhow::Result<()> {
        let mut server = self.home.start_alone(&[]).await?;
        self.read_audit(&server).await?;
        let clients = self.load.run(&server).await;
        tokio::time::sleep(life).await;
        ensure!(server.is_running()?, "it ended by itself\n{}", self.home.log_tail());
        server.kill().await?;
        clients.join_all().await;
        self.kills += 1;
        Ok(())
    }

    /// What was read of the chain before a kill must still stand, and what follows must link to it.
    async fn read_audit(&mut self, server: &Server) -> anyhow::Result<()> {
        let seen = Some(self.chain.seen().to_string());
        let entries = Admin::connect(server).await?.all_after("/v1/audit?", seen).await?;
        self.chain.extend(entries)
    }

    async fn conclude(mut self) -> anyhow::Result<()> {
        let server = self.home.start_alone(&[]).await?;
        let sweep_from = monotonic_ns();
        self.load.sweep(&server).await?;
        self.read_audit(&server).await?;
        ensure!(server.terminate().await?.success(), "SIGTERM did not end it well");

        let (history, odd) = self.load.recorder.finish();
        let verdict = judge(&history, sweep_from);
        let at_start = self.killed_at_start;
        println!("{} kills, {at_start} more during start; {verdict}", self.kills);
        assert_eq!(odd, Vec::<String>::new());
        assert_eq!(verdict.violations, []);
        assert!(verdict.created > 1_000 && verdict.revoked > 300, "too little load: {verdict}");
        compare(&self.chain, &history);
        Ok(())
    }
}

/// Holds the audit log against what clients know: one entry for each answered change, none for what
/// nobody asked for.
pub(super) fn compare(chain: &Chain, history: &[Operation]) {
    let issued = chain.counts("token.issued");
    let revoked = chain.counts("token.revoked");
    let mut asked = BTreeSet::new();
    for operation in history {
        let token = operation.token.as_str();
        let answered = operation.outcome == Outcome::Accepted;
        match operation.op {
            Op::Create if answered => assert_eq!(issued.get(token), Some(&1), "{token}"),
            Op::Revoke if answered => assert_eq!(revoked.get(token), Some(&1), "{token}"),
            Op::Revoke => {}
            Op::Create | Op::Verify | Op::Settle => continue,
        }
        asked.insert(token);
    }
    for (token, count) in revoked {
        assert!(asked.contains(token) && count == 1, "{token}: {count} unexplained revocations");
    }
}

/// Proves the whole apparatus, from the binary to the judge: here a revocation really is undone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_put_back_to_before_a_revocation_is_reported_by_the_judge() -> anyhow::Result<()>
{
    let home = Home::new()?;
    let server = home.start_alone(&[]).await?;
    let load = Load::new(&server).await?;
    let credential = load.create_bearer(0, &mut Admin::connect(&server).await?).await?;
    server.terminate().await?;
    let before = home.copy_data()?;

    let server = home.start_alone(&[]).await?;
    let mut connection = server.connect().await?;
    let recorder = &load.recorder;
    assert_eq!(recorder.revoke(0, &mut connection, &credential).await?, Outcome::Accepted);
    assert_eq!(recorder.verify(0, &mut connection, &credential).await?, Outcome::Refused);
    let mut chain = Chain::default();
    chain.extend(Admin::connect(&server).await?.all("/v1/audit?").await?)?;
    server.kill().await?;
    home.restore_data(&before)?;

    let server = home.start_alone(&[]).await?;
    let outcome = recorder.verify(0, &mut server.connect().await?, &credential).await?;
    assert_eq!(outcome, Outcome::Accepted, "the plant did not take");
    let id = credential.id().to_owned();
    let expected = [Violation::LateAccept(id.clone()), Violation::Resurrected(id)];
    assert_eq!(judge(&recorder.finish().0, 0).violations, expected);
    assert!(is_rewound(&chain, &server).await?, "the audit chain does not show it either");
    Ok(())
}

/// Whether the log ends before where it once ended.
async fn is_rewound(chain: &Chain, server: &Server) -> anyhow::Result<bool> {
    let mut now = Chain::default();
    now.extend(Admin::connect(server).await?.all("/v1/audit?").await?)?;
    Ok(now.seen() < chain.seen())
}

/// The final sweep and the load draw from the same tokens.
type Pool = BTreeMap<String, Credential>;
