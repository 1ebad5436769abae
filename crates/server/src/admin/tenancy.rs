//! What an operator sees. One without a tenant sees everything; one with a tenant sees what belongs
//! to it, and of the rest as much as of what does not exist: the same status, the same words, after
//! the same queries.
//!
//! So everything that a request names by id is looked up here, and nowhere else in this module; what
//! is written afterwards was seen before. (Nothing ever changes its tenant.) Who sees everything
//! need not look before a write that says by itself what is not there.

use super::Admin;
use super::caller::{Caller, Needs};
use crate::http::{Problem, ProblemType};
use rescind_core::{Owner, OwnerId, TenantId, TokenId};
use rescind_store::{StoredToken, StoredUser};

/// What belongs to a tenant, or to none.
pub(super) trait OfTenant {
    fn tenant(&self) -> Option<&TenantId>;
}

/// Whose things a list may show.
#[derive(Debug)]
pub(super) enum Listed {
    /// `None` is everybody's.
    Of(Option<TenantId>),
    Nothing,
}

impl<S: Needs> Caller<S> {
    /// The one place that hides what is another tenant's.
    pub(super) fn seen<T: OfTenant>(&self, found: Option<T>) -> Option<T> {
        let own = self.operator().tenant.as_ref();
        found.filter(|thing| own.is_none() || thing.tenant() == own)
    }

    /// Whether nothing is hidden from it.
    pub(super) fn sees_everything(&self) -> bool {
        self.operator().tenant.is_none()
    }

    /// `asked` is the list's filter. Another tenant is as empty as one that nobody has.
    pub(super) fn listed(&self, asked: Option<TenantId>) -> Listed {
        match (&self.operator().tenant, asked) {
            (None, asked) => Listed::Of(asked),
            (Some(own), None) => Listed::Of(Some(own.clone())),
            (Some(own), Some(asked)) if *own == asked => Listed::Of(Some(asked)),
            (Some(_), Some(_)) => Listed::Nothing,
        }
    }

    /// The tenant of something new: the operator's own, if it has one.
    pub(super) fn tenant_for_new(
        &self,
        asked: Option<TenantId>,
    ) -> Result<Option<TenantId>, Problem> {
        match (&self.operator().tenant, asked) {
            (None, asked) => Ok(asked),
            (Some(own), None) => Ok(Some(own.clone())),
            (Some(own), Some(asked)) if *own == asked => Ok(Some(asked)),
            (Some(_), Some(_)) => {
                let detail = "An operator of one tenant makes nothing for another.";
                Err(Problem::of(ProblemType::NotAllowed, detail))
            }
        }
    }
}

impl Admin {
    pub(super) async fn owner<S: Needs>(
        &self,
        caller: &Caller<S>,
        id: &OwnerId,
    ) -> Result<Option<Owner>, Problem> {
        Ok(caller.seen(self.services.store.owner(id).await?))
    }

    pub(super) async fn user_by_email<S: Needs>(
        &self,
        caller: &Caller<S>,
        email: &str,
    ) -> Result<Option<Owner>, Problem> {
        let found = self.services.store.user_by_email(email).await?;
        Ok(caller.seen(found).map(|user| user.owner))
    }

    pub(super) async fn partner_by_subject<S: Needs>(
        &self,
        caller: &Caller<S>,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Owner>, Problem> {
        Ok(caller.seen(self.services.store.partner_by_subject(issuer, subject).await?))
    }

    pub(super) async fn token<S: Needs>(
        &self,
        caller: &Caller<S>,
        id: &TokenId,
    ) -> Result<Option<StoredToken>, Problem> {
        Ok(caller.seen(self.services.store.token(id).await?))
    }
}

impl OfTenant for Owner {
    fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }
}

impl OfTenant for StoredUser {
    fn tenant(&self) -> Option<&TenantId> {
        self.owner.tenant.as_ref()
    }
}

impl OfTenant for StoredToken {
    fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }
}
