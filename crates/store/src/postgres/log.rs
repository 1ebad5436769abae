//! What has changed after an epoch, as it is now.
//!
//! A log of single changes would have to be kept for as long as any node may be behind, and be told
//! one by one. Rows know the epoch of their own last change, so one snapshot of what is marked later
//! than `after`, together with its epoch, says all that matters.

use super::{
    connection::Session,
    fault::Fault,
    rows::{Columns, OWNER_COLUMNS, RECORD_COLUMNS, signed},
    tx::Parameter,
};
use crate::{Change, LogPage, Position};
use futures_util::try_join;
use rescind_core::TokenState;
use tokio_postgres::Row;

/// Changes that are told at once. Behind by more, it is quicker to load everything, and a page has
/// to fit into memory: at half a kilobyte each this is 32 MB.
const CHANGES_MAX: usize = 1 << 16;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Where the log ends, and whether it has a place: a row from before there were marks has any.
const HEAD: &str = "SELECT n, mark, pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN NULL
    ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
    n >= $1 AND NOT EXISTS (SELECT FROM revocation_log WHERE seq = $1 AND mark <> coalesce($2, ''::bytea)) FROM epoch";

/// On a session that nobody else uses; after an error it must be dropped.
pub(super) async fn read(session: &Session, after: Position) -> Result<LogPage, Fault> {
    let (epoch, limit) = (signed(after.epoch), CHANGES_MAX as i64 + 1);
    let asked: [Parameter<'_>; 2] = [&epoch, &limit];
    let place: [Parameter<'_>; 2] = [&epoch, &mark(&after)];
    let queries = queries();
    let statements = try_join!(
        session.prepare_cached(HEAD),
        session.prepare_cached(&queries.owners),
        session.prepare_cached(&queries.bounds),
        session.prepare_cached(&queries.tokens),
    )?;
    // In one go, since a revocation waits for it.
    let ((), head, owners, bounds, tokens, ()) = try_join!(
        session.batch_execute(BEGIN),
        session.query_one(&statements.0, &place),
        session.query(&statements.1, &asked),
        session.query(&statements.2, &asked),
        session.query(&statements.3, &asked),
        session.batch_execute("COMMIT"),
    )?;
    let mut page = header(after, &head)?;
    page.too_far = owners.len() + bounds.len() + tokens.len() > CHANGES_MAX;
    if page.too_far {
        return Ok(page);
    }
    let owners = owners.iter().map(|row| Ok(Change::Owner(Columns::of(row).owner()?)));
    let changes = owners.chain(bounds.iter().map(bound)).chain(tokens.iter().map(token));
    page.changes = changes.collect::<Result<_, Fault>>()?;
    Ok(page)
}

/// Where the log ends, as a page without changes.
pub(super) async fn head(session: &Session) -> Result<LogPage, Fault> {
    let start = Position::default();
    let place: [Parameter<'_>; 2] = [&signed(start.epoch), &mark(&start)];
    header(start, &session.query_one(HEAD, &place).await?)
}

/// As it stands in a column.
pub(super) fn mark(at: &Position) -> Option<&[u8]> {
    at.mark.as_ref().map(|mark| mark.as_bytes().as_slice())
}

/// A file of the write-ahead log begins with its timeline, in hexadecimal digits. The control file's
/// is older, right after a failover. Zero is none.
fn timeline_of(walfile: &str) -> u32 {
    walfile.get(..8).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or_default()
}

struct Queries {
    owners: String,
    bounds: String,
    tokens: String,
}

fn queries() -> Queries {
    let changed = "WHERE changed_at > $1 ORDER BY changed_at LIMIT $2";
    Queries {
        owners: format!("SELECT {OWNER_COLUMNS} FROM owners {changed}"),
        bounds: format!("SELECT nullif(tenant, ''), not_before FROM bounds {changed}"),
        tokens: format!("SELECT {RECORD_COLUMNS}, digest FROM tokens {changed}"),
    }
}

fn header(after: Position, row: &Row) -> Result<LogPage, Fault> {
    let mut columns = Columns::of(row);
    let head = Position { epoch: columns.count()?, mark: columns.digest_or_null()? };
    let (in_recovery, timeline) = (columns.get()?, columns.get::<Option<&str>>()?);
    Ok(LogPage {
        after,
        head,
        holds: columns.get()?,
        in_recovery,
        timeline: timeline.map_or(0, timeline_of),
        too_far: false,
        changes: Vec::new(),
    })
}

pub(super) fn bound(row: &Row) -> Result<Change, Fault> {
    let mut columns = Columns::of(row);
    Ok(Change::NotBefore { tenant: columns.tenant()?, start: columns.time()? })
}

fn token(row: &Row) -> Result<Change, Fault> {
    let mut columns = Columns::of(row);
    let (record, digest) = (columns.record()?, columns.digest_or_null()?);
    Ok(match record.state {
        TokenState::Active => Change::Updated { record, digest },
        TokenState::Revoked { .. } => Change::Revoked { id: record.id, digest },
    })
}
