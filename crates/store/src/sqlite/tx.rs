//! What the body of a named transaction works with: the connection, and the three traces that a
//! change leaves: its audit entry, its place in the revocation log, and what the follower is told.

use super::fault::{Fault, Stop};
use crate::{By, Change, Epoch, KeyRing, StoreError};
use rescind_core::{Digest, Timestamp, audit};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) struct Tx<'a> {
    pub(super) sql: &'a Connection,
    pub(super) keys: &'a KeyRing,
    told: &'a mut Told,
}

/// What the follower will be told once the batch is durable.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) changes: Vec<Change>,
    pub(super) epoch: Option<Epoch>,
}

impl Told {
    pub(super) fn append(&mut self, mut later: Self) {
        self.changes.append(&mut later.changes);
        self.epoch = later.epoch.or(self.epoch);
    }
}

impl<'a> Tx<'a> {
    pub(super) fn new(sql: &'a Connection, keys: &'a KeyRing, told: &'a mut Told) -> Self {
        Self { sql, keys, told }
    }

    /// Whether whoever asked may still ask. Its answer at the door may be as old as a slow body.
    pub(super) fn check_actor<E: From<StoreError>>(&self, by: &By) -> Result<(), Stop<E>> {
        let Some(id) = by.actor.token_id() else { return Ok(()) };
        let stands = self
            .sql
            .prepare_cached(
                "SELECT tokens.revoked_at IS NULL AND owners.suspended_at IS NULL
                 FROM tokens JOIN owners ON owners.id = tokens.owner WHERE tokens.id = ?1",
            )
            .and_then(|mut statement| {
                statement.query_row([id.as_str()], |row| row.get::<_, bool>(0)).optional()
            })
            .map_err(|error| Stop::Fault(error.into()))?;
        match stands {
            Some(true) => Ok(()),
            _ => Err(Stop::Refused(StoreError::ActorRefused.into())),
        }
    }

    pub(super) fn tell(&mut self, change: Change) {
        self.told.changes.push(change);
    }

    /// Power was taken away: the next epoch, and its row in the log. One row lock, no gaps.
    pub(super) fn raise_epoch(
        &mut self,
        what: &str,
        subject: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Epoch, Fault> {
        let epoch: Epoch = self
            .sql
            .prepare_cached("UPDATE epoch SET n = n + 1 RETURNING n")?
            .query_row([], |row| row.get(0))?;
        self.sql
            .prepare_cached(
                "INSERT INTO revocation_log (seq, what, subject, reason, at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![epoch, what, subject, reason, at.as_millis()])?;
        self.told.epoch = Some(epoch);
        Ok(epoch)
    }

    /// Adds the next entry to the audit chain. `detail` never holds a secret.
    pub(super) fn audit(
        &mut self,
        by: &By,
        action: &str,
        subject: &str,
        detail: &serde_json::Value,
    ) -> Result<(), Fault> {
        let (last, head) = self.audit_head()?;
        let entry = audit::Entry {
            seq: last + 1,
            at: by.at,
            actor: by.actor.clone(),
            action: action.into(),
            subject: subject.into(),
            detail: detail.to_string(),
        };
        let hash = audit::link(&head, &entry);
        self.sql
            .prepare_cached(
                "INSERT INTO audit (seq, at, actor, action, subject, detail, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                entry.seq,
                entry.at.as_millis(),
                entry.actor.as_str(),
                entry.action,
                entry.subject,
                entry.detail,
                hash.as_bytes(),
            ])?;
        Ok(())
    }

    /// Read each time, never remembered: a remembered head would survive a rollback.
    fn audit_head(&self) -> Result<(u64, Digest), Fault> {
        let head = self
            .sql
            .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, Digest::from_bytes(row.get(1)?))))
            .optional()?;
        Ok(head.unwrap_or((0, audit::GENESIS)))
    }
}
