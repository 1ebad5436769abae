//! `rescind audit …`

use super::{Paging, values};
use clap::{Args, Subcommand};
use rescind_core::{Digest, Timestamp};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done
    List(AuditListArgs),
    /// Write the whole trail as JSON lines
    Export(AuditExportArgs),
    /// Walk the chain from its first entry, and name the first fault
    Verify(AuditVerifyArgs),
    /// Print the latest entry's SEQ:HASH, to keep where this server's operators cannot write
    Anchor,
}

#[derive(Debug, Args)]
pub(crate) struct AuditListArgs {
    /// Only by this actor, as token:ID, owner:ID or system:NAME
    #[arg(long)]
    pub actor: Option<String>,
    /// Only this action, as token.revoked
    #[arg(long)]
    pub action: Option<String>,
    /// Only about this token or owner
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
    /// Only at this time or later
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub since: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub until: Option<Timestamp>,
    #[command(flatten)]
    pub paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct AuditExportArgs {
    /// Write to this file, which must not be there yet [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditVerifyArgs {
    /// Walk an export instead of the server's own trail; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What `rescind audit anchor` printed earlier; may be repeated
    #[arg(long, value_name = "SEQ:HASH", value_parser = Anchor::parse)]
    pub anchor: Vec<Anchor>,
}

/// An entry's number and hash, kept elsewhere. Only this shows a truncated end, or a chain that was
/// written anew from some entry on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub seq: u64,
    pub hash: Digest,
}

impl Anchor {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let form = "an anchor looks like 42:9f86d0…, with 64 hexadecimal digits";
        let (seq, hash) = text.trim().split_once(':').ok_or(form)?;
        let seq = seq.parse().map_err(|_| form)?;
        Ok(Self { seq, hash: values::digest(hash).ok_or(form)? })
    }
}
