//! Rows of members, on connections that nothing else uses.
//!
//! A renewal must not wait behind a list of tokens, and a revocation that reads the members must not
//! wait behind a renewal: own row, acknowledgements and others' rows have a connection each. What takes
//! too long, or is given up half-way, loses its connection with whatever was on its way.

use super::{
    ablation::{ACKNOWLEDGE_OF_ONE_HISTORY, ROW_PER_INCARNATION, keeps},
    batch::COMMITTED,
    connection::{Connector, Session},
    doorbell,
    durability::{self, DurabilityReport},
    fault::Fault,
    log,
    rows::{Columns, signed},
    tx::Parameter,
};
use crate::{
    Contact, Epoch, LogPage, Member, Position, Roll, StoreError,
    outage::{Cause, Outage},
};
use futures_util::try_join;
use rescind_core::Digest;
use std::time::Duration;
use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::Row;

/// For a whole transaction, with the wait for its turn. A lease is renewed several times within
/// its length; one renewal may be lost.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(8);
/// Of these, for the commit.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(4);

/// A write to the log of PostgreSQL and to no table: it is committed, and waits for a standby, like
/// every other, and leaves nothing behind that would have to be cleaned up. A standby refuses it.
const WRITE: &str = "BEGIN READ WRITE; SELECT pg_logical_emit_message(true, 'rescind', '')";

/// Told to all nodes when one has applied something.
pub(super) const APPLIED: &str = "rescind_applied";

pub(super) struct Members {
    own: Line,
    /// What a node says between renewals, which must not wait for one.
    words: Line,
    others: Line,
    /// For what a lease rests on besides.
    log: Line,
}

impl Members {
    pub(super) fn new(connector: &Connector) -> Self {
        let line = || Line { connector: connector.clone(), session: Mutex::new(None) };
        Self { own: line(), words: line(), others: line(), log: line() }
    }

    pub(super) async fn read_log(&self, after: Position) -> Result<LogPage, StoreError> {
        self.log.read_log(after).await
    }

    pub(super) async fn read_log_of_primary(&self, after: Position) -> Result<LogPage, StoreError> {
        self.log.read_log_of_primary(after).await
    }

    pub(super) async fn durability(&self) -> Result<DurabilityReport, StoreError> {
        self.own.durability().await
    }

    pub(super) async fn register(
        &self,
        member: &Member,
        mark: Option<Digest>,
    ) -> Result<(), StoreError> {
        if !keeps(ROW_PER_INCARNATION) {
            let others = "DELETE FROM members WHERE node = $1 AND incarnation <> $2";
            let asked: [Parameter<'_>; 2] = [&member.node, &member.incarnation.cast_signed()];
            self.own.transact(others, &asked).await?;
        }
        let said = held("$4", "$8");
        let statement = format!(
            "INSERT INTO members
                 (node, incarnation, lease_ms, applied, renewals, address, certificate)
             VALUES ($1, $2, $3, CASE WHEN {said} THEN $4::bigint ELSE 0 END, $5, $6, $7)
             ON CONFLICT (node, incarnation) DO UPDATE SET lease_ms = excluded.lease_ms,
                 applied = excluded.applied, address = excluded.address,
                 certificate = excluded.certificate, renewals = members.renewals + 1"
        );
        let contact = member.contact.as_ref();
        let place = Position { epoch: member.applied, mark };
        let asked: [Parameter<'_>; 8] = [
            &member.node,
            &member.incarnation.cast_signed(),
            &signed(member.lease_ms),
            &signed(member.applied),
            &signed(member.renewals),
            &contact.map(|contact| contact.address.as_str()),
            &contact.map(|contact| contact.certificate.as_bytes().as_slice()),
            &log::mark(&place),
        ];
        self.own.transact(&statement, &asked).await.map(drop)
    }

    pub(super) async fn renew(
        &self,
        node: &str,
        incarnation: u64,
        applied: Position,
        lease_ms: u64,
    ) -> Result<bool, StoreError> {
        let said = held("$3", "$5");
        let statement = format!(
            "UPDATE members SET renewals = renewals + 1, lease_ms = $4,
                 applied = CASE WHEN {said} THEN greatest(applied, $3) ELSE applied END
             WHERE node = $1 AND incarnation = $2 RETURNING 1"
        );
        let (epoch, mark) = (signed(applied.epoch), log::mark(&applied));
        let asked: [Parameter<'_>; 5] =
            [&node, &incarnation.cast_signed(), &epoch, &signed(lease_ms), &mark];
        Ok(!self.own.transact(&statement, &asked).await?.is_empty())
    }

    pub(super) async fn acknowledge(
        &self,
        node: &str,
        incarnation: u64,
        applied: Position,
    ) -> Result<bool, StoreError> {
        let said = held("$3", "$6");
        let statement = format!(
            "WITH told AS (UPDATE members SET applied = greatest(applied, $3)
                 WHERE node = $1 AND incarnation = $2 AND {said} RETURNING 1)
             SELECT pg_notify($4, $5), set_config('synchronous_commit', 'off', TRUE) FROM told"
        );
        let (epoch, mark) = (signed(applied.epoch), log::mark(&applied));
        let payload = doorbell::acknowledgement(node, incarnation, &applied);
        let asked: [Parameter<'_>; 6] =
            [&node, &incarnation.cast_signed(), &epoch, &APPLIED, &payload, &mark];
        Ok(!self.words.transact(&statement, &asked).await?.is_empty())
    }

    pub(super) async fn ring(&self, epoch: Epoch) -> Result<(), StoreError> {
        let statement = "SELECT pg_notify($1, $2)";
        self.words.transact(statement, &[&COMMITTED, &epoch.to_string()]).await.map(drop)
    }

    pub(super) async fn leave(&self, node: &str, incarnation: u64) -> Result<(), StoreError> {
        let statement = "DELETE FROM members WHERE node = $1 AND incarnation = $2";
        self.own.transact(statement, &[&node, &incarnation.cast_signed()]).await.map(drop)
    }

    /// A server that does not know of this epoch is an old primary that still answers: next time
    /// another is looked for.
    pub(super) async fn all(&self, known: Epoch) -> Result<Roll, StoreError> {
        let roll = roll(&self.others.read(ALL).await?)?;
        if roll.head < known {
            self.others.session.lock().await.take();
        }
        Ok(roll)
    }

    pub(super) async fn remove(
        &self,
        node: &str,
        incarnation: u64,
        renewals: u64,
    ) -> Result<bool, StoreError> {
        let statement = "DELETE FROM members
             WHERE node = $1 AND incarnation = $2 AND renewals = $3 RETURNING 1";
        let asked: [Parameter<'_>; 3] = [&node, &incarnation.cast_signed(), &signed(renewals)];
        Ok(!self.others.transact(statement, &asked).await?.is_empty())
    }
}

/// Whether the log holds a place, of these parameters: what a node has applied of another history says
/// nothing here. A row from before there were marks has any.
fn held(epoch: &str, mark: &str) -> String {
    let held = format!(
        "(EXISTS (SELECT FROM epoch WHERE n >= {epoch})
          AND NOT EXISTS (SELECT FROM revocation_log WHERE seq = {epoch} AND mark <> coalesce({mark}, ''::bytea)))"
    );
    if keeps(ACKNOWLEDGE_OF_ONE_HISTORY) {
        held
    } else {
        format!("({mark}::bytea IS NULL OR TRUE)")
    }
}

/// One statement, and so one snapshot, which needs no transaction: a revocation waits for it. The row
/// of the epoch comes even if there is no member.
pub(super) const ALL: &str =
    "SELECT n, node, incarnation, lease_ms, applied, renewals, address, certificate
     FROM epoch LEFT JOIN members ON TRUE ORDER BY node, incarnation";

pub(super) fn roll(rows: &[Row]) -> Result<Roll, Fault> {
    let mut roll = Roll { head: 0, members: Vec::with_capacity(rows.len()) };
    for row in rows {
        let mut columns = Columns::of(row);
        roll.head = columns.count()?;
        roll.members.extend(member(columns)?);
    }
    Ok(roll)
}

fn member(mut columns: Columns<'_>) -> Result<Option<Member>, Fault> {
    let Some(node) = columns.get()? else { return Ok(None) };
    Ok(Some(Member {
        node,
        incarnation: columns.get::<i64>()?.cast_unsigned(),
        lease_ms: columns.count()?,
        applied: columns.count()?,
        renewals: columns.count()?,
        contact: contact(columns.get()?, columns.digest_or_null()?),
    }))
}

/// A version that knew no certificates may have written the row.
fn contact(address: Option<String>, certificate: Option<Digest>) -> Option<Contact> {
    Some(Contact { address: address?, certificate: certificate? })
}

/// One connection, used by one caller at a time.
struct Line {
    connector: Connector,
    session: Mutex<Option<Session>>,
}

impl Line {
    /// One statement, committed.
    async fn transact(
        &self,
        statement: &str,
        asked: &[Parameter<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let done = timeout(MEMBER_TIMEOUT, async {
            let mut held = self.session.lock().await;
            // Out of its place while it is in use: whoever is given up takes it with them.
            let session = self.ready(held.take()).await?;
            let rows = run(&session, statement, asked).await?;
            *held = Some(session);
            Ok(rows)
        });
        match done.await {
            Ok(done) => done,
            Err(_) => Err(uncertain(Fault::TimedOut("a write on members"))),
        }
    }

    async fn read(&self, query: &str) -> Result<Vec<Row>, StoreError> {
        self.ask("the members", async |session: &Session| {
            let prepared = session.prepare_cached(query).await?;
            Ok(session.query(&prepared, &[]).await?)
        })
        .await
    }

    async fn read_log(&self, after: Position) -> Result<LogPage, StoreError> {
        self.ask("the log", async |session: &Session| log::read(session, after).await).await
    }

    /// On one connection: another one may lead to another server.
    async fn read_log_of_primary(&self, after: Position) -> Result<LogPage, StoreError> {
        self.ask("a round", async |session: &Session| {
            session.batch_execute(WRITE).await?;
            session.commit(COMMIT_TIMEOUT).await?;
            log::read(session, after).await
        })
        .await
    }

    async fn durability(&self) -> Result<DurabilityReport, StoreError> {
        self.ask("settings", async |session: &Session| durability::report(session).await).await
    }

    /// Something that changes nothing.
    async fn ask<T>(
        &self,
        what: &'static str,
        question: impl AsyncFnOnce(&Session) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let asked = timeout(MEMBER_TIMEOUT, async {
            let mut held = self.session.lock().await;
            let session = self.ready(held.take()).await?;
            let answer = question(&session).await?;
            *held = Some(session);
            Ok(answer)
        });
        Ok(asked.await.unwrap_or(Err(Fault::TimedOut(what)))?)
    }

    async fn ready(&self, session: Option<Session>) -> Result<Session, Fault> {
        match session.filter(|session| !session.is_closed()) {
            Some(session) => Ok(session),
            None => self.connector.session().await,
        }
    }
}

async fn run(
    session: &Session,
    statement: &str,
    asked: &[Parameter<'_>],
) -> Result<Vec<Row>, StoreError> {
    let prepared = session.prepare_cached(statement).await.map_err(Fault::from)?;
    let begun =
        try_join!(session.batch_execute("BEGIN READ WRITE"), session.query(&prepared, asked));
    let ((), rows) = begun.map_err(Fault::from)?;
    session.commit(COMMIT_TIMEOUT).await.map_err(uncertain)?;
    Ok(rows)
}

fn uncertain(fault: Fault) -> StoreError {
    Outage::Uncertain(Cause::new(fault)).into()
}
