//! The rows of nodes, read twice: one that has not renewed in between is silent.

use super::{Findings, State};
use rescind_node::cluster::Timing;
use rescind_store::postgres::{Examiner, OpenError};
use rescind_store::{Member, Roll};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest look. A node with a lease of five minutes renews it once in one.
const WATCH_MAX: Duration = Duration::from_secs(75);
/// What a renewal may be late when all is well.
const LATE: Duration = Duration::from_millis(500);

/// What was seen first and last, and how long it took.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) first: Roll,
    pub(super) last: Roll,
    pub(super) took: Duration,
}

/// As long as the slowest of them takes to renew its lease.
pub(super) async fn watch(examiner: &Examiner) -> Result<Watched, OpenError> {
    let first = examiner.roll().await?;
    let longest = first.members.iter().map(renewal).max();
    let took = longest.map_or(Duration::ZERO, |renewal| (renewal + LATE).min(WATCH_MAX));
    tokio::time::sleep(took).await;
    let last = examiner.roll().await?;
    Ok(Watched { first, last, took })
}

/// How often it should renew; a row with an impossible lease is looked at for as long as any.
fn renewal(member: &Member) -> Duration {
    let timing = Timing::new(Duration::from_millis(member.lease_ms));
    timing.map_or(WATCH_MAX, |timing| Duration::from_millis(timing.renewal_ms()))
}

pub(super) fn judge(watched: &Watched, lease: Duration, findings: &mut Findings) {
    let members = &watched.last.members;
    let before = findings.count();
    for member in members {
        if is_silent(member, watched) {
            let message = format!(
                "{} has not renewed its lease for {:.1} s: if it stays away, one revocation waits \
                 for the end of its lease",
                named(member),
                watched.took.as_secs_f64()
            );
            findings.add("nodes", State::Warning, message);
            findings.advise("see whether that node runs, and reaches the database");
        }
    }
    let mut lives: BTreeMap<&str, usize> = BTreeMap::new();
    for member in members {
        *lives.entry(&member.node).or_default() += 1;
    }
    for (node, count) in lives.into_iter().filter(|(_, count)| *count > 1) {
        let message = format!("{node} is there {count} times: an earlier life, or two by one name");
        findings.add("nodes", State::Warning, message);
        findings.advise("give each node a name of its own (cluster.node)");
    }
    if findings.count() == before {
        let message = match members.len() {
            0 => "none runs".to_owned(),
            1 => "1 runs, and renews its lease".to_owned(),
            count => format!("{count} run, and renew their leases"),
        };
        findings.add("nodes", State::Good, message);
    }
    judge_leases(members, lease, findings);
    judge_lag(watched, findings);
}

/// Of a row that was there from the start: a new one has had no time.
fn is_silent(member: &Member, watched: &Watched) -> bool {
    let same =
        |other: &&Member| other.node == member.node && other.incarnation == member.incarnation;
    let before = watched.first.members.iter().find(same);
    before.is_some_and(|before| before.renewals == member.renewals)
}

fn judge_leases(members: &[Member], lease: Duration, findings: &mut Findings) {
    let ours = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    let others: Vec<_> = members.iter().filter(|member| member.lease_ms != ours).collect();
    if others.is_empty() {
        return findings.add("leases", State::Good, format!("{ours} ms"));
    }
    for member in others {
        let message = format!(
            "{} has leases of {} ms, and this configuration says {ours} ms",
            named(member),
            member.lease_ms
        );
        findings.add("leases", State::Warning, message);
    }
    findings.advise("set cluster.lease to the same everywhere: the longest is waited for");
}

/// Behind the head of the first look at the second one: a change that is on its way is none.
fn judge_lag(watched: &Watched, findings: &mut Findings) {
    let head = watched.first.head;
    let behind: Vec<_> =
        watched.last.members.iter().filter(|member| member.applied < head).collect();
    if behind.is_empty() {
        return findings.add("lag", State::Good, format!("none is behind epoch {head}"));
    }
    for member in behind {
        let message = format!(
            "{} has applied epoch {}, and {:.1} s ago there was {head}",
            named(member),
            member.applied,
            watched.took.as_secs_f64()
        );
        findings.add("lag", State::Warning, message);
    }
    findings.advise("look at that node's log: it cannot read the database's, or is silent");
}

pub(super) fn named(member: &Member) -> String {
    format!("{} ({:016x})", member.node, member.incarnation)
}
