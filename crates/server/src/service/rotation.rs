//! Another token takes a token's place.

use super::Services;
use super::tokens::{Made, new_id};
use rescind_core::{Actor, TokenId, TokenKind};
use rescind_store::{Idempotency, NewRotation, Overlap, RotateError, Rotated};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct RotateRequest {
    pub from: TokenId,
    /// Of the old one, which is the new one's too.
    pub kind: TokenKind,
    /// `None` gives it the lifetime that the old one was given.
    pub lifetime: Option<Duration>,
    pub overlap: Overlap,
}

impl Services {
    /// The same request under the same key is done once.
    pub async fn rotate(
        &self,
        request: RotateRequest,
        idempotency: Option<Idempotency>,
        actor: Actor,
    ) -> Result<Made<Rotated>, RotateError> {
        let (secret, material) = self.new_secret(request.kind);
        let what = NewRotation {
            from: request.from,
            id: new_id(request.kind),
            material,
            lifetime: request.lifetime,
            overlap: request.overlap,
            idempotency,
        };
        let created = self.store.rotate(what, self.by(actor)).await?;
        Ok(Made::of(created, secret))
    }
}
