//! The trail as JSON lines, from the server or from a file, one entry at a time.

use crate::cli::digest;
use crate::client::Lines;
use crate::failure::Failure;
use rescind_core::audit::Entry;
use rescind_core::{Actor, Digest, Timestamp};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Longest line, in bytes. An entry has a few hundred.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

pub(super) enum Entries<'a> {
    Server(Lines<'a>),
    File(Box<dyn BufRead>),
}

/// What a line of it holds.
pub(super) enum Line {
    Entry {
        entry: Entry,
        recorded: Digest,
    },
    /// Cut off or damaged. Whatever it was, the chain does not hold over it.
    NotAnEntry,
}

/// As the server writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    seq: u64,
    at: String,
    actor: String,
    action: String,
    subject: String,
    detail: String,
    hash: String,
}

impl Entries<'_> {
    pub(super) fn open(file: &Path) -> Result<Self, Failure> {
        if file == Path::new("-") {
            return Ok(Self::File(Box::new(BufReader::new(io::stdin()))));
        }
        let open = File::open(file).map_err(|fault| {
            Failure::usage(format!("{}: {fault}", file.display()))
                .next("`rescind audit export --to FILE` makes one")
        })?;
        Ok(Self::File(Box::new(BufReader::new(open))))
    }

    /// The next line, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Failure> {
        let line = match self {
            Self::Server(lines) => lines.next().await?,
            Self::File(file) => next_of(file)?,
        };
        Ok(line.map(|line| read(&line).unwrap_or(Line::NotAnEntry)))
    }
}

fn next_of(file: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = file.take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
    read.map_err(|fault| Failure::usage(format!("the file cannot be read: {fault}")))?;
    Ok(if line.is_empty() { None } else { Some(line) })
}

fn read(line: &[u8]) -> Option<Line> {
    let written: Written = serde_json::from_slice(line).ok()?;
    let at = Timestamp::parse(&written.at).ok()?;
    // A time that reads the same and is written differently is another text, and a forgery.
    if at.to_rfc3339_millis() != written.at {
        return None;
    }
    let entry = Entry {
        seq: written.seq,
        at,
        actor: Actor::from_stored(&written.actor),
        action: written.action,
        subject: written.subject,
        detail: written.detail,
    };
    Some(Line::Entry { entry, recorded: digest(&written.hash)? })
}
