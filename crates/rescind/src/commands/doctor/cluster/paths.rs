//! Whether nodes can be reached where their rows say: from this host, as another node would.

use super::nodes::named;
use super::{Findings, State};
use crate::server::chain;
use rescind_node::cluster::{Unreached, reach};
use rescind_store::{Contact, Member};
use std::time::Duration;
use tokio::task::JoinSet;

/// What became of the way to each node that says where it is, in the order of the rows.
pub(super) type Paths = Vec<(Member, Result<Duration, Unreached>)>;

/// All at once: each takes a few seconds at most.
pub(super) async fn walk(members: &[Member]) -> Paths {
    let mut walking = JoinSet::new();
    for (number, member) in members.iter().enumerate() {
        let Some(contact) = member.contact.clone() else { continue };
        walking.spawn(async move { (number, reach(&contact).await) });
    }
    let mut walked = walking.join_all().await;
    walked.sort_by_key(|(number, _)| *number);
    let path = |(number, found)| Some((members.get::<usize>(number)?.clone(), found));
    walked.into_iter().filter_map(path).collect()
}

pub(super) fn judge(members: &[Member], paths: &Paths, findings: &mut Findings) {
    if paths.is_empty() {
        let message = "no node listens for others: what they say goes through PostgreSQL";
        return findings.add("paths", State::Good, message);
    }
    let before = findings.count();
    for (member, found) in paths {
        let Err(error) = found else { continue };
        let place = member.contact.as_ref().map_or("", |Contact { address, .. }| address);
        let message = format!("{} at {place}: {}", named(member), chain(error));
        findings.add("paths", State::Warning, message);
        findings.advise("see what stands between, and what cluster.advertise says on that node");
    }
    for member in members.iter().filter(|member| member.contact.is_none()) {
        let message = format!("{} listens for no other node, and others do", named(member));
        findings.add("paths", State::Warning, message);
        findings.advise("set cluster.listen on all nodes, or on none");
    }
    if findings.count() == before {
        let worst = paths.iter().filter_map(|(_, found)| found.as_ref().ok()).max();
        let millis = worst.map_or(0, Duration::as_millis);
        let message = match paths.len() {
            1 => format!("the one node was reached from here, within {millis} ms"),
            count => format!("{count} nodes were reached from here, within {millis} ms"),
        };
        findings.add("paths", State::Good, message);
    }
}
