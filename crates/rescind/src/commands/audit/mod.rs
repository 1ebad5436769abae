//! `rescind audit …`

mod entries;
mod export;
mod verify;

use super::shown::list_of;
use crate::{
    cli::{AuditCommand, AuditListArgs},
    client::Client,
    failure::Failure,
    output::{Answer, Column, Output, field},
};
use rescind_core::Timestamp;

const COLUMNS: [Column; 7] = [
    Column::new("seq", "seq"),
    Column::new("at", "at"),
    Column::new("actor", "actor"),
    Column::new("action", "action"),
    Column::new("subject", "subject"),
    Column::wide("detail", "detail"),
    Column::wide("hash", "hash"),
];

/// `connect` is called only where a server is needed: an export is verified without one.
pub(crate) async fn run(
    command: AuditCommand,
    connect: impl Fn() -> Result<Client, Failure>,
    output: Output,
) -> Result<Answer, Failure> {
    match command {
        AuditCommand::List(args) => list(&args, &connect()?).await,
        AuditCommand::Export(args) => export::run(&args, &connect()?, output).await,
        AuditCommand::Verify(args) => verify::run(&args, connect).await,
        AuditCommand::Anchor => anchor(&connect()?).await,
    }
}

async fn list(args: &AuditListArgs, client: &Client) -> Result<Answer, Failure> {
    let since = args.since.map(Timestamp::to_rfc3339_millis);
    let until = args.until.map(Timestamp::to_rfc3339_millis);
    let asked = [
        ("actor", args.actor.as_deref()),
        ("action", args.action.as_deref()),
        ("subject", args.subject.as_deref()),
        ("since", since.as_deref()),
        ("until", until.as_deref()),
    ];
    let query: Vec<_> = asked.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    Ok(list_of(client.list(&["v1", "audit"], &query, &args.paging).await?, &COLUMNS))
}

async fn anchor(client: &Client) -> Result<Answer, Failure> {
    let anchor = client.get(&["v1", "audit", "anchor"], &[]).await?.body;
    let line = format!("{}:{}", field(&anchor, "seq"), field(&anchor, "hash"));
    let next = "keep it where nobody who runs this server can write; \
                `rescind audit verify --anchor SEQ:HASH` compares";
    let id = line.clone();
    Ok(Answer::line(anchor, line).id(id).next(next))
}
