//! `rescind audit export`: the server's lines as they are, never held as a whole.

use crate::{
    cli::AuditExportArgs,
    client::{Client, Lines},
    failure::Failure,
    output::{Answer, Output},
    private_file::Draft,
};
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

pub(super) async fn run(
    args: &AuditExportArgs,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    // Before anything is asked for, so that a file in the way is said first.
    let draft = args.to.as_deref().map(|path| Draft::new(path).map_err(|f| unwritable(path, &f)));
    let draft = draft.transpose()?;
    let lines = client.lines(&["v1", "audit", "export"]).await?;
    match (draft, &args.to) {
        (Some(mut draft), Some(path)) => {
            let count = copy(lines, &mut draft, |fault| unwritable(path, fault)).await?;
            draft.keep().map_err(|fault| unwritable(path, &fault))?;
            let line = format!("{count} entries are in {}", path.display());
            let next = format!("`rescind audit verify --file {}` walks them", path.display());
            Ok(Answer::line(json!({"entries": count, "file": path}), line).next(next))
        }
        _ => {
            let full = |fault: &io::Error| {
                Failure::unreachable(format!("standard output cannot be written: {fault}"))
            };
            copy(lines, &mut output.raw(), full).await?;
            Ok(Answer::nothing())
        }
    }
}

async fn copy(
    mut lines: Lines<'_>,
    to: &mut impl Write,
    fault: impl Fn(&io::Error) -> Failure,
) -> Result<u64, Failure> {
    let mut count = 0;
    while let Some(mut line) = lines.next().await? {
        line.push(b'\n');
        match to.write_all(&line) {
            // Whoever reads it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(count),
            written => written.map_err(|error| fault(&error))?,
        }
        count += 1;
    }
    to.flush().map_err(|error| fault(&error))?;
    Ok(count)
}

fn unwritable(path: &Path, fault: &io::Error) -> Failure {
    let failure = Failure::usage(format!("{}: {fault}", path.display()));
    match fault.kind() {
        io::ErrorKind::AlreadyExists => failure.next("choose another name: nothing is replaced"),
        _ => failure.next("choose a file that you may write"),
    }
}
