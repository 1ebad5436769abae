//! A database file at one end of a move to the other engine, or from it.
//!
//! It is held by the same lock as a server's, so that no server runs on it. Calls block: a process
//! that moves a store does nothing else.

use super::{
    checkpoint::Checkpoints, error::OpenError, fault::Fault, files, open::trusted, queries,
};
use crate::transfer::{AUDIT, End, Mark, Origin, Row, State, TABLES, Table, TransferError, Value};
use async_trait::async_trait;
use rescind_core::Timestamp;
use rusqlite::{
    Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior, params,
    params_from_iter,
    types::{ToSqlOutput, ValueRef},
};
use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
};

/// An open database, whose lock is held.
pub struct SqliteEnd {
    sql: Connection,
    checkpoints: Checkpoints,
    path: PathBuf,
    /// Released last: fields are dropped in order.
    _lock: File,
}

impl SqliteEnd {
    /// A store that must be there.
    pub fn source(path: &Path) -> Result<Self, OpenError> {
        match path.try_exists() {
            Ok(true) => Self::destination(path),
            Ok(false) => Err(OpenError::Missing { path: path.into() }),
            Err(error) => Err(OpenError::io(path, error)),
        }
    }

    /// It and its directory are made if they are missing.
    pub fn destination(path: &Path) -> Result<Self, OpenError> {
        let (lock, existing) = files::prepare(path)?;
        let (sql, checkpoints) = trusted(path, existing)?;
        Ok(Self { sql, checkpoints, path: path.into(), _lock: lock })
    }

    /// One durable commit.
    fn transact<T>(
        &mut self,
        body: impl FnOnce(&Transaction<'_>) -> Result<T, TransferError>,
    ) -> Result<T, TransferError> {
        let tx = self.sql.transaction_with_behavior(TransactionBehavior::Immediate);
        let tx = tx.map_err(Fault::from)?;
        let done = body(&tx)?;
        tx.commit().map_err(Fault::from)?;
        if self.checkpoints.are_due() {
            self.checkpoints.run(&self.sql)?;
        }
        Ok(done)
    }
}

/// Refuses what is half of a copy, and what was moved elsewhere.
pub(super) fn refuse_if_moved(sql: &Connection, path: &Path) -> Result<(), OpenError> {
    let found = mark(sql).map_err(|fault| OpenError::of(path, fault))?;
    match found.map(|mark| mark.state) {
        None | Some(State::Whole) => Ok(()),
        Some(State::Filling) => Err(OpenError::Unfinished { path: path.into() }),
        Some(State::Moved { to, at }) => Err(OpenError::Moved { path: path.into(), to, at }),
    }
}

fn mark(sql: &Connection) -> Result<Option<Mark>, Fault> {
    let row = sql
        .query_row("SELECT state, origin, epoch, place, at FROM transfer", [], |row| {
            let state: String = row.get(0)?;
            let origin = Origin { text: row.get(1)?, epoch: row.get(2)? };
            Ok((State::parse(&state, row.get(3)?, row.get(4)?), origin))
        })
        .optional()?;
    let Some((state, origin)) = row else { return Ok(None) };
    let state = state.ok_or_else(|| Fault::Value("the mark of a move".into()))?;
    Ok(Some(Mark { origin, state }))
}

fn count(sql: &Connection, table: &Table) -> Result<u64, Fault> {
    let query = format!("SELECT count(*) FROM {}", table.name);
    Ok(sql.query_row(&query, [], |row| row.get(0))?)
}

fn origin(sql: &Connection) -> Result<Origin, Fault> {
    let counts = TABLES.iter().map(|table| Ok((table.name, count(sql, table)?)));
    let counts = counts.collect::<Result<Vec<_>, Fault>>()?;
    let head = format!("SELECT hash FROM {AUDIT} ORDER BY seq DESC LIMIT 1");
    let head: Option<Vec<u8>> = sql.query_row(&head, [], |row| row.get(0)).optional()?;
    let last_use = sql.query_row("SELECT max(last_used_at) FROM tokens", [], |row| row.get(0))?;
    Ok(Origin::new(queries::epoch(sql)?, counts, head.as_deref(), last_use))
}

fn read(
    sql: &Connection,
    table: &Table,
    after: Option<&Value>,
    limit: u32,
) -> Result<Vec<Row>, Fault> {
    let (columns, key, name) = (table.columns.join(", "), table.key(), table.name);
    let behind = if after.is_some() { format!("WHERE {key} > ?2") } else { String::new() };
    let query = format!("SELECT {columns} FROM {name} {behind} ORDER BY {key} LIMIT ?1");
    let mut statement = sql.prepare_cached(&query)?;
    let limit = Value::Number(limit.into());
    let mut found =
        statement.query(params_from_iter([Some(&limit), after].into_iter().flatten()))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let values = (0..table.columns.len()).map(|at| value(row.get_ref(at)?));
        rows.push(values.collect::<Result<Row, Fault>>()?);
    }
    Ok(rows)
}

fn value(found: ValueRef<'_>) -> Result<Value, Fault> {
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Number(number),
        ValueRef::Text(_) => Value::Text(found.as_str().map_err(wrong_type)?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(Fault::Value("a column has the wrong type".into())),
    })
}

fn wrong_type(error: rusqlite::types::FromSqlError) -> Fault {
    Fault::Value(error.to_string())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn insert(tx: &Transaction<'_>, table: &Table, rows: &[Row]) -> Result<(), Fault> {
    let places: Vec<_> = (1..=table.columns.len()).map(|n| format!("?{n}")).collect();
    let (columns, places) = (table.columns.join(", "), places.join(", "));
    let statement = format!("INSERT INTO {} ({columns}) VALUES ({places})", table.name);
    let mut statement = tx.prepare_cached(&statement)?;
    for row in rows {
        statement.execute(params_from_iter(row))?;
    }
    Ok(())
}

#[async_trait]
impl End for SqliteEnd {
    fn place(&self) -> String {
        format!("sqlite {}", self.path.display())
    }

    async fn mark(&mut self) -> Result<Option<Mark>, TransferError> {
        Ok(mark(&self.sql)?)
    }

    async fn origin(&mut self) -> Result<Origin, TransferError> {
        Ok(origin(&self.sql)?)
    }

    async fn count(&mut self, table: &Table) -> Result<u64, TransferError> {
        Ok(count(&self.sql, table)?)
    }

    async fn last(&mut self, table: &Table) -> Result<Option<Value>, TransferError> {
        let (key, name) = (table.key(), table.name);
        let query = format!("SELECT {key} FROM {name} ORDER BY {key} DESC LIMIT 1");
        let found = self.sql.query_row(&query, [], |row| Ok(value(row.get_ref(0)?)));
        Ok(found.optional().map_err(Fault::from)?.transpose()?)
    }

    async fn read(
        &mut self,
        table: &Table,
        after: Option<&Value>,
        limit: u32,
    ) -> Result<Vec<Row>, TransferError> {
        Ok(read(&self.sql, table, after, limit)?)
    }

    async fn begin(&mut self, origin: &Origin) -> Result<(), TransferError> {
        let place = self.place();
        self.transact(|tx| {
            for table in &TABLES {
                if count(tx, table)? > 0 {
                    return Err(TransferError::NotEmpty { place, table: table.name });
                }
            }
            tx.execute(
                "INSERT INTO transfer (only_row, state, origin, epoch)
                 VALUES (1, 'filling', ?1, ?2)",
                params![origin.text, origin.epoch],
            )
            .map_err(Fault::from)?;
            give_up_epoch(tx)
        })
    }

    async fn clear(&mut self) -> Result<(), TransferError> {
        self.transact(|tx| {
            for table in TABLES.iter().rev() {
                let emptied = format!("DELETE FROM {}", table.name);
                tx.execute(&emptied, []).map_err(Fault::from)?;
            }
            take_epoch(tx, 0)?;
            tx.execute("DELETE FROM transfer", []).map_err(Fault::from)?;
            Ok(())
        })
    }

    async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), TransferError> {
        self.transact(|tx| Ok(insert(tx, table, rows)?))
    }

    async fn finish(&mut self, origin: &Origin) -> Result<(), TransferError> {
        self.transact(|tx| {
            take_epoch(tx, origin.epoch)?;
            tx.execute("UPDATE transfer SET state = 'whole'", []).map_err(Fault::from)?;
            Ok(())
        })?;
        Ok(self.checkpoints.run_whole(&self.sql)?)
    }

    async fn retire(
        &mut self,
        origin: &Origin,
        to: &str,
        at: Timestamp,
    ) -> Result<(), TransferError> {
        self.transact(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO transfer (only_row, state, origin, epoch, place, at)
                 VALUES (1, 'moved', ?1, ?2, ?3, ?4)",
                params![origin.text, origin.epoch, to, at.as_millis()],
            )
            .map_err(Fault::from)?;
            give_up_epoch(tx)
        })?;
        Ok(self.checkpoints.run_whole(&self.sql)?)
    }

    async fn reopen(&mut self) -> Result<(), TransferError> {
        let epoch = mark(&self.sql)?.map(|mark| mark.origin.epoch).unwrap_or_default();
        self.transact(|tx| {
            take_epoch(tx, epoch)?;
            tx.execute("DELETE FROM transfer", []).map_err(Fault::from)?;
            Ok(())
        })
    }
}

fn give_up_epoch(tx: &Transaction<'_>) -> Result<(), TransferError> {
    tx.execute("DELETE FROM epoch", []).map_err(Fault::from)?;
    Ok(())
}

fn take_epoch(tx: &Transaction<'_>, epoch: u64) -> Result<(), TransferError> {
    tx.execute("INSERT INTO epoch (only_row, n) VALUES (1, ?1)", [epoch]).map_err(Fault::from)?;
    Ok(())
}

impl From<Fault> for TransferError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.outage().into())
    }
}

impl fmt::Debug for SqliteEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteEnd").field("path", &self.path).finish_non_exhaustive()
    }
}
