//! The start: everything that a verification may rest on, from the database into the follower.
//!
//! Rows are streamed, each moved on as it is read. Every sealed secret of an active token is opened
//! here, so a key that is missing shows before the first request and not at some later one.

use super::{error::OpenError, fault::Fault, queries, rows};
use crate::{Change, Follower, KeyRing, KeyRingError, Material, mutation::token::secret_place};
use rescind_core::{Digest, TokenId, signature::Secret};
use rusqlite::{Connection, Row};
use std::path::Path;

pub(super) fn load(
    sql: &Connection,
    path: &Path,
    keys: &KeyRing,
    follower: &dyn Follower,
) -> Result<(), OpenError> {
    let of = |fault| OpenError::of(path, fault);
    owners(sql, follower).map_err(of)?;
    bounds(sql, follower).map_err(of)?;
    tokens(sql, keys, follower).map_err(|unloaded| match unloaded {
        Unloaded::Fault(fault) => of(fault),
        Unloaded::Secret(_, KeyRingError::Missing { key }) => {
            OpenError::KeyMissing { path: path.into(), key }
        }
        Unloaded::Secret(token, source) => OpenError::Secret { path: path.into(), token, source },
    })?;
    follower.reached(queries::epoch(sql).map_err(of)?);
    Ok(())
}

/// First: an owner stands before its tokens.
fn owners(sql: &Connection, follower: &dyn Follower) -> Result<(), Fault> {
    let mut statement =
        sql.prepare(&format!("SELECT {} FROM owners ORDER BY seq", rows::OWNER_COLUMNS))?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        follower.apply(Change::Owner(rows::owner(row)?));
    }
    Ok(())
}

fn bounds(sql: &Connection, follower: &dyn Follower) -> Result<(), Fault> {
    let mut statement = sql.prepare("SELECT nullif(tenant, ''), not_before FROM bounds")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (tenant, start) = (rows::tenant_or_null(row, 0)?, rows::time(row, 1)?);
        follower.apply(Change::NotBefore { tenant, start });
    }
    Ok(())
}

enum Unloaded {
    Fault(Fault),
    Secret(TokenId, KeyRingError),
}

fn tokens(sql: &Connection, keys: &KeyRing, follower: &dyn Follower) -> Result<(), Unloaded> {
    let mut statement = sql.prepare(&format!(
        "SELECT {}, digest, sealed_secret FROM tokens WHERE revoked_at IS NULL ORDER BY seq",
        rows::RECORD_COLUMNS
    ))?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let record = rows::record(row)?;
        let material = material(row, &record.id, keys)?;
        follower.apply(Change::Issued { record, material });
    }
    Ok(())
}

fn material(row: &Row<'_>, id: &TokenId, keys: &KeyRing) -> Result<Material, Unloaded> {
    if let Some(digest) = row.get(13)? {
        return Ok(Material::Digest(Digest::from_bytes(digest)));
    }
    let sealed: Vec<u8> = row.get(14)?;
    let mut opened = keys
        .open(secret_place(id), &sealed)
        .map_err(|error| Unloaded::Secret(id.clone(), error))?;
    Ok(Material::Secret(Secret::from_bytes(std::mem::take(&mut *opened))))
}

impl From<Fault> for Unloaded {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<rusqlite::Error> for Unloaded {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fault(error.into())
    }
}
