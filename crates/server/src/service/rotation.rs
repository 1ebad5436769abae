//! Another token takes a token's place.

use super::tokens::{Made, new_id};
use super::{Acting, Services};
use rescind_core::{TokenId, TokenKind};
use rescind_store::{Idempotency, NewRotation, Overlap, RotateError, Rotated};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct RotateRequest {
    pub from: TokenId,
    /// Of the old one, which is the new one's too.
    pub kind: TokenKind,
    /// `None` gives it the lifetime that the old one was given. One that asks for its own successor
    /// gives it no more time than it has itself.
    pub lifetime: Option<Duration>,
    pub overlap: Overlap,
}

impl Services {
    /// The same request under the same key is done once.
    pub async fn rotate(
        &self,
        request: RotateRequest,
        idempotency: Option<Idempotency>,
        acting: Acting,
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
        let created = self.store.rotate(what, self.by(acting)).await?;
        Ok(Made::of(created, secret))
    }
}
