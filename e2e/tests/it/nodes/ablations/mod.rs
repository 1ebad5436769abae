//! Each rule of the lease protocol is switched off in the real binary, and found to be missing.
//!
//! Most rules forbid an order of steps that takes a coincidence; chaos by chance would wait for it
//! for days. So each has a schedule that brings it about, by real means: connections that are held
//! up, processes that stand still, clocks that step, a standby that takes over. It is played twice.
//! With all rules nothing is wrong; without the one, the judge must find a token that was accepted
//! after its revocation had been answered. What is found here would be found in the product.

mod failover;
mod joining;
mod leaving;
mod pushes;
mod renewal;
mod restored;
mod revoker;
mod verifying;

use super::trial::{Servers, Trial};
use anyhow::{Context as _, ensure};
use rescind_e2e::judge::{Verdict, Violation};
use rescind_e2e::nodes::Setup;
use std::pin::Pin;
use tokio::time::Instant;

type Played<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;

/// A rule (or two, if one covers for the other), and the schedule that shows what it is there for.
struct Case {
    rules: &'static str,
    setup: Setup,
    /// Primary, standby, and the standby of that: for what has to do with a failover.
    failover: bool,
    play: for<'a> fn(&'a mut Trial) -> Played<'a>,
}

/// A token was accepted late without the rule.
struct Found {
    tries: usize,
}

/// Where two threads race for it, it is tried again.
const TRIES: usize = 5;

macro_rules! cases {
    ($($rules:literal: $play:path, $setup:expr;)*) => {
        vec![$(case($rules, $setup, |trial| Box::pin($play(trial)))),*]
    };
}

fn case(rules: &'static str, setup: Setup, play: for<'a> fn(&'a mut Trial) -> Played<'a>) -> Case {
    Case { rules, setup, failover: false, play }
}

/// Three nodes; the third has the fault.
fn three(lease: &'static str) -> Setup {
    // Their schedules hold back what goes through the database.
    Setup { direct: false, ..Setup::of(3, lease) }
}

/// Three nodes, of which the third comes later.
fn two_and_one(lease: &'static str) -> Setup {
    Setup { later: 1, ..three(lease) }
}

/// Those that take a few seconds.
fn quick() -> Vec<Case> {
    cases! {
        "revoker-waits": revoker::node_is_cut_off, three("2s");
        "apply-before-acknowledge,acknowledge-of-one-history": renewal::log_does_not_come, three("2s");
        "register-before-read": joining::revoked_before_the_row, two_and_one("5s");
        "fetched-is-not-older": verifying::fetched_while_it_is_revoked, three("3s");
        "round-after-asking": verifying::asked_while_the_log_is_read,
            Setup { through: 1, ..three("3s") };
    }
}

fn slow() -> Vec<Case> {
    cases! {
        "lease-runs-out": revoker::node_is_cut_off, three("2s");
        "wait-for-the-silent": revoker::node_is_cut_off, three("2s");
        "settle-repeats": revoker::asked_again_while_the_first_waits, three("2s");
        "watch-before-reaping": revoker::node_is_cut_off_for_a_while, three("4s");
        "decide-by-the-clock": verifying::node_stands_still, three("2s");
        "count-before-the-answer": renewal::log_comes_late, three("6s");
        "count-before-the-read": renewal::renewal_is_confirmed_late, three("8s");
        "drift-margin": renewal::clocks_drift, three("20s");
        "commit-before-members": joining::joined_since, two_and_one("2s");
        "apply-before-extend,generation-again": renewal::much_was_missed, three("6s");
        "monotonic-wait": revoker::wall_clock_steps, three("3s");
        "lease-before-data,generation-again": verifying::renewed_while_it_decides, three("2s");
        "renewal-reads-the-log": renewal::doorbell_is_lost, three("2s");
        "gapless-epochs": revoker::numbers_overtake,
            Setup { before: revoker::DRAWN, ..three("3s") };
        "known-outcome": revoker::commit_is_lost, three("2s");
        "row-per-incarnation": joining::successor_takes_the_name,
            Setup { nodes: 4, twins: true, ..two_and_one("8s") };
        "push-follows": pushes::one_before_was_not_pushed, Setup::of(3, "20s");
        "seal-before-leaving": leaving::asked_when_the_row_is_gone, three("20s");
        "register-once": joining::registered_again, three("5s");
        "notice-the-truth-going-back": restored::backup_takes_its_place, three("3s");
        "acknowledge-of-one-history": restored::number_is_given_to_something_else,
            Setup::of(3, "20s");
        "push-of-one-history": restored::next_number_is_told, Setup::of(3, "20s");
    }
}

fn of_failover() -> Vec<Case> {
    let cases = cases! {
        "synchronous-replication": failover::standby_is_behind, three("2s");
        "renewal-writes": failover::old_primary_lives_on, three("2s");
        "members-know-the-epoch": failover::members_are_read_on_the_old_primary,
            Setup { nodes: 2, ..two_and_one("4s") };
    };
    cases.into_iter().map(|case| Case { failover: true, ..case }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_are_quickly_missed_are_missed() -> anyhow::Result<()> {
    all_are_missed(quick()).await
}

/// `just ablations`: several minutes. `RULE` chooses one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "several minutes: just ablations"]
async fn every_rule_is_missed() -> anyhow::Result<()> {
    let cases = quick().into_iter().chain(slow()).chain(of_failover());
    let cases: Vec<_> = match std::env::var("RULE") {
        Ok(rule) => cases.filter(|case| case.rules.split(',').any(|one| one == rule)).collect(),
        Err(_) => cases.collect(),
    };
    ensure!(!cases.is_empty(), "there is no such rule here");
    all_are_missed(cases).await
}

async fn all_are_missed(cases: Vec<Case>) -> anyhow::Result<()> {
    let server = Servers::one().await?;
    let mut wrong = Vec::new();
    for case in cases {
        let begun = Instant::now();
        let shown = case.shown(&server).await;
        let took = begun.elapsed().as_secs_f32();
        match shown {
            Ok(Found { tries }) => println!("{took:>5.1} s  {}: found, try {tries}", case.rules),
            Err(error) => wrong.push(format!("{}: {error:#}", case.rules)),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

impl Case {
    async fn shown(&self, server: &Servers) -> anyhow::Result<Found> {
        let kept = self.played(None, server).await.context("with all rules")?;
        ensure!(kept.violations.is_empty(), "with all rules: {kept}");
        ensure!(kept.accepted > 0 && kept.revoked > 0, "nothing was shown: {kept}");
        for tries in 1..=TRIES {
            let broken = self.played(Some(self.rules), server).await.context("without it")?;
            let late = |violation: &Violation| matches!(violation, Violation::LateAccept(_));
            if broken.violations.iter().any(late) {
                return Ok(Found { tries });
            }
            println!("         {}: not found: {broken}", self.rules);
        }
        anyhow::bail!("nothing was found without it")
    }

    async fn played(
        &self,
        ablated: Option<&'static str>,
        server: &Servers,
    ) -> anyhow::Result<Verdict> {
        let setup = Setup { ablated, ..self.setup };
        let (servers, setup) = match self.failover {
            true => failover::servers_and_setup(setup).await?,
            false => (server.clone(), setup),
        };
        let mut trial = Trial::of(setup, &servers).await?;
        let played = (self.play)(&mut trial).await;
        played.with_context(|| trial.logs())?;
        trial.verdict()
    }
}
