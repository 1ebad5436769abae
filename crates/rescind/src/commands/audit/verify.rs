//! `rescind audit verify`: walks the chain from its first entry, and names the first fault.
//!
//! The chain alone shows a changed, missing, repeated or reordered entry. It cannot show that its
//! end was cut off, or that all of it was written anew from some entry on: whoever holds the
//! database can compute hashes as well. For that there are anchors, kept elsewhere.

use super::entries::{Entries, Line};
use crate::{
    cli::{Anchor, AuditVerifyArgs},
    client::Client,
    failure::{Exit, Failure},
    output::Answer,
};
use rescind_core::Timestamp;
use rescind_core::audit::{ChainFault, Walk};
use serde_json::json;

pub(super) async fn run(
    args: &AuditVerifyArgs,
    connect: impl Fn() -> Result<Client, Failure>,
) -> Result<Answer, Failure> {
    if let Some(file) = &args.file {
        return Ok(walk(Entries::open(file)?, &args.anchor).await?.into_answer());
    }
    let client = connect()?;
    let lines = client.lines(&["v1", "audit", "export"]).await?;
    Ok(walk(Entries::Server(lines), &args.anchor).await?.into_answer())
}

/// What the walk has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Whole { entries: u64, head: String, last: Option<Timestamp>, anchors: usize },
    Faulty { fault: Fault, seq: u64, message: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Changed,
    Missing,
    Reordered,
    Repeated,
    Unreadable,
    Truncated,
    Rewritten,
}

pub(super) async fn walk(mut entries: Entries<'_>, anchors: &[Anchor]) -> Result<Finding, Failure> {
    let mut walk = Walk::default();
    let mut last = None;
    if let Some(fault) = anchors.iter().find_map(|anchor| rewritten(anchor, &walk)) {
        return Ok(fault);
    }
    while let Some(line) = entries.next().await? {
        let Line::Entry { entry, recorded } = line else {
            let seq = walk.entries() + 1;
            let message = format!("line {seq} is no entry: it is cut off or damaged");
            return Ok(Finding::Faulty { fault: Fault::Unreadable, seq, message });
        };
        if let Err(fault) = walk.step(&entry, &recorded) {
            return name(fault, entries).await;
        }
        if let Some(fault) = anchors.iter().find_map(|anchor| rewritten(anchor, &walk)) {
            return Ok(fault);
        }
        last = Some(entry.at);
    }
    if let Some(anchor) = anchors.iter().find(|anchor| anchor.seq > walk.entries()) {
        let (seq, ends) = (anchor.seq, walk.entries());
        let message = format!("the chain ends at entry {ends}, and there was an entry {seq}");
        return Ok(Finding::Faulty { fault: Fault::Truncated, seq: ends + 1, message });
    }
    let head = format!("{}:{}", walk.entries(), hex(walk.head().as_bytes()));
    Ok(Finding::Whole { entries: walk.entries(), head, last, anchors: anchors.len() })
}

/// Whether the walk stands at the anchor, with another hash.
fn rewritten(anchor: &Anchor, walk: &Walk) -> Option<Finding> {
    if anchor.seq != walk.entries() || anchor.hash == *walk.head() {
        return None;
    }
    let seq = anchor.seq;
    let message = format!(
        "entry {seq} has another hash than the anchor: it, or something before it, was written anew"
    );
    Some(Finding::Faulty { fault: Fault::Rewritten, seq, message })
}

/// Missing or only out of its place: the rest of the trail tells.
async fn name(fault: ChainFault, mut entries: Entries<'_>) -> Result<Finding, Failure> {
    let message = fault.to_string();
    let (expected, found) = match fault {
        ChainFault::Gap { expected, found } => (expected, found),
        ChainFault::Changed { seq } => {
            return Ok(Finding::Faulty { fault: Fault::Changed, seq, message });
        }
    };
    if found < expected {
        let message = format!("entry {found} stands again where entry {expected} belongs");
        return Ok(Finding::Faulty { fault: Fault::Repeated, seq: found, message });
    }
    while let Some(line) = entries.next().await? {
        if matches!(&line, Line::Entry { entry, .. } if entry.seq == expected) {
            let message = format!("entry {expected} stands behind entry {found}");
            return Ok(Finding::Faulty { fault: Fault::Reordered, seq: expected, message });
        }
    }
    Ok(Finding::Faulty { fault: Fault::Missing, seq: expected, message })
}

impl Finding {
    fn into_answer(self) -> Answer {
        match self {
            Self::Whole { entries, head, last, anchors } => {
                let last = last.map(Timestamp::to_rfc3339_millis);
                let until = last.as_deref().map(|at| format!(", the last of {at}"));
                let line = format!("{entries} entries hold{}", until.unwrap_or_default());
                let json = json!({
                    "valid": true, "entries": entries, "head": head, "last_at": last,
                    "anchors": anchors,
                });
                let answer = Answer::line(json, line).id(&head);
                match anchors {
                    0 => answer.note(
                        "without --anchor nobody can tell whether later entries were cut off",
                    ),
                    _ => answer,
                }
                .next(format!("keep this elsewhere, for the next time: --anchor {head}"))
            }
            Self::Faulty { fault, seq, message } => {
                let json = json!({
                    "valid": false, "fault": fault.name(), "seq": seq, "message": message,
                });
                let line = format!("the chain is broken ({}): {message}", fault.name());
                let answer = Answer { exit: Exit::Refused, ..Answer::line(json, line) };
                answer
                    .next("compare with an export or a backup from before; keep this one as it is")
            }
        }
    }
}

impl Fault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Reordered => "reordered",
            Self::Repeated => "repeated",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated",
            Self::Rewritten => "rewritten",
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
