//! Whether whoever asked may still ask: [`ActingToken`] has the rule, here is what it goes by.
//!
//! No look at the index: an answer from memory is what the door has had already.

use super::{
    fault::{Fault, Stop},
    rows::{ABOVE_COLUMNS, Columns, RECORD_COLUMNS},
    tx::Tx,
};
use crate::{By, StoreError};
use rescind_core::{ActingToken, TokenId};

impl Tx {
    /// The answer at the door may be as old as a slow body, or as a long queue.
    pub(super) async fn check_actor<E: From<StoreError>>(&self, by: &By) -> Result<(), Stop<E>> {
        let Some(id) = by.actor.token_id() else { return Ok(()) };
        let token = acting_token(self, &id).await?;
        let may_act = token.is_some_and(|token| token.may_act(by.let_in.as_ref(), by.at).is_ok());
        if may_act { Ok(()) } else { Err(Stop::Refused(StoreError::ActorRefused.into())) }
    }
}

async fn acting_token(tx: &Tx, id: &TokenId) -> Result<Option<ActingToken>, Fault> {
    let query = format!(
        "SELECT {RECORD_COLUMNS}, {ABOVE_COLUMNS}
         FROM tokens JOIN owners ON owners.id = tokens.owner WHERE tokens.id = $1"
    );
    let row = tx.row(&query, &[&id.as_str()]).await?;
    row.map(|row| Columns::of(&row).acting_token()).transpose()
}
