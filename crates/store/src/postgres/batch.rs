//! A batch of jobs within one transaction: how it begins, how each job is kept apart from its
//! neighbours, and what is written down at its end.
//!
//! What does not depend on an answer is sent at once: a batch costs a few round trips, and others
//! wait for the right to write meanwhile.

use super::{
    books::Books,
    connection::Session,
    fault::Fault,
    job::{Job, Ran},
    rows::{Columns, signed},
    tx::{Parameter, Tx},
};
use crate::{
    KeyRing,
    outage::{Outage, chain},
};
use futures_util::{FutureExt, future::try_join_all, try_join};
use rescind_core::{Digest, audit};
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio_postgres::Row;

/// Told to all nodes when the epoch was raised, with the epoch.
pub(super) const COMMITTED: &str = "rescind_epoch";

/// Takes the right to write. Whatever is read after that is what the last one who had it left: at
/// this level of isolation each statement sees what was committed before it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
const LOCK: &str = "SELECT n FROM epoch FOR UPDATE";
const HEAD: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
/// Only once the lock is held: rolling back to a savepoint gives back what was locked after it.
const SAVEPOINT: &str = "SAVEPOINT job";

pub(super) async fn begin(session: Arc<Session>, keys: &KeyRing) -> Result<Tx, Fault> {
    let (lock, head) = try_join!(session.prepare_cached(LOCK), session.prepare_cached(HEAD))?;
    let ((), epoch, head, ()) = try_join!(
        session.batch_execute(BEGIN),
        session.query_one(&lock, &[]),
        session.query_opt(&head, &[]),
        session.batch_execute(SAVEPOINT),
    )?;
    let books = Books::new(Columns::of(&epoch).count()?, audit_head(head.as_ref())?);
    Ok(Tx { session, keys: keys.clone(), books })
}

fn audit_head(row: Option<&Row>) -> Result<(u64, Digest), Fault> {
    let Some(row) = row else { return Ok((0, audit::GENESIS)) };
    let mut columns = Columns::of(row);
    Ok((columns.count()?, columns.digest()?))
}

/// What remains of each job. An error has taken the whole batch with it.
pub(super) async fn run(
    tx: &mut Tx,
    jobs: &mut [Box<dyn Job>],
) -> Result<Vec<Option<Outage>>, Fault> {
    let mut outages = Vec::with_capacity(jobs.len());
    for job in jobs {
        outages.push(run_job(tx, job.as_mut()).await?);
    }
    Ok(outages)
}

async fn run_job(tx: &mut Tx, job: &mut dyn Job) -> Result<Option<Outage>, Fault> {
    let mark = tx.books.mark();
    let outage = match AssertUnwindSafe(job.run(tx)).catch_unwind().await {
        Ok(Ran::Done) => {
            tx.session.batch_execute("RELEASE SAVEPOINT job; SAVEPOINT job").await?;
            return Ok(None);
        }
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
    // The savepoint stays, for the next one.
    tx.session.batch_execute("ROLLBACK TO SAVEPOINT job").await?;
    Ok(outage)
}

/// The epoch, its rows in the log, the audit entries and the notification, for all jobs together.
///
/// If one of these fails, the transaction is void, and `COMMIT` would report that as a success: the
/// caller must not get there.
pub(super) async fn write_down(tx: &Tx) -> Result<(), Fault> {
    let raised = tx.books.epoch > tx.books.start;
    let epoch = async {
        match raised {
            true => raise(tx).await,
            false => Ok(()),
        }
    };
    let entries = async {
        match tx.books.entries.is_empty() {
            true => Ok(()),
            false => write_entries(tx).await,
        }
    };
    try_join!(epoch, entries).map(drop)
}

async fn raise(tx: &Tx) -> Result<(), Fault> {
    let log = &tx.books.log;
    let epochs: Vec<_> = log.iter().map(|entry| signed(entry.epoch)).collect();
    let whats: Vec<_> = log.iter().map(|entry| entry.what).collect();
    let subjects: Vec<_> = log.iter().map(|entry| entry.subject.as_str()).collect();
    let reasons: Vec<_> = log.iter().map(|entry| entry.reason.as_str()).collect();
    let times: Vec<_> = log.iter().map(|entry| entry.at.as_millis()).collect();
    let (epoch, told) = (signed(tx.books.epoch), tx.books.epoch.to_string());
    let logged: [Parameter<'_>; 5] = [&epochs, &whats, &subjects, &reasons, &times];
    let (raised, rung): ([Parameter<'_>; 1], [Parameter<'_>; 2]) = ([&epoch], [&COMMITTED, &told]);
    let written = try_join!(
        tx.execute(
            "INSERT INTO revocation_log (seq, what, subject, reason, at)
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[])",
            &logged,
        ),
        tx.execute("UPDATE epoch SET n = $1", &raised),
        tx.rows("SELECT pg_notify($1, $2)", &rung),
    );
    written.map(drop)
}

async fn write_entries(tx: &Tx) -> Result<(), Fault> {
    let statement = tx
        .session
        .prepare_cached(
            "INSERT INTO audit (seq, at, actor, action, subject, detail, hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .await?;
    let inserts = tx.books.entries.iter().map(|(entry, hash)| {
        let statement = &statement;
        async move {
            let (seq, at) = (signed(entry.seq), entry.at.as_millis());
            tx.session
                .execute(
                    statement,
                    &[
                        &seq,
                        &at,
                        &entry.actor.as_str(),
                        &entry.action,
                        &entry.subject,
                        &entry.detail,
                        &hash.as_bytes().as_slice(),
                    ],
                )
                .await
        }
    });
    try_join_all(inserts).await?;
    Ok(())
}
