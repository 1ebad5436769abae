//! What becomes of answered changes when a system call kills the server, fails, or finds the disk
//! full: at the first such call, at the second, and so on, until a run ends without the fault.
//!
//! The points of `kill` are where we thought that a crash could hurt; these are found by counting.

use crate::kill::compare;
use anyhow::{Context as _, ensure};
use rescind_e2e::admin::{Admin, read_bearer};
use rescind_e2e::audit::Chain;
use rescind_e2e::clock::monotonic_ns;
use rescind_e2e::credential::{Bearer, Credential};
use rescind_e2e::judge::{Op, Outcome, Verdict, judge};
use rescind_e2e::recorder::Recorder;
use rescind_e2e::server::{Home, Server};
use rescind_e2e::strace::Strace;
use rescind_e2e::wire::{Answer, Connection, PATIENCE, Request};
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

/// More calls than a short life makes: the loops must end by themselves.
const POINTS_MAX: usize = 120;

/// A creation syncs, and so does a revocation.
const SYNCS_MIN: usize = 2;

/// A creation changes several pages, each written with a header. Ten, in truth; a write of
/// last-used times may come between.
const WRITES_MIN: usize = 6;

/// A process that can no longer keep its promises does not linger.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// What the process ends with when its store has failed.
const EXIT_UNREACHABLE: i32 = 3;

#[tokio::test]
async fn nothing_is_answered_before_its_sync_or_lost_after_it() -> anyhow::Result<()> {
    let Killed { points, verdict } = kill_at_each("fsync,fdatasync").await?;
    assert!(points >= SYNCS_MIN, "{points} syncs");
    // The first sync of a life comes before its first answer, the second before the next.
    let lives = points + 1;
    assert!(verdict.created < lives, "a creation did not wait for its sync: {verdict}");
    assert!(verdict.revoked < lives - 1, "a revocation did not wait for its sync: {verdict}");
    Ok(())
}

#[tokio::test]
async fn no_answered_change_is_lost_or_undone_by_a_kill_at_any_page_written() -> anyhow::Result<()>
{
    let Killed { points, .. } = kill_at_each("pwrite64").await?;
    assert!(points >= WRITES_MIN, "{points} writes");
    Ok(())
}

/// Committed, and then the answer does not get out; and the log, cut while it is emptied.
#[tokio::test]
async fn no_answered_change_is_lost_or_undone_by_a_kill_at_an_answer_or_a_truncation()
-> anyhow::Result<()> {
    for call in ["writev", "ftruncate"] {
        let Killed { points, .. } = kill_at_each(call).await?;
        assert!(points > 0, "{call} is never called");
    }
    Ok(())
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_answered_and_the_process_ends() -> anyhow::Result<()> {
    let mut trial = Trial::new()?;
    for victim in [Op::Create, Op::Revoke] {
        let server = trial.start().await?;
        let doomed = trial.create(&server).await?;
        let kept = trial.create(&server).await?;
        // In flight before the fault, so that they are answered even while the server drains.
        let first = match victim {
            Op::Revoke => Held::revocation(&server, &doomed).await?,
            _ => Held::creation(&server).await?,
        };
        let later = Held::revocation(&server, &kept).await?;
        let verification = Held::verification(&server, &kept).await?;

        let strace = Strace::attach(&server, "fsync,fdatasync:error=EIO:when=1").await?;
        match victim {
            Op::Revoke => trial.revoke_in_vain(&doomed, first).await?,
            _ => drop(first.finish().await?.expect_status(503)?),
        }
        verification.finish().await?.expect_status(503).context("it is not sealed")?;
        trial.revoke_in_vain(&kept, later).await?;
        let status = server.ended(ENDS_WITHIN).await?;
        assert_eq!(status.code(), Some(EXIT_UNREACHABLE), "{status}\n{}", trial.home.log_tail());
        assert_eq!(strace.detach().await?, 1, "syncs that failed");
    }
    trial.conclude().await.map(drop)
}

#[tokio::test]
async fn full_disk_fails_only_what_it_hits() -> anyhow::Result<()> {
    /// A disk may stay full for as many writes as a creation makes, so that the checkpoint after
    /// the failure finds it full as well.
    const FULL_FOR: [usize; 2] = [1, 10];
    let mut trial = Trial::new()?;
    let mut server = trial.start().await?;
    for full_for in FULL_FOR {
        let mut refused = 0;
        for first in 1.. {
            ensure!(first < POINTS_MAX, "writes without end");
            let last = first + full_for - 1;
            let fault = format!("pwrite64:error=ENOSPC:when={first}..{last}");
            match trial.live_with_full_disk(&server, &fault).await.with_context(|| fault)? {
                (Outcome::Unknown, _) => refused += 1,
                (_, 0) => break,
                // Only the writes after the answer found the disk full.
                _ => {}
            }
            ensure!(server.is_running()?, "it ended\n{}", trial.home.log_tail());
        }
        assert!(refused >= WRITES_MIN, "only {refused} creations met the full disk");
    }
    assert!(server.terminate().await?.success(), "{}", trial.home.log_tail());
    trial.conclude().await.map(drop)
}

struct Killed {
    /// Calls at which a life ended.
    points: usize,
    verdict: Verdict,
}

/// One life for each call of this kind between a start and the end of its drain. The next life is
/// the restart, without a fault until it is ready.
async fn kill_at_each(call: &str) -> anyhow::Result<Killed> {
    let mut trial = Trial::new()?;
    let mut points = 0;
    loop {
        let server = trial.start().await?;
        let fault = format!("{call}:signal=KILL:when={}", points + 1);
        let strace = Strace::attach(&server, &fault).await?;
        let lived = trial.live(&server).await;
        let status = server.terminate().await?;
        strace.detach().await?;
        if status.success() {
            lived.with_context(|| format!("{fault} did not happen"))?;
            break;
        }
        // Otherwise the error is its death; what was under way is in the history as unknown.
        const SIGKILL: i32 = 9;
        ensure!(status.signal() == Some(SIGKILL), "{fault}: {status}\n{}", trial.home.log_tail());
        points += 1;
        ensure!(points < POINTS_MAX, "{call} is called without end");
    }
    let verdict = trial.conclude().await?;
    println!("killed at {points} calls of {call}; {verdict}");
    Ok(Killed { points, verdict })
}

/// One data directory through many lives, and what its clients saw.
struct Trial {
    home: Home,
    recorder: Recorder,
    /// Every token that was ever answered, alive or not.
    tokens: Vec<Bearer>,
    chain: Chain,
}

impl Trial {
    fn new() -> anyhow::Result<Self> {
        let (recorder, tokens, chain) = Default::default();
        Ok(Self { home: Home::new()?, recorder, tokens, chain })
    }

    /// Starts without a fault, and looks at the audit chain and at the token of the life before.
    async fn start(&mut self) -> anyhow::Result<Server> {
        let server = self.home.start_alone(&[]).await?;
        let seen = Some(self.chain.seen().to_string());
        let entries = Admin::connect(&server).await?.all_after("/v1/audit?", seen).await?;
        self.chain.extend(entries)?;
        if let Some(last) = self.tokens.last() {
            self.verify(&server, last).await?;
        }
        Ok(server)
    }

    /// Create, use, revoke, use again.
    async fn live(&mut self, server: &Server) -> anyhow::Result<()> {
        let token = self.create(server).await?;
        self.expect(server, &token, Outcome::Accepted).await?;
        self.revoke(server, &token).await?;
        self.expect(server, &token, Outcome::Refused).await
    }

    /// What became of a creation while the disk was full, and how many writes failed.
    async fn live_with_full_disk(
        &mut self,
        server: &Server,
        fault: &str,
    ) -> anyhow::Result<(Outcome, usize)> {
        let token = self.create(server).await?;
        let strace = Strace::attach(server, fault).await?;
        let creation = self.try_creation(server).await?;
        self.expect(server, &token, Outcome::Accepted).await?;
        let failed = strace.detach().await?;
        self.expect(server, &token, Outcome::Accepted).await?;
        self.revoke(server, &token).await?;
        self.expect(server, &token, Outcome::Refused).await?;
        Ok((creation, failed))
    }

    async fn create(&mut self, server: &Server) -> anyhow::Result<Bearer> {
        ensure!(self.try_creation(server).await? == Outcome::Accepted, "not created");
        self.tokens.last().cloned().context("created, but not kept")
    }

    /// Accepted, or unknown: only an outage may fail a creation.
    async fn try_creation(&mut self, server: &Server) -> anyhow::Result<Outcome> {
        let mut admin = Admin::connect(server).await?;
        let owner = admin.user_id(&server.facts().email).await?;
        let creating = self.recorder.begin(0, Op::Create);
        let answer = admin.create_token(&owner, "bearer").await?;
        if answer.status == 503 {
            return Ok(Outcome::Unknown);
        }
        let token = read_bearer(&answer.expect_status(201)?)?;
        self.recorder.end(creating, &token.id, Outcome::Accepted);
        self.tokens.push(token);
        Ok(Outcome::Accepted)
    }

    async fn verify(&self, server: &Server, token: &Bearer) -> anyhow::Result<Outcome> {
        let credential = Credential::Bearer(token.clone());
        self.recorder.verify(0, &mut server.connect().await?, &credential).await
    }

    async fn expect(&self, server: &Server, token: &Bearer, wanted: Outcome) -> anyhow::Result<()> {
        let seen = self.verify(server, token).await?;
        ensure!(seen == wanted, "{}: {seen:?} instead of {wanted:?}", token.id);
        Ok(())
    }

    async fn revoke(&self, server: &Server, token: &Bearer) -> anyhow::Result<()> {
        let credential = Credential::Bearer(token.clone());
        let outcome = self.recorder.revoke(0, &mut server.connect().await?, &credential).await?;
        ensure!(outcome == Outcome::Accepted, "{}: {outcome:?}", token.id);
        Ok(())
    }

    /// A revocation that must not be answered as done, and may still turn out to be.
    async fn revoke_in_vain(&self, token: &Bearer, revocation: Held) -> anyhow::Result<()> {
        let revoking = self.recorder.begin(0, Op::Revoke);
        let answer = revocation.finish().await;
        self.recorder.end(revoking, &token.id, Outcome::Unknown);
        answer?.expect_status(503).map(drop)
    }

    /// Looks at every token once more, and has the judge read it all.
    async fn conclude(mut self) -> anyhow::Result<Verdict> {
        let server = self.start().await?;
        let sweep_from = monotonic_ns();
        for token in &self.tokens {
            self.verify(&server, token).await?;
        }
        ensure!(server.terminate().await?.success(), "SIGTERM did not end it well");
        let (history, odd) = self.recorder.finish();
        let verdict = judge(&history, sweep_from);
        assert_eq!(odd, Vec::<String>::new());
        assert_eq!(verdict.violations, [], "{verdict}");
        compare(&self.chain, &history);
        Ok(verdict)
    }
}

/// A request whose body is held back: the server waits for it, and has said so.
struct Held {
    connection: Connection,
    body: Vec<u8>,
}

impl Held {
    async fn creation(server: &Server) -> anyhow::Result<Self> {
        let owner = Admin::connect(server).await?.user_id(&server.facts().email).await?;
        let body = json!({"owner_id": owner, "kind": "bearer"});
        Self::of_admin(server, "/v1/tokens", &body).await
    }

    async fn revocation(server: &Server, token: &Bearer) -> anyhow::Result<Self> {
        Self::of_admin(server, &format!("/v1/tokens/{}/revoke", token.id), &json!({})).await
    }

    async fn verification(server: &Server, token: &Bearer) -> anyhow::Result<Self> {
        let request = Request::post("/v1/verify").json(&json!({"token": token.text}));
        Self::begin(Connection::open(server.verify()?).await?, request).await
    }

    async fn of_admin(server: &Server, target: &str, body: &Value) -> anyhow::Result<Self> {
        let authorization = format!("Bearer {}", server.facts().admin_token);
        let request = Request::post(target).header("Authorization", &authorization).json(body);
        Self::begin(Connection::open(server.admin()?).await?, request).await
    }

    async fn begin(mut connection: Connection, request: Request) -> anyhow::Result<Self> {
        let request = request.header("Expect", "100-continue");
        connection.send(request.head().as_bytes()).await?;
        connection.next_answer(PATIENCE).await?.expect_status(100)?;
        Ok(Self { connection, body: request.body })
    }

    async fn finish(mut self) -> anyhow::Result<Answer> {
        self.connection.send(&self.body).await?;
        self.connection.answer_to("POST", PATIENCE).await
    }
}
