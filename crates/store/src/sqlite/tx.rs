//! What the body of a named transaction works with: the connection, the questions that many ask of
//! it, and the three traces that a change leaves: its audit entry, its place in the revocation log,
//! and what the follower is told.

use super::{
    fault::{Fault, Stop},
    queries, rows,
};
use crate::{
    By, Change, Epoch, Idempotency, IssuedBefore, KeyRing, StoreError,
    mutation::{ADMINISTERED_MILLIS, forgotten},
};
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

    /// Until when somebody can administer all of this, asked no further than a day ahead: the end
    /// of the last token that is in force, has the scope for it, and is an operator's of no tenant.
    /// One that its successor's first use will end counts no more. Before a change that does not
    /// concern operators nothing needs to be asked.
    ///
    /// The index is named, so that a statement which cannot use it fails, and fails in every test,
    /// and does not slow down revocation.
    pub(super) fn administered_until(
        &self,
        concerned: bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        if !concerned {
            return Ok(None);
        }
        let until: Option<i64> = self
            .sql
            .prepare_cached(&format!(
                "SELECT max(min(ifnull(tokens.expires_at, ?2), ?2))
                 FROM tokens INDEXED BY administrators
                     CROSS JOIN owners ON owners.id = tokens.owner
                 WHERE tokens.kind = 'admin' AND tokens.revoked_at IS NULL
                     AND instr(' ' || tokens.scopes || ' ', ' admin ') > 0
                     AND ifnull(instr(' ' || owners.allowed_scopes || ' ', ' admin ') > 0, TRUE)
                     AND owners.suspended_at IS NULL AND owners.tenant IS NULL
                     AND ifnull(tokens.allowed_networks <> '', TRUE)
                     AND ifnull(owners.allowed_networks <> '', TRUE)
                     AND ifnull(tokens.expires_at > ?1, TRUE)
                     AND ifnull(tokens.issued_at >= {}, TRUE)
                     AND NOT EXISTS (SELECT 1 FROM tokens AS next
                         WHERE next.rotated_from = tokens.id AND next.revoked_at IS NULL
                             AND next.overlap_from_first_use IS NOT NULL
                             AND ifnull(next.expires_at > ?1, TRUE))",
                rows::NOT_BEFORE
            ))?
            .query_row(
                [now.as_millis(), now.plus_millis(ADMINISTERED_MILLIS).as_millis()],
                |row| row.get(0),
            )?;
        Ok(until.map(Timestamp::from_millis))
    }

    /// Refuses, after the change, what has brought that moment closer; before the change it was
    /// `before`.
    pub(super) fn require_administered<E: From<StoreError>>(
        &self,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Stop<E>> {
        if before.is_some() && self.administered_until(true, now)? < before {
            return Err(Stop::Refused(StoreError::LastAdmin.into()));
        }
        Ok(())
    }

    /// From when on tokens are not taken back. Clocks step back and requests overtake one another,
    /// so "all there are" asks which was issued last. No bound lies further ahead than that: new
    /// tokens are issued after it, at a time that nobody has seen yet.
    pub(super) fn bound(&self, before: IssuedBefore, now: Timestamp) -> Result<Timestamp, Fault> {
        let last: Option<i64> = self
            .sql
            .prepare_cached("SELECT max(issued_at) FROM tokens")?
            .query_row([], |row| row.get(0))?;
        let all = now.max(last.map_or(now, Timestamp::from_millis)).plus_millis(1);
        Ok(match before {
            IssuedBefore::ThisWrite => all,
            IssuedBefore::Moment(moment) => all.min(moment),
        })
    }

    /// What was made under this key, if it was seen before.
    pub(super) fn made_before<E: From<StoreError>>(
        &self,
        idempotency: Option<Idempotency>,
        by: &By,
    ) -> Result<Option<String>, Stop<E>> {
        let Some(Idempotency { key, request }) = idempotency else { return Ok(None) };
        let known = self
            .sql
            .prepare_cached("SELECT request, made FROM idempotency WHERE key = ?1 AND at > ?2")?
            .query_row(params![key.as_bytes(), forgotten(by)], |row| {
                Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?))
            })
            .optional()?;
        match known {
            None => Ok(None),
            Some((seen, made)) if seen == *request.as_bytes() => Ok(Some(made)),
            Some(_) => Err(Stop::Refused(StoreError::KeyReused.into())),
        }
    }

    /// Remembers what was made under this key, and forgets what is old.
    pub(super) fn remember(
        &self,
        idempotency: Option<Idempotency>,
        made: &str,
        by: &By,
    ) -> Result<(), Fault> {
        let Some(Idempotency { key, request }) = idempotency else { return Ok(()) };
        self.sql
            .prepare_cached("DELETE FROM idempotency WHERE at <= ?1")?
            .execute([forgotten(by)])?;
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO idempotency (key, request, made, at)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![key.as_bytes(), request.as_bytes(), made, by.at.as_millis()])?;
        Ok(())
    }

    pub(super) fn tell(&mut self, change: Change) {
        self.told.changes.push(change);
    }

    /// What verifiers hold was changed: the next epoch, and its row in the log. One writer, no gaps.
    ///
    /// Read and then written: for `RETURNING`, SQLite makes a temporary table, at each run.
    pub(super) fn raise_epoch(
        &mut self,
        what: &str,
        subject: &str,
        reason: &str,
        at: Timestamp,
    ) -> Result<Epoch, Fault> {
        let epoch = self.epoch()? + 1;
        self.sql.prepare_cached("UPDATE epoch SET n = ?1")?.execute([epoch])?;
        self.sql
            .prepare_cached(
                "INSERT INTO revocation_log (seq, what, subject, reason, at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![epoch, what, subject, reason, at.as_millis()])?;
        self.told.epoch = Some(epoch);
        Ok(epoch)
    }

    pub(super) fn epoch(&self) -> Result<Epoch, Fault> {
        queries::epoch(self.sql)
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
