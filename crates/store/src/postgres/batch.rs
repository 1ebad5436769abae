//! A batch of jobs within one transaction: how it begins, how each job is kept apart from its
//! neighbours, and what is written down at its end.
//!
//! What does not depend on an answer is sent at once: a batch costs a few round trips, and others
//! wait for the right to write meanwhile.

use super::{
    ablation::{GAPLESS_EPOCHS, KNOWN_OUTCOME, keeps},
    books::Books,
    connection::Session,
    fault::Fault,
    job::{Body, Job, Ran},
    members,
    revoking::{self, Ended, Revoking},
    rows::{digest_of, signed},
    tx::{Parameter, Tx},
};
use crate::{
    KeyRing, Position, Roll,
    outage::{Outage, chain},
};
use futures_util::{FutureExt, join};
use rescind_core::audit;
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

/// Told to all nodes when the epoch was raised, with the epoch.
pub(super) const COMMITTED: &str = "rescind_epoch";

/// Takes the right to write, and reads what the last one who had it left: at this level of isolation
/// each statement sees what was committed before it.
///
/// One message of three statements: every answer that is sent by itself wakes this process up, which
/// takes longer than the statement.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT n, encode(mark, 'base64') FROM epoch FOR UPDATE;
    SELECT seq, encode(hash, 'base64') FROM audit ORDER BY seq DESC LIMIT 1";
/// Without the lock, for the test that shows why there is one: numbers of a sequence (that goes up in
/// hundreds), and an audit trail that is numbered by it too.
const BEGIN_DRAWN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SELECT nextval('drawn'), NULL;
    SELECT last_value, encode(hash, 'base64') FROM drawn, audit ORDER BY seq DESC LIMIT 1";
const SAVEPOINT: &str = "SAVEPOINT job";
const RELEASE: &str = "RELEASE SAVEPOINT job";
const NEXT: &str = "RELEASE SAVEPOINT job; SAVEPOINT job";
const UNDO: &str = "ROLLBACK TO SAVEPOINT job; RELEASE SAVEPOINT job";

/// With the right to write, and with what the database says of the revocations that wait: they are
/// sent at once behind the question for that right.
pub(super) async fn begin(
    session: Arc<Session>,
    keys: &KeyRing,
    revocations: &[Revoking],
) -> Result<(Tx, Option<Ended>), Fault> {
    match begin_with(&session, keys, revocations).await? {
        (tx, Together::NoneWaited) => Ok((tx, None)),
        (tx, Together::Ended(ended)) => Ok((tx, Some(ended))),
        (_, Together::Failed) => {
            session.batch_execute("ROLLBACK").await?;
            Ok((begin_with(&session, keys, &[]).await?.0, None))
        }
    }
}

async fn begin_with(
    session: &Arc<Session>,
    keys: &KeyRing,
    revocations: &[Revoking],
) -> Result<(Tx, Together), Fault> {
    revoking::ready(session).await?;
    let begin = if keeps(GAPLESS_EPOCHS) { BEGIN } else { BEGIN_DRAWN };
    let (begun, together) =
        join!(session.simple_query(begin), revoke_together(session, revocations));
    let books = books(&begun?).ok_or_else(|| Fault::Value("an epoch".into()))?;
    Ok((
        Tx { session: Arc::clone(session), keys: keys.clone(), books, in_savepoint: false },
        together,
    ))
}

/// Of what [`BEGIN`] has answered: rows of text.
fn books(begun: &[SimpleQueryMessage]) -> Option<Books> {
    let mut rows = begun.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let (epoch, head) = (rows.next()?, rows.next());
    let mark = match epoch.get(1) {
        Some(mark) => Some(digest_of(mark)?),
        None => None,
    };
    let head = match head {
        Some(row) => (row.get(0)?.parse().ok()?, digest_of(row.get(1)?)?),
        None => (0, audit::GENESIS),
    };
    Some(Books::new(Position { epoch: epoch.get(0)?.parse().ok()?, mark }, head))
}

/// What became of the revocations that were sent with the beginning. If anything went wrong with
/// them, the transaction is given up, and each is left to be made alone in another one.
enum Together {
    NoneWaited,
    Ended(Ended),
    Failed,
}

async fn revoke_together(session: &Session, revocations: &[Revoking]) -> Together {
    if revocations.is_empty() {
        return Together::NoneWaited;
    }
    match revoking::end_together(session, revocations).await {
        Ok(Some(ended)) => Together::Ended(ended),
        _ => Together::Failed,
    }
}

/// What was waiting when the writer looked.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) revocations: Vec<Revoking>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.jobs.len() + self.revocations.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// To each what remains of it, in the order of [`run`]; or what became of all.
    pub(super) fn answer(self, outcome: Result<Vec<Option<Outage>>, Outage>) {
        let (mut each, all) = match outcome {
            Ok(outages) => (outages.into_iter(), None),
            Err(outage) => (Vec::new().into_iter(), Some(outage)),
        };
        let mut next = || each.next().unwrap_or_else(|| all.clone());
        self.revocations.into_iter().for_each(|revoking| revoking.answer(next()));
        self.jobs.into_iter().for_each(|job| job.answer(next()));
    }
}

/// What remains of each: of the revocations, then of the jobs. An error has taken the whole batch
/// with it.
pub(super) async fn run(
    tx: &mut Tx,
    batch: &mut Batch,
    ended: Option<Ended>,
) -> Result<Vec<Option<Outage>>, Fault> {
    let mut outages = Vec::with_capacity(batch.len());
    if let Some(ended) = ended {
        revoking::keep(tx, &mut batch.revocations, ended);
    }
    for revoking in &mut batch.revocations {
        if revoking.is_done() {
            outages.push(None);
            continue;
        }
        outages.push(run_job(tx, revoking).await?);
    }
    for job in &mut batch.jobs {
        outages.push(run_job(tx, job.as_mut()).await?);
    }
    Ok(outages)
}

/// The savepoint is sent before the job's first statement, and is not waited for alone.
async fn run_job(tx: &mut Tx, job: &mut dyn Body) -> Result<Option<Outage>, Fault> {
    let mark = tx.books.mark();
    let session = Arc::clone(&tx.session);
    let savepoint = if tx.in_savepoint { NEXT } else { SAVEPOINT };
    let (set, ran) =
        join!(session.batch_execute(savepoint), AssertUnwindSafe(job.run(tx)).catch_unwind());
    set?;
    tx.in_savepoint = matches!(ran, Ok(Ran::Done));
    let outage = match ran {
        Ok(Ran::Done) => return Ok(None),
        Ok(Ran::Refused) => None,
        Ok(Ran::Stopped(fault)) => {
            tracing::warn!(job = job.name(), error = %chain(&fault), "not written");
            Some(fault.outage())
        }
        Err(_) => {
            tracing::error!(job = job.name(), "a transaction panicked and was rolled back");
            Some(Outage::unavailable("the transaction panicked"))
        }
    };
    tx.books.back_to(mark);
    tx.session.batch_execute(UNDO).await?;
    Ok(outage)
}

/// The epoch, its rows in the log, the audit entries and the notification, for all jobs together,
/// and behind them the commit, in one go: others wait for the right to write.
///
/// Without `notify` somebody else tells the other nodes: `told` is called as soon as it is known that
/// the epoch was raised. Behind the commit the members are read, for whoever has to wait for them; if
/// that fails, they are read once more by themselves.
///
/// `COMMIT` of a transaction that is void reports success, so what was written down decides first.
/// If the server refused that, nothing was committed; of anything else the outcome is unknown.
pub(super) async fn commit(
    tx: &Tx,
    notify: bool,
    patience: Duration,
    told: impl FnOnce(),
) -> Result<Option<Roll>, Outage> {
    let ready = timeout(patience, tx.session.ready([ENTRIES, RAISED, members::ALL])).await;
    ready.map_err(|_| Fault::TimedOut("a statement").outage())?.map_err(|fault| fault.outage())?;
    let commit = async {
        let committed = timeout(patience, write_down_and_commit(tx, notify, patience)).await;
        let known = committed.unwrap_or_else(|_| Err(Fault::TimedOut("a commit").uncertain()));
        if known.is_ok() && tx.books.is_raised() {
            told();
        }
        known
    };
    let (known, members) = join!(commit, timeout(patience, read_members(tx)));
    if keeps(KNOWN_OUTCOME) {
        known?;
    }
    Ok(members.ok().flatten())
}

async fn read_members(tx: &Tx) -> Option<Roll> {
    if !tx.books.is_raised() {
        return None;
    }
    let rows = tx.session.rows(members::ALL, &[]).await.ok()?;
    members::roll(&rows).ok()
}

async fn write_down_and_commit(tx: &Tx, notify: bool, patience: Duration) -> Result<(), Outage> {
    let ends = Ends::of(tx, notify);
    let asked = ends.parameters();
    let unwritten = |fault: Fault| fault.outage();
    let end = match (tx.books.is_raised(), tx.books.entries.is_empty()) {
        (true, _) => Some((RAISED, &asked[..])),
        (false, false) => Some((ENTRIES, &asked[..ENTRIES_COLUMNS])),
        (false, true) => None,
    };
    let Some((statement, asked)) = end else {
        return tx.session.commit(patience).await.map_err(Fault::uncertain);
    };
    let statement = tx.session.prepare_cached(statement).await;
    let statement = statement.map_err(|error| unwritten(error.into()))?;
    // If the first of them goes wrong, so does the second.
    let (_, written, committed) =
        join!(release(tx), tx.session.execute(&statement, asked), tx.session.commit(patience));
    match written {
        Ok(_) => committed.map_err(Fault::uncertain),
        Err(error) if error.as_db_error().is_some() => Err(unwritten(error.into())),
        Err(error) => Err(Fault::from(error).uncertain()),
    }
}

/// A row that the transaction has locked, and a savepoint within it changes, is kept as of two
/// lockers, which costs everybody who reads it: the epoch's row is read by all.
async fn release(tx: &Tx) -> Result<(), Fault> {
    if tx.in_savepoint {
        tx.session.batch_execute(RELEASE).await?;
    }
    Ok(())
}

const ENTRIES: &str = "INSERT INTO audit (seq, at, actor, action, subject, detail, hash)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::bytea[])";
const ENTRIES_COLUMNS: usize = 7;

/// One statement, and so none of it without the rest.
const RAISED: &str = "WITH entries AS (
        INSERT INTO audit (seq, at, actor, action, subject, detail, hash)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
            $6::text[], $7::bytea[])
    ), logged AS (
        INSERT INTO revocation_log (seq, what, subject, reason, at, mark)
        SELECT *, $14::bytea FROM unnest($8::bigint[], $9::text[], $10::text[], $11::text[], $12::bigint[])
    ), raised AS (UPDATE epoch SET n = greatest(n, $13::bigint), mark = $14::bytea)
    SELECT pg_notify($15, ($13::bigint)::text) WHERE $16";

/// What stands in the books, column by column.
struct Ends<'a> {
    seqs: Vec<i64>,
    times: Vec<i64>,
    actors: Vec<&'a str>,
    actions: Vec<&'a str>,
    subjects: Vec<&'a str>,
    details: Vec<&'a str>,
    hashes: Vec<&'a [u8]>,
    epochs: Vec<i64>,
    whats: Vec<&'a str>,
    of: Vec<&'a str>,
    reasons: Vec<&'a str>,
    raised_at: Vec<i64>,
    epoch: i64,
    mark: &'a [u8],
    notify: bool,
}

impl<'a> Ends<'a> {
    fn of(tx: &'a Tx, notify: bool) -> Self {
        let Books { entries, log, epoch, head, .. } = &tx.books;
        Self {
            seqs: entries.iter().map(|(entry, _)| signed(entry.seq)).collect(),
            times: entries.iter().map(|(entry, _)| entry.at.as_millis()).collect(),
            actors: entries.iter().map(|(entry, _)| entry.actor.as_str()).collect(),
            actions: entries.iter().map(|(entry, _)| &*entry.action).collect(),
            subjects: entries.iter().map(|(entry, _)| &*entry.subject).collect(),
            details: entries.iter().map(|(entry, _)| &*entry.detail).collect(),
            hashes: entries.iter().map(|(_, hash)| hash.as_bytes().as_slice()).collect(),
            epochs: log.iter().map(|entry| signed(entry.epoch)).collect(),
            whats: log.iter().map(|entry| entry.what).collect(),
            of: log.iter().map(|entry| &*entry.subject).collect(),
            reasons: log.iter().map(|entry| &*entry.reason).collect(),
            raised_at: log.iter().map(|entry| entry.at.as_millis()).collect(),
            epoch: signed(*epoch),
            mark: head.as_bytes(),
            notify,
        }
    }

    fn parameters(&self) -> [Parameter<'_>; 16] {
        [
            &self.seqs,
            &self.times,
            &self.actors,
            &self.actions,
            &self.subjects,
            &self.details,
            &self.hashes,
            &self.epochs,
            &self.whats,
            &self.of,
            &self.reasons,
            &self.raised_at,
            &self.epoch,
            &self.mark,
            &COMMITTED,
            &self.notify,
        ]
    }
}
