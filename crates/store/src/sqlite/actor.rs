//! Whether whoever asked may still ask: [`ActingToken`] has the rule, here is what it goes by.
//!
//! No look at the index: an answer from memory is what the door has had already.

use super::{
    fault::{Fault, Stop},
    rows,
    tx::Tx,
};
use crate::{By, StoreError};
use rescind_core::{ActingToken, TokenId};
use rusqlite::OptionalExtension;

impl Tx<'_> {
    /// The answer at the door may be as old as a slow body, or as a long queue.
    pub(super) fn check_actor<E: From<StoreError>>(&self, by: &By) -> Result<(), Stop<E>> {
        let Some(id) = by.actor.token_id() else { return Ok(()) };
        let token = acting_token(self, &id)?;
        let may_act = token.is_some_and(|token| token.may_act(by.let_in.as_ref(), by.at).is_ok());
        if may_act { Ok(()) } else { Err(Stop::Refused(StoreError::ActorRefused.into())) }
    }
}

fn acting_token(tx: &Tx<'_>, id: &TokenId) -> Result<Option<ActingToken>, Fault> {
    let query = format!(
        "SELECT {}, {} FROM tokens JOIN owners ON owners.id = tokens.owner WHERE tokens.id = ?1",
        rows::RECORD_COLUMNS,
        rows::ABOVE_COLUMNS
    );
    tx.sql
        .prepare_cached(&query)?
        .query_row([id.as_str()], |row| Ok(rows::acting_token(row)))
        .optional()?
        .transpose()
}
