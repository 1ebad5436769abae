//! `rescind migrate-store`: all of the embedded store into PostgreSQL, or back.
//!
//! The moving is the store's (`rescind_store::transfer`). Here is which store is which, and the wait
//! for nodes that were not stopped: a lease is over only when it surely is.

use super::confirm::confirmed;
use super::serve;
use crate::cli::{MigrateStoreArgs, ServeArgs, StoreKind};
use crate::engine::{self, embedded_failure, shared_failure};
use crate::failure::Failure;
use crate::logging;
use crate::output::{Answer, Bar, Output};
use crate::server::chain;
use rescind_guard::{Clock as _, clock::SystemClock};
use rescind_node::cluster::Timing;
use rescind_server::config::{self, Config, LogFormat, LogLevel};
use rescind_store::Member;
use rescind_store::postgres::PostgresEnd;
use rescind_store::sqlite::SqliteEnd;
use rescind_store::transfer::{self, Doing, End, Progress, State, TransferError, Transferred};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

/// How often is looked whether a wait is over, by the clock that counts suspend.
const POLL: Duration = Duration::from_millis(50);

pub(crate) async fn run(args: MigrateStoreArgs, output: Output) -> Result<Answer, Failure> {
    let MigrateStoreArgs { to, config, set, fresh, reopen, confirm } = args;
    let config = serve::load(&ServeArgs { config, set })?;
    logging::start(&config::Log { level: LogLevel::Warn, format: LogFormat::Text });
    match (reopen, to) {
        (Some(kind), _) => reopened(kind, &config, confirm.yes, output).await,
        (None, Some(to)) => moved(to, &config, fresh, output).await,
        (None, None) => Err(Failure::usage("where to? --to sqlite, or --to postgres")),
    }
}

async fn moved(
    to: StoreKind,
    config: &Config,
    afresh: bool,
    output: Output,
) -> Result<Answer, Failure> {
    let mut source = source(to.other(), config, output).await?;
    let mut destination = destination(to, config).await?;
    let mut bar = Bar::new(output);
    let mut watch = |progress: Progress| {
        let Progress { doing, table, rows, of } = progress;
        let doing = match doing {
            Doing::Copying => "copying",
            Doing::Comparing => "comparing",
        };
        bar.at(&format!("{doing} {table}"), rows, of);
    };
    let (source, destination) = (source.as_mut(), destination.as_mut());
    let now = SystemClock.now();
    let done = transfer::transfer(source, destination, afresh, now, &mut watch).await;
    drop(bar);
    let (from, into) = (source.place(), destination.place());
    let done = done.map_err(failure)?;
    Ok(answer(done, &from, &into).next(next(to)))
}

fn answer(done: Option<Transferred>, from: &str, into: &str) -> Answer {
    let Some(Transferred { epoch, rows, audit: (entries, head) }) = done else {
        let line = format!("everything of {from} was moved to {into} before; nothing was done");
        return Answer::line(json!({"from": from, "to": into, "moved_before": true}), line);
    };
    let head = format!("{entries}:{}", hex(head.as_bytes()));
    let counts: Vec<_> = rows.iter().map(|(table, count)| format!("{count} {table}")).collect();
    let line = format!(
        "everything of {from} is in {into}, and is the same: {}; the audit chain holds ({head})",
        counts.join(", ")
    );
    let rows: serde_json::Map<String, Value> =
        rows.into_iter().map(|(table, count)| (table.to_owned(), Value::from(count))).collect();
    let json = json!({
        "from": from, "to": into, "moved_before": false, "epoch": epoch, "rows": rows,
        "audit_head": head,
    });
    Answer::line(json, line).id(head)
}

const fn next(to: StoreKind) -> &'static str {
    match to {
        StoreKind::Postgres => {
            "keep postgres.connection_file in the configuration: `rescind serve` then serves from \
             PostgreSQL, on as many nodes as you like"
        }
        StoreKind::Sqlite => {
            "take postgres.connection_file out of the configuration: `rescind serve` then serves \
             from store.path"
        }
    }
}

async fn reopened(
    kind: StoreKind,
    config: &Config,
    yes: bool,
    output: Output,
) -> Result<Answer, Failure> {
    let mut end = source(kind, config, output).await?;
    let place = end.place();
    let mark = end.mark().await.map_err(failure)?;
    if let Some(State::Moved { to, at }) = mark.map(|mark| mark.state)
        && !yes
    {
        let warning = format!(
            "{place} was moved to {to} at {at}. Whatever was revoked there since then is valid here \
             again, and both can be served."
        );
        confirmed(&warning, output)?;
    }
    transfer::reopen(end.as_mut()).await.map_err(failure)?;
    let line = format!("{place} can be served again");
    let answer = Answer::line(json!({"reopened": place}), line).id(place);
    Ok(answer.next(
        "see that nobody serves what it was moved to, and revoke again what was revoked there",
    ))
}

async fn source(kind: StoreKind, config: &Config, output: Output) -> Result<Box<dyn End>, Failure> {
    match kind {
        StoreKind::Sqlite => {
            let end = SqliteEnd::source(&config.store.database());
            Ok(Box::new(end.map_err(|error| embedded_failure(&error))?))
        }
        StoreKind::Postgres => {
            let mut end = postgres(config).await?;
            let mark = end.mark().await.map_err(failure)?;
            // Of one that was moved nobody can hold a lease.
            if !mark.is_some_and(|mark| matches!(mark.state, State::Moved { .. })) {
                let silent = silent(&end, config, output).await?;
                end.hold(&silent).await.map_err(failure)?;
            }
            Ok(Box::new(end))
        }
    }
}

async fn destination(kind: StoreKind, config: &Config) -> Result<Box<dyn End>, Failure> {
    match kind {
        StoreKind::Sqlite => {
            let end = SqliteEnd::destination(&config.store.database());
            Ok(Box::new(end.map_err(|error| embedded_failure(&error))?))
        }
        StoreKind::Postgres => Ok(Box::new(postgres(config).await?)),
    }
}

async fn postgres(config: &Config) -> Result<PostgresEnd, Failure> {
    let Some(file) = &config.postgres.connection_file else {
        return Err(Failure::usage("postgres.connection_file is not set")
            .next("name a file with the connection text, in the configuration or with --set"));
    };
    let connection = file.read(serve::credentials().as_deref());
    let connection = connection.map_err(|error| Failure::unreachable(chain(&error)))?;
    let (ca_file, durability) =
        (config.postgres.ca_file.as_deref(), engine::declared(&config.postgres));
    let end = PostgresEnd::open(&connection, ca_file, durability).await;
    end.map_err(|error| shared_failure(&error))
}

/// Nodes that were not stopped, and whose leases are over unless they have renewed them meanwhile.
async fn silent(
    end: &PostgresEnd,
    config: &Config,
    output: Output,
) -> Result<Vec<Member>, Failure> {
    let timing = Timing::new(config.cluster.lease);
    let timing = timing.map_err(|error| Failure::usage(format!("cluster.lease: {error}")))?;
    let members = end.members().await.map_err(failure)?;
    let seen = SystemClock.boottime();
    let ends = members.iter().map(|member| timing.surely_over(seen, member.lease_ms));
    let Some(over) = ends.max() else { return Ok(members) };
    let names: Vec<_> = members.iter().map(|member| member.node.as_str()).collect();
    let millis = over.as_millis().saturating_sub(seen.as_millis());
    output.talk(&format!(
        "not stopped, or killed: {}; waiting {millis} ms for the end of what leases there are",
        names.join(", ")
    ));
    while SystemClock.boottime() < over {
        sleep(POLL).await;
    }
    Ok(members)
}

fn failure(error: TransferError) -> Failure {
    let message = chain(&error);
    match error {
        TransferError::NotEmpty { .. } => Failure::refused(message)
            .next("give it an empty database (createdb), or a new directory in store.path"),
        TransferError::OtherMove { .. } => Failure::refused(message)
            .next("repeat the command with --fresh, which takes that away and begins anew"),
        TransferError::Unfinished { .. } => {
            Failure::refused(message).next("finish that move first, from where it came")
        }
        TransferError::Moved { .. } => Failure::refused(message)
            .next("go on with that one; `rescind migrate-store --reopen` is for when it is lost"),
        TransferError::NotMoved { .. } => {
            Failure::refused(message).next("there is nothing to reopen: `rescind serve` serves it")
        }
        TransferError::Served { .. } => {
            Failure::refused(message).next("stop every node (SIGTERM), then repeat the command")
        }
        TransferError::Differs { .. } => Failure::unreachable(message).next(
            "the source is as it was, and nothing is served from the copy; repeat the command with \
             --fresh",
        ),
        TransferError::Chain(_) => Failure::refused(message).next(
            "the source is as it was: serve it, and let `rescind audit verify` and an export from \
             before say what happened",
        ),
        TransferError::Store(_) => Failure::unreachable(message)
            .next("see that both stores are well; repeated, the command goes on where it was"),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
