//! All of a store into an empty one of the other engine.
//!
//! The naive way is a dump that is read in elsewhere. Then both can be served, and what is revoked in
//! the one stays valid in the other; and a dump that broke off looks like a small store. So the right
//! to serve moves too, and is in one place at most. It is the row in `epoch`: every load and every
//! write needs it, in versions that know nothing of this as well.
//!
//! 1. *Begin*: the destination, which must be empty, gives up that row and notes what it will be.
//! 2. *Copy*: table by table in the order of keys, a bounded batch in each commit. After a crash
//!    each table holds its beginning, and the copy goes on behind that. The source is only read, and
//!    the [`End`] keeps everybody else from it.
//! 3. *Compare*: each row with its copy; and the copy's audit chain, from its first entry.
//! 4. *Retire*: the source gives up its row, and notes where it went.
//! 5. *Finish*: the destination gets the row.
//!
//! Between 4 and 5 neither can be served, until the same command is repeated. Nothing here decides
//! whether nodes of the source may still hold a lease; whoever opens the [`End`] must have waited.

mod tables;

pub(crate) use tables::AUDIT;
pub use tables::{Row, TABLES, Table, Value};

use crate::{Epoch, StoreError, crash::crash_point};
use async_trait::async_trait;
use rescind_core::{
    Actor, Digest, Timestamp,
    audit::{ChainFault, Entry, Walk},
};

/// Rows in a batch: of less than a kilobyte each, some megabytes in memory, and a commit every few
/// hundredths of a second.
const BATCH_ROWS: u32 = 5_000;

/// A store at one end of the move, which nobody else uses meanwhile.
#[async_trait]
pub trait End: Send {
    /// For people; without anything secret.
    fn place(&self) -> String;
    async fn mark(&mut self) -> Result<Option<Mark>, TransferError>;
    async fn origin(&mut self) -> Result<Origin, TransferError>;
    async fn count(&mut self, table: &Table) -> Result<u64, TransferError>;
    /// The greatest key.
    async fn last(&mut self, table: &Table) -> Result<Option<Value>, TransferError>;
    /// The next rows in the order of keys.
    async fn read(
        &mut self,
        table: &Table,
        after: Option<&Value>,
        limit: u32,
    ) -> Result<Vec<Row>, TransferError>;

    /// Of a destination: refuses one that holds anything.
    async fn begin(&mut self, origin: &Origin) -> Result<(), TransferError>;
    /// Takes away what an earlier attempt has left; afterwards it is as if it had never begun.
    async fn clear(&mut self) -> Result<(), TransferError>;
    /// In one durable commit.
    async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), TransferError>;
    async fn finish(&mut self, origin: &Origin) -> Result<(), TransferError>;

    /// Of a source.
    async fn retire(
        &mut self,
        origin: &Origin,
        to: &str,
        at: Timestamp,
    ) -> Result<(), TransferError>;
    /// Of one that was retired: it can be served again.
    async fn reopen(&mut self) -> Result<(), TransferError>;
}

/// What a store has to do with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub origin: Origin,
    pub state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Is being filled, and is not whole.
    Filling,
    /// Was filled, and is a store like all others.
    Whole,
    Moved {
        to: String,
        at: Timestamp,
    },
}

/// What is moved, as far as it takes to recognise it: another store, or the same after a change, has
/// another text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub epoch: Epoch,
    pub(crate) text: String,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub doing: Doing,
    pub table: &'static str,
    pub rows: u64,
    pub of: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Copying,
    Comparing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    pub epoch: Epoch,
    /// By table.
    pub rows: Vec<(&'static str, u64)>,
    /// Number and hash of the last audit entry.
    pub audit: (u64, Digest),
}

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("{place} is not empty: there are {table}")]
    NotEmpty { place: String, table: &'static str },
    #[error(
        "{place} holds the beginning of another move, or of this one before the source changed"
    )]
    OtherMove { place: String },
    #[error("{place} was being filled and is not whole")]
    Unfinished { place: String },
    #[error("{place} was moved to {to} at {at}")]
    Moved { place: String, to: String, at: Timestamp },
    #[error("{place} was not moved")]
    NotMoved { place: String },
    #[error("node {node} is running on {place}, or was until a moment ago")]
    Served { place: String, node: String },
    #[error("row {row} of {table} is not the same on both sides")]
    Differs { table: &'static str, row: u64 },
    #[error("the audit chain is broken")]
    Chain(#[source] ChainFault),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves everything. `None` if that was done before. `afresh` gives up what another move has begun in
/// the destination.
pub async fn transfer(
    source: &mut dyn End,
    destination: &mut dyn End,
    afresh: bool,
    now: Timestamp,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<Option<Transferred>, TransferError> {
    let (origin, moved) = match source.mark().await? {
        Some(Mark { state: State::Filling, .. }) => {
            return Err(TransferError::Unfinished { place: source.place() });
        }
        Some(Mark { state: State::Moved { to, at }, origin }) => (origin, Some((to, at))),
        _ => (source.origin().await?, None),
    };
    let elsewhere =
        |source: &dyn End, to, at| Err(TransferError::Moved { place: source.place(), to, at });
    match (destination.mark().await?, &moved) {
        (Some(mark), _) if mark.origin == origin && mark.state == State::Filling => {}
        (Some(mark), Some(_)) if mark.origin == origin && mark.state == State::Whole => {
            return Ok(None);
        }
        // It is not here that it went.
        (_, Some((to, at))) => return elsewhere(source, to.clone(), *at),
        (Some(Mark { state: State::Moved { to, at }, .. }), None) => {
            return elsewhere(destination, to, at);
        }
        (Some(Mark { state: State::Filling, .. }), None) if afresh => {
            destination.clear().await?;
            destination.begin(&origin).await?;
        }
        (Some(Mark { state: State::Filling, .. }), None) => {
            return Err(TransferError::OtherMove { place: destination.place() });
        }
        (_, None) => destination.begin(&origin).await?,
    }
    crash_point!("transfer_begun");
    let mut counts = Vec::with_capacity(TABLES.len());
    for table in &TABLES {
        counts.push(source.count(table).await?);
    }
    for (table, of) in TABLES.iter().zip(&counts) {
        copy(source, destination, table, *of, watch).await?;
    }
    let mut walk = Walk::default();
    let mut rows = Vec::with_capacity(TABLES.len());
    for (table, of) in TABLES.iter().zip(&counts) {
        let compared = compare(source, destination, table, *of, &mut walk, watch).await?;
        rows.push((table.name, compared));
    }
    crash_point!("transfer_compared");
    if moved.is_none() {
        source.retire(&origin, &destination.place(), now).await?;
    }
    crash_point!("transfer_retired");
    destination.finish(&origin).await?;
    crash_point!("transfer_finished");
    let audit = (walk.entries(), *walk.head());
    Ok(Some(Transferred { epoch: origin.epoch, rows, audit }))
}

/// A move that was done is undone for the source alone: the destination stays as it is.
pub async fn reopen(end: &mut dyn End) -> Result<(), TransferError> {
    match end.mark().await? {
        Some(Mark { state: State::Moved { .. }, .. }) => end.reopen().await,
        _ => Err(TransferError::NotMoved { place: end.place() }),
    }
}

async fn copy(
    source: &mut dyn End,
    destination: &mut dyn End,
    table: &Table,
    of: u64,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), TransferError> {
    let mut last = destination.last(table).await?;
    let mut rows = destination.count(table).await?;
    loop {
        watch(Progress { doing: Doing::Copying, table: table.name, rows, of });
        let batch = source.read(table, last.as_ref(), BATCH_ROWS).await?;
        let Some(next) = batch.last().and_then(|row| row.first()).cloned() else { return Ok(()) };
        destination.write(table, &batch).await?;
        crash_point!("transfer_copied");
        rows += batch.len() as u64;
        last = Some(next);
    }
}

/// How many rows there are, all of them the same.
async fn compare(
    source: &mut dyn End,
    destination: &mut dyn End,
    table: &Table,
    of: u64,
    walk: &mut Walk,
    watch: &mut (dyn FnMut(Progress) + Send),
) -> Result<u64, TransferError> {
    let mut last: Option<Value> = None;
    let mut rows = 0;
    loop {
        watch(Progress { doing: Doing::Comparing, table: table.name, rows, of });
        let batch = source.read(table, last.as_ref(), BATCH_ROWS).await?;
        let copied = destination.read(table, last.as_ref(), BATCH_ROWS).await?;
        if batch != copied {
            let same = batch.iter().zip(&copied).take_while(|(one, other)| one == other).count();
            return Err(TransferError::Differs { table: table.name, row: rows + same as u64 + 1 });
        }
        if table.name == AUDIT {
            copied.iter().try_for_each(|row| step(walk, row))?;
        }
        rows += batch.len() as u64;
        match batch.last().and_then(|row| row.first()) {
            Some(key) => last = Some(key.clone()),
            None => return Ok(rows),
        }
    }
}

fn step(walk: &mut Walk, row: &Row) -> Result<(), TransferError> {
    let (entry, hash) = entry(row).ok_or_else(|| StoreError::Corrupt("an audit entry".into()))?;
    walk.step(&entry, &hash).map_err(TransferError::Chain)
}

/// In the order of [`TABLES`].
fn entry(row: &Row) -> Option<(Entry, Digest)> {
    use Value::{Bytes, Number, Text};
    let [
        Number(seq),
        Number(at),
        Text(actor),
        Text(action),
        Text(subject),
        Text(detail),
        Bytes(hash),
    ] = row.as_slice()
    else {
        return None;
    };
    let entry = Entry {
        seq: u64::try_from(*seq).ok()?,
        at: Timestamp::from_millis(*at),
        actor: Actor::from_stored(actor),
        action: action.clone(),
        subject: subject.clone(),
        detail: detail.clone(),
    };
    Some((entry, Digest::from_bytes(hash.as_slice().try_into().ok()?)))
}

impl Origin {
    /// Of what an engine counts: rows by table, the last audit entry's hash, and the time of the last
    /// use, which leaves no entry.
    pub(crate) fn new(
        epoch: Epoch,
        counts: impl IntoIterator<Item = (&'static str, u64)>,
        audit_head: Option<&[u8]>,
        last_use: Option<i64>,
    ) -> Self {
        use std::fmt::Write as _;
        let mut text = format!("epoch {epoch}");
        for (table, count) in counts {
            let _ = write!(text, ", {table} {count}");
        }
        text.push_str(", audit head ");
        for byte in audit_head.unwrap_or_default() {
            let _ = write!(text, "{byte:02x}");
        }
        let _ = write!(text, ", last use {last_use:?}");
        Self { epoch, text }
    }
}

/// As the column `state` has it.
impl State {
    pub(crate) fn parse(state: &str, to: Option<String>, at: Option<i64>) -> Option<Self> {
        match (state, to, at) {
            ("filling", None, None) => Some(Self::Filling),
            ("whole", None, None) => Some(Self::Whole),
            ("moved", Some(to), Some(at)) => {
                Some(Self::Moved { to, at: Timestamp::from_millis(at) })
            }
            _ => None,
        }
    }
}
