//! Tokens that another system has issued, taken over with the secrets that their holders have.
//!
//! Each is issued in a transaction of its own, many at once, so that they share commits. An import
//! that breaks off is repeated whole: what is there already is found, and left as it is. So one that
//! was revoked here in the meantime does not come back.

use super::tokens::{IssueRequest, new_id};
use super::{Acting, Services};
use futures_util::{StreamExt, TryStreamExt, stream};
use rescind_core::signature::Secret;
use rescind_core::{Digest, IssueDenial, Timestamp, TokenId};
use rescind_store::{IssueError, Material, NewToken, StoreError, StoredToken};

/// How many are written at once: what one commit takes.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub struct ImportRequest {
    pub token: IssueRequest,
    pub presented_as: PresentedAs,
    /// When it was issued elsewhere; `None` is now.
    pub issued_at: Option<Timestamp>,
}

/// What requests will prove it with.
#[derive(Clone, Debug)]
pub enum PresentedAs {
    Bearer(Digest),
    Signing(TokenId, Secret),
}

#[derive(Debug)]
pub enum Imported {
    Now(StoredToken),
    /// It had been imported or issued before, perhaps revoked since.
    Before(StoredToken),
    /// The text or the id is another owner's, or another kind's.
    Taken,
    UnknownOwner,
    Denied(IssueDenial),
}

impl Services {
    /// What became of each, in the same order.
    pub async fn import(
        &self,
        requests: Vec<ImportRequest>,
        acting: &Acting,
    ) -> Result<Vec<Imported>, StoreError> {
        let each = requests.into_iter().map(|request| self.import_one(request, acting.clone()));
        stream::iter(each).buffered(AT_ONCE).try_collect().await
    }

    async fn import_one(
        &self,
        request: ImportRequest,
        acting: Acting,
    ) -> Result<Imported, StoreError> {
        let ImportRequest { token, presented_as, issued_at } = request;
        let (id, material) = match &presented_as {
            PresentedAs::Bearer(digest) => (new_id(token.kind), Material::Digest(*digest)),
            PresentedAs::Signing(id, secret) => (id.clone(), Material::Secret(secret.clone())),
        };
        let new = NewToken {
            id: id.clone(),
            owner: token.owner.clone(),
            kind: token.kind,
            label: token.label.clone(),
            scopes: token.scopes.clone(),
            expires_at: token.expires_at,
            allowed_networks: token.allowed_networks.clone(),
            material,
            issued_at,
            idempotency: None,
        };
        match self.store.issue(new, self.by(acting)).await {
            Ok(_) => {
                // Its time of issue may lie before what was taken back here: then it is revoked
                // already, and that is to be told.
                let found = self.store.token(&id).await?;
                let lost = || StoreError::Corrupt("a token that was just issued".into());
                found.map(Imported::Now).ok_or_else(lost)
            }
            Err(IssueError::UnknownOwner) => Ok(Imported::UnknownOwner),
            Err(IssueError::Denied(denial)) => Ok(Imported::Denied(denial)),
            Err(IssueError::Exists) => self.existing(&token, &presented_as).await,
            Err(IssueError::Store(error)) => Err(error),
        }
    }

    async fn existing(
        &self,
        asked: &IssueRequest,
        presented_as: &PresentedAs,
    ) -> Result<Imported, StoreError> {
        let found = match presented_as {
            PresentedAs::Bearer(digest) => self.store.token_by_digest(digest).await?,
            PresentedAs::Signing(id, _) => self.store.token(id).await?,
        };
        let same = |token: &StoredToken| {
            token.record.owner == asked.owner && token.record.kind == asked.kind
        };
        Ok(found.filter(same).map_or(Imported::Taken, Imported::Before))
    }
}
