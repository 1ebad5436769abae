//! A database at one end of a move to the other engine, or from it.
//!
//! A source stays as it is because one transaction, from the first row read to the note that it was
//! moved, holds what every node needs: the row of `epoch`, without which nobody writes, and the table
//! of members, without which nobody gets or renews a lease. If this process dies, both are free
//! again, and nothing has happened. A destination gives up the row of `epoch` first, for good.

use super::{
    connection::{Connector, Session},
    durability::Durability,
    error::OpenError,
    fault::Fault,
    members::Members,
    open,
    rows::{Columns, signed},
    tx::Parameter,
};
use crate::{
    Member,
    transfer::{AUDIT, End, Mark, Origin, Row, State, TABLES, Table, TransferError, Value},
};
use async_trait::async_trait;
use rescind_core::Timestamp;
use std::{error::Error, fmt, path::Path, pin::pin, time::Duration};
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

/// "Transfer" in ASCII: of two processes that would move the same database one goes first.
const ADVISORY_LOCK: i64 = 0x7472_616e_7366_6572;
/// For one statement (the slowest counts the rows of a table), and for the other end between two.
const PATIENCE_MILLIS: u32 = 600_000;
/// With a standby that is slow.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(60);

/// An open database, which no other process moves.
pub struct PostgresEnd {
    session: Session,
    members: Members,
    place: String,
}

impl PostgresEnd {
    pub async fn open(
        connection: &str,
        ca_file: Option<&Path>,
        durability: Durability,
    ) -> Result<Self, OpenError> {
        let connector = open::prepared(connection, ca_file, durability).await?;
        let session = connector.session().await.map_err(OpenError::unreachable)?;
        let patient = format!(
            "SET statement_timeout = {PATIENCE_MILLIS};
             SET idle_in_transaction_session_timeout = {PATIENCE_MILLIS}"
        );
        session.batch_execute(&patient).await.map_err(OpenError::other)?;
        let locked = session.query_one("SELECT pg_try_advisory_lock($1)", &[&ADVISORY_LOCK]);
        let locked = locked.await.map_err(OpenError::other)?;
        if !locked.try_get::<_, bool>(0).map_err(OpenError::other)? {
            return Err(OpenError::BeingMoved);
        }
        let place = format!("postgresql {}", connector.place());
        Ok(Self { session, members: Members::new(&connector), place })
    }

    /// Those that may hold a lease, or could a moment ago.
    pub async fn members(&self) -> Result<Vec<Member>, TransferError> {
        Ok(self.members.all(0).await?.members)
    }

    /// Makes a source of it. `silent` are those whose leases are surely over, unless one of them has
    /// been heard of since: then, or if there is another one, it is refused.
    pub async fn hold(&self, silent: &[Member]) -> Result<(), TransferError> {
        self.run("BEGIN; LOCK TABLE members IN SHARE MODE").await?;
        self.rows("SELECT n FROM epoch FOR UPDATE", &[]).await?;
        let members = self.members().await?;
        match members.into_iter().find(|member| !silent.contains(member)) {
            None => Ok(()),
            Some(Member { node, .. }) => {
                self.run("ROLLBACK").await?;
                Err(TransferError::Served { place: self.place.clone(), node })
            }
        }
    }

    async fn run(&self, statements: &str) -> Result<(), Fault> {
        Ok(self.session.batch_execute(statements).await?)
    }

    async fn rows(
        &self,
        query: &str,
        asked: &[Parameter<'_>],
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let statement = self.session.prepare_cached(query).await?;
        Ok(self.session.query(&statement, asked).await?)
    }

    async fn commit(&self) -> Result<(), TransferError> {
        Ok(self.session.commit(COMMIT_TIMEOUT).await?)
    }

    /// What there is in a destination that must be empty.
    async fn occupied(&self) -> Result<Option<&'static str>, Fault> {
        let names = TABLES.iter().map(|table| table.name).chain(["members"]);
        for name in names {
            let query = format!("SELECT 1 FROM {name} LIMIT 1");
            if !self.rows(&query, &[]).await?.is_empty() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    async fn insert(&self, table: &Table, rows: &[Row]) -> Result<(), Fault> {
        let (columns, name) = (table.columns.join(", "), table.name);
        let shape = format!("SELECT {columns} FROM {name}");
        let shape = self.session.prepare_cached(&shape).await?;
        let types: Vec<Type> =
            shape.columns().iter().map(|column| column.type_().clone()).collect();
        // The keys are what they were, in a column that makes them otherwise: COPY takes them.
        let copy = format!("COPY {name} ({columns}) FROM STDIN (FORMAT binary)");
        let mut writer = pin!(BinaryCopyInWriter::new(self.session.copy_in(&copy).await?, &types));
        for row in rows {
            writer.as_mut().write_raw(row.iter()).await?;
        }
        writer.finish().await?;
        Ok(())
    }
}

/// Refuses what is half of a copy, and what was moved elsewhere.
pub(super) async fn refuse_if_moved(connector: &Connector) -> Result<(), OpenError> {
    let session = connector.session().await.map_err(OpenError::unreachable)?;
    let found = mark(&session).await.map_err(OpenError::other)?;
    match found.map(|mark| mark.state) {
        None | Some(State::Whole) => Ok(()),
        Some(State::Filling) => Err(OpenError::Unfinished),
        Some(State::Moved { to, at }) => Err(OpenError::Moved { to, at }),
    }
}

async fn mark(session: &Session) -> Result<Option<Mark>, Fault> {
    let query = "SELECT state, origin, epoch, place, at FROM transfer";
    let Some(row) = session.query_opt(query, &[]).await? else { return Ok(None) };
    let mut columns = Columns::of(&row);
    let (state, text, epoch) = (columns.get::<&str>()?, columns.get()?, columns.count()?);
    let state = State::parse(state, columns.get()?, columns.get()?);
    let state = state.ok_or_else(|| Fault::Value("the mark of a move".into()))?;
    Ok(Some(Mark { origin: Origin { epoch, text }, state }))
}

#[async_trait]
impl End for PostgresEnd {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn mark(&mut self) -> Result<Option<Mark>, TransferError> {
        Ok(mark(&self.session).await?)
    }

    async fn origin(&mut self) -> Result<Origin, TransferError> {
        let mut counts = Vec::with_capacity(TABLES.len());
        for table in &TABLES {
            counts.push((table.name, self.count(table).await?));
        }
        let query = format!(
            "SELECT n, (SELECT hash FROM {AUDIT} ORDER BY seq DESC LIMIT 1),
                 (SELECT max(last_used_at) FROM tokens)
             FROM epoch"
        );
        let row = self.session.query_one(&query, &[]).await.map_err(Fault::from)?;
        let mut columns = Columns::of(&row);
        let (epoch, head) = (columns.count()?, columns.get::<Option<&[u8]>>()?);
        Ok(Origin::new(epoch, counts, head, columns.get()?))
    }

    async fn count(&mut self, table: &Table) -> Result<u64, TransferError> {
        let query = format!("SELECT count(*) FROM {}", table.name);
        let row = self.session.query_one(&query, &[]).await.map_err(Fault::from)?;
        Ok(Columns::of(&row).count()?)
    }

    async fn last(&mut self, table: &Table) -> Result<Option<Value>, TransferError> {
        let (key, name) = (table.key(), table.name);
        let query = format!("SELECT {key} FROM {name} ORDER BY {key} DESC LIMIT 1");
        let rows = self.rows(&query, &[]).await?;
        Ok(rows.first().map(|row| Columns::of(row).get()).transpose()?)
    }

    async fn read(
        &mut self,
        table: &Table,
        after: Option<&Value>,
        limit: u32,
    ) -> Result<Vec<Row>, TransferError> {
        let (columns, key, name) = (table.columns.join(", "), table.key(), table.name);
        let behind = if after.is_some() { format!("WHERE {key} > $2") } else { String::new() };
        let query = format!("SELECT {columns} FROM {name} {behind} ORDER BY {key} LIMIT $1");
        let limit = i64::from(limit);
        let mut asked: Vec<Parameter<'_>> = vec![&limit];
        asked.extend(after.map(|key| key as Parameter<'_>));
        let found = self.rows(&query, &asked).await?;
        let read = |row: &tokio_postgres::Row| {
            let mut columns = Columns::of(row);
            (0..table.columns.len()).map(|_| columns.get()).collect::<Result<Row, Fault>>()
        };
        Ok(found.iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn begin(&mut self, origin: &Origin) -> Result<(), TransferError> {
        // Whoever was about to enter its row has entered it, and is seen.
        self.run("BEGIN; LOCK TABLE members IN SHARE MODE").await?;
        self.rows("SELECT n FROM epoch FOR UPDATE", &[]).await?;
        if let Some(table) = self.occupied().await? {
            self.run("ROLLBACK").await?;
            return Err(TransferError::NotEmpty { place: self.place(), table });
        }
        let statement = "INSERT INTO transfer (only_row, state, origin, epoch)
             VALUES (1, 'filling', $1, $2)";
        self.rows(statement, &[&origin.text, &signed(origin.epoch)]).await?;
        self.run("DELETE FROM epoch").await?;
        self.commit().await
    }

    async fn clear(&mut self) -> Result<(), TransferError> {
        let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
        let names = names.join(", ");
        self.run("BEGIN").await?;
        self.run(&format!("TRUNCATE {names}; DELETE FROM transfer")).await?;
        self.run("INSERT INTO epoch (only_row, n) VALUES (1, 0)").await?;
        self.commit().await
    }

    async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), TransferError> {
        self.run("BEGIN").await?;
        self.insert(table, rows).await?;
        self.commit().await
    }

    async fn finish(&mut self, origin: &Origin) -> Result<(), TransferError> {
        // Without it the first questions would be answered as of empty tables.
        self.run("ANALYZE owners, bounds, tokens, revocation_log, idempotency, audit").await?;
        self.run("BEGIN").await?;
        for table in ["owners", "tokens"] {
            // New rows go on behind the last one.
            let statement = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'seq'), max(seq)) FROM {table}"
            );
            self.rows(&statement, &[]).await?;
        }
        let statement = "INSERT INTO epoch (only_row, n) VALUES (1, $1)";
        self.rows(statement, &[&signed(origin.epoch)]).await?;
        self.run("UPDATE transfer SET state = 'whole'").await?;
        self.commit().await
    }

    async fn retire(
        &mut self,
        origin: &Origin,
        to: &str,
        at: Timestamp,
    ) -> Result<(), TransferError> {
        self.run("DELETE FROM transfer").await?;
        let statement = "INSERT INTO transfer (only_row, state, origin, epoch, place, at)
             VALUES (1, 'moved', $1, $2, $3, $4)";
        let asked: [Parameter<'_>; 4] = [&origin.text, &signed(origin.epoch), &to, &at.as_millis()];
        self.rows(statement, &asked).await?;
        self.run("DELETE FROM epoch").await?;
        self.commit().await
    }

    async fn reopen(&mut self) -> Result<(), TransferError> {
        self.run("BEGIN; INSERT INTO epoch (only_row, n, mark)
                 SELECT 1, epoch, (SELECT mark FROM revocation_log WHERE seq = epoch) FROM transfer").await?;
        self.run("DELETE FROM transfer").await?;
        self.commit().await
    }
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Number(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Number(i32::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Number(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::INT4 | Type::BOOL | Type::BYTEA | Type::TEXT)
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Number(number) => match *ty {
                Type::INT4 => i32::try_from(*number)?.to_sql(ty, out),
                Type::BOOL => (*number != 0).to_sql(ty, out),
                _ => number.to_sql(ty, out),
            },
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        <Self as FromSql<'_>>::accepts(ty)
    }

    to_sql_checked!();
}

impl From<Fault> for TransferError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into())
    }
}

impl fmt::Debug for PostgresEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresEnd").field("place", &self.place).finish_non_exhaustive()
    }
}
