//! What the body of a named transaction works with: the session, the questions that many ask of it,
//! and the books in which it notes what it leaves behind.

use super::{
    books::{Books, LogEntry, Told},
    connection::Session,
    fault::{Fault, Stop},
    rows::{self, Columns},
};
use crate::{
    By, Change, Epoch, Idempotency, IssuedBefore, KeyRing, StoreError,
    mutation::{ADMINISTERED_MILLIS, forgotten},
};
use rescind_core::{Timestamp, TokenId};
use std::sync::Arc;
use tokio_postgres::{Row, types::ToSql};

/// One parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

pub(super) struct Tx {
    pub(super) session: Arc<Session>,
    pub(super) keys: KeyRing,
    pub(super) books: Books,
    /// The one of the last job, which was kept.
    pub(super) in_savepoint: bool,
}

impl Tx {
    pub(super) async fn rows(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Fault> {
        self.session.rows(query, parameters).await
    }

    pub(super) async fn row(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Row>, Fault> {
        let statement = self.session.prepare_cached(query).await?;
        Ok(self.session.query_opt(&statement, parameters).await?)
    }

    /// How many rows it was about.
    pub(super) async fn execute(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Fault> {
        let statement = self.session.prepare_cached(statement).await?;
        Ok(self.session.execute(&statement, parameters).await?)
    }

    /// A number or null from a row that there always is.
    async fn time(
        &self,
        query: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Option<Timestamp>, Fault> {
        match self.row(query, parameters).await? {
            Some(row) => Columns::of(&row).time_or_null(),
            None => Ok(None),
        }
    }

    /// Until when somebody can administer all of this. Before a change that does not concern
    /// operators nothing needs to be asked.
    pub(super) async fn administered_until(
        &self,
        concerned: bool,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        if !concerned {
            return Ok(None);
        }
        let ahead = now.plus_millis(ADMINISTERED_MILLIS);
        self.time(&administered("TRUE"), &[&now.as_millis(), &ahead.as_millis()]).await
    }

    /// The same before the end of a token, which concerns operators if it is theirs.
    pub(super) async fn administered_before_end(
        &self,
        id: &TokenId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Fault> {
        let ahead = now.plus_millis(ADMINISTERED_MILLIS);
        let asked: [Parameter<'_>; 3] = [&now.as_millis(), &ahead.as_millis(), &id.as_str()];
        self.time(&administered_before_end(), &asked).await
    }

    /// Refuses, after the change, what has brought that moment closer; before the change it was
    /// `before`.
    pub(super) async fn require_administered<E: From<StoreError>>(
        &self,
        before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Stop<E>> {
        if before.is_some() && self.administered_until(true, now).await? < before {
            return Err(Stop::Refused(StoreError::LastAdmin.into()));
        }
        Ok(())
    }

    /// From when on tokens are not taken back. Clocks step back and requests overtake one another,
    /// so "all there are" asks which was issued last. No bound lies further ahead than that: new
    /// tokens are issued after it, at a time that nobody has seen yet.
    pub(super) async fn bound(
        &self,
        before: IssuedBefore,
        now: Timestamp,
    ) -> Result<Timestamp, Fault> {
        let last = self.time("SELECT max(issued_at) FROM tokens", &[]).await?;
        let all = now.max(last.unwrap_or(now)).plus_millis(1);
        Ok(match before {
            IssuedBefore::ThisWrite => all,
            IssuedBefore::Moment(moment) => all.min(moment),
        })
    }

    /// What was made under this key, if it was seen before.
    pub(super) async fn made_before<E: From<StoreError>>(
        &self,
        idempotency: Option<Idempotency>,
        by: &By,
    ) -> Result<Option<String>, Stop<E>> {
        let Some(Idempotency { key, request }) = idempotency else { return Ok(None) };
        let query = "SELECT request, made FROM idempotency WHERE key = $1 AND at > $2";
        let known = self.row(query, &[&key.as_bytes().as_slice(), &forgotten(by)]).await?;
        let Some(row) = known else { return Ok(None) };
        let mut columns = Columns::of(&row);
        match columns.digest()? == request {
            true => Ok(Some(columns.get()?)),
            false => Err(Stop::Refused(StoreError::KeyReused.into())),
        }
    }

    /// Remembers what was made under this key, and forgets what is old.
    pub(super) async fn remember(
        &self,
        idempotency: Option<Idempotency>,
        made: &str,
        by: &By,
    ) -> Result<(), Fault> {
        let Some(Idempotency { key, request }) = idempotency else { return Ok(()) };
        self.execute("DELETE FROM idempotency WHERE at <= $1", &[&forgotten(by)]).await?;
        self.execute(
            "INSERT INTO idempotency (key, request, made, at) VALUES ($1, $2, $3, $4)",
            &[
                &key.as_bytes().as_slice(),
                &request.as_bytes().as_slice(),
                &made,
                &by.at.as_millis(),
            ],
        )
        .await?;
        Ok(())
    }

    /// The epoch that a change will raise, for the rows that it changes.
    pub(super) fn next_epoch(&self) -> Epoch {
        self.books.epoch + 1
    }

    /// What verifiers hold was changed: the next epoch, and its row in the log. One row lock, no
    /// gaps.
    pub(super) fn raise_epoch(
        &mut self,
        what: &'static str,
        subject: &str,
        reason: &str,
        at: Timestamp,
    ) -> Epoch {
        let epoch = self.next_epoch();
        self.books.epoch = epoch;
        let (subject, reason) = (subject.into(), reason.into());
        self.books.log.push(LogEntry { epoch, what, subject, reason, at });
        epoch
    }

    /// Of what raised the epoch last.
    pub(super) fn tell_changed(&mut self, change: Change) {
        self.books.told.push(Told { epoch: self.books.epoch, raised: true, change });
    }

    /// Of something new, or of what no verifier decides by.
    pub(super) fn tell_new(&mut self, change: Change) {
        self.books.told.push(Told { epoch: self.books.epoch, raised: false, change });
    }

    /// Adds the next entry to the audit chain. `detail` never holds a secret.
    pub(super) fn audit(
        &mut self,
        by: &By,
        action: &str,
        subject: &str,
        detail: &serde_json::Value,
    ) {
        self.books.note(by, action, subject, detail);
    }
}

/// Asked no further than a day ahead: the end of the last token that is in force, has the scope for
/// it, and is an operator's of no tenant. One that its successor's first use will end counts no more.
fn administered(concerned: &str) -> String {
    format!(
        "SELECT max(least(tokens.expires_at, $2))
         FROM tokens JOIN owners ON owners.id = tokens.owner
         WHERE {concerned} AND tokens.kind = 'admin' AND tokens.revoked_at IS NULL
             AND position(' admin ' IN ' ' || tokens.scopes || ' ') > 0
             AND coalesce(position(' admin ' IN ' ' || owners.allowed_scopes || ' ') > 0, TRUE)
             AND owners.suspended_at IS NULL AND owners.tenant IS NULL
             AND coalesce(tokens.allowed_networks <> '', TRUE)
             AND coalesce(owners.allowed_networks <> '', TRUE)
             AND coalesce(tokens.expires_at > $1, TRUE)
             AND coalesce(tokens.issued_at >= {}, TRUE)
             AND NOT EXISTS (SELECT 1 FROM tokens AS next
                 WHERE next.rotated_from = tokens.id AND next.revoked_at IS NULL
                     AND next.overlap_from_first_use IS NOT NULL
                     AND coalesce(next.expires_at > $1, TRUE))",
        rows::NOT_BEFORE
    )
}

pub(super) fn administered_before_end() -> String {
    administered("(SELECT ended.kind = 'admin' FROM tokens AS ended WHERE ended.id = $3)")
}
