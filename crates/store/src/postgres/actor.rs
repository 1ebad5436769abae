//! Whether whoever asked may still ask: [`ActingToken`] has the rule, here is what it goes by.
//!
//! No look at the index: an answer from memory is what the door has had already.

use super::{
    connection::Session,
    fault::{Fault, Stop},
    rows::{ABOVE_COLUMNS, Columns, RECORD_COLUMNS},
    tx::Tx,
};
use crate::{By, StoreError};
use rescind_core::ActingToken;

impl Tx {
    /// The answer at the door may be as old as a slow body, or as a long queue.
    pub(super) async fn check_actor<E: From<StoreError>>(&self, by: &By) -> Result<(), Stop<E>> {
        match self.session.all_may_act([by]).await? {
            true => Ok(()),
            false => Err(Stop::Refused(StoreError::ActorRefused.into())),
        }
    }
}

impl Session {
    /// Whether all of them may.
    pub(super) async fn all_may_act<'a>(
        &self,
        all: impl IntoIterator<Item = &'a By>,
    ) -> Result<bool, Fault> {
        let mut asked = Vec::new();
        for by in all {
            asked.extend(by.actor.token_id().map(|id| (id, by)));
        }
        let mut ids: Vec<_> = asked.iter().map(|(id, _)| id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(true);
        }
        let rows = self.rows(&query(), &[&ids]).await?;
        let tokens = rows.iter().map(|row| Columns::of(row).acting_token());
        let tokens = tokens.collect::<Result<Vec<ActingToken>, _>>()?;
        Ok(asked.iter().all(|(id, by)| {
            let token = tokens.iter().find(|token| token.record.id == *id);
            token.is_some_and(|token| token.may_act(by.let_in.as_ref(), by.at).is_ok())
        }))
    }
}

pub(super) fn query() -> String {
    format!(
        "SELECT {RECORD_COLUMNS}, {ABOVE_COLUMNS}
         FROM tokens JOIN owners ON owners.id = tokens.owner WHERE tokens.id = ANY($1)"
    )
}
