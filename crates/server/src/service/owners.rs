//! Users, partners, operators.

use super::{Acting, PasswordsBusy, Services};
use rescind_core::{Actor, Owner, OwnerId, OwnerKind, ScopeSet, TenantId};
use rescind_store::{
    Created, Idempotency, IssuedBefore, NewOwner, OwnerError, OwnerUpdate, StoreError,
};

/// Longest e-mail address (RFC 5321 §4.5.3.1, path without brackets), in bytes.
pub const EMAIL_BYTES_MAX: usize = 254;
/// What a partner's account is while nobody has named one: Ethereum's zero address.
const NO_ACCOUNT: &str = "0x0000000000000000000000000000000000000000";

#[derive(Debug)]
pub struct CreateUser {
    pub email: String,
    pub password: String,
    pub first_name: String,
    pub last_name: String,
    /// Without one, the user gets a tenant of its own.
    pub tenant: Option<TenantId>,
}

#[derive(Debug)]
pub struct CreatePartner {
    pub issuer: String,
    pub subject: String,
    pub account: Option<String>,
    pub tenant: Option<TenantId>,
    pub token_management: bool,
    /// `None` sets no bound.
    pub allowed_scopes: Option<ScopeSet>,
}

#[derive(Debug)]
pub struct CreateOperator {
    pub name: String,
    /// The one tenant that it sees.
    pub tenant: Option<TenantId>,
}

#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error(
        "not an e-mail address that can be used: ASCII, with one @, at most {EMAIL_BYTES_MAX} bytes"
    )]
    Email,
    #[error(transparent)]
    Busy(#[from] PasswordsBusy),
    #[error(transparent)]
    Owner(#[from] OwnerError),
}

/// ASCII lower case, and nothing but ASCII: Unicode case folding maps different addresses onto one
/// (CVE-2019-19844), and whoever holds the other one would be let in.
pub fn normal_email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let fits = text.len() <= EMAIL_BYTES_MAX && !local.is_empty() && !domain.is_empty();
    let clean = text.bytes().all(|b| b.is_ascii_graphic()) && !local.contains('@');
    (fits && clean).then(|| text.to_ascii_lowercase())
}

impl Services {
    pub async fn create_user(
        &self,
        new: CreateUser,
        idempotency: Option<Idempotency>,
        acting: Acting,
    ) -> Result<Created<Owner>, UserError> {
        let email = normal_email(&new.email).ok_or(UserError::Email)?;
        let password_hash = Some(self.passwords.hash(new.password).await?);
        let tenant = new.tenant.unwrap_or_else(|| TenantId::random("tenant_", &mut rand::rng()));
        let (first_name, last_name) = (new.first_name, new.last_name);
        let id = OwnerId::random("user_", &mut rand::rng());
        let kind = OwnerKind::User { email, first_name, last_name };
        let owner =
            NewOwner { tenant: Some(tenant), password_hash, idempotency, ..plain(id, kind) };
        Ok(self.store.create_owner(owner, self.by(acting)).await?)
    }

    pub async fn create_partner(
        &self,
        new: CreatePartner,
        idempotency: Option<Idempotency>,
        acting: Acting,
    ) -> Result<Created<Owner>, OwnerError> {
        let kind = OwnerKind::Partner {
            profile_id: 0,
            account: new.account.unwrap_or_else(|| NO_ACCOUNT.into()),
            issuer: new.issuer,
            subject: new.subject,
        };
        let owner = NewOwner {
            tenant: new.tenant,
            token_management: new.token_management,
            allowed_scopes: new.allowed_scopes,
            idempotency,
            ..plain(OwnerId::random("partner_", &mut rand::rng()), kind)
        };
        self.store.create_owner(owner, self.by(acting)).await
    }

    pub async fn create_operator(
        &self,
        new: CreateOperator,
        idempotency: Option<Idempotency>,
        acting: Acting,
    ) -> Result<Created<Owner>, OwnerError> {
        let id = OwnerId::random("operator_", &mut rand::rng());
        let kind = OwnerKind::Operator { name: new.name };
        let owner = NewOwner { tenant: new.tenant, idempotency, ..plain(id, kind) };
        self.store.create_owner(owner, self.by(acting)).await
    }

    /// Gives a user another password. Whoever knew the old one has perhaps logged in with it: with
    /// `revoke_tokens` all tokens that there are end in the same write.
    pub async fn set_password(
        &self,
        user: OwnerId,
        password: String,
        revoke_tokens: bool,
        acting: Acting,
    ) -> Result<Owner, UserError> {
        let update = OwnerUpdate {
            password_hash: Some(self.passwords.hash(password).await?),
            not_before: revoke_tokens.then_some(IssuedBefore::ThisWrite),
            ..OwnerUpdate::default()
        };
        Ok(self.store.update_owner(user, update, self.by(acting)).await?)
    }

    /// The partner that an identity token names; made now, with the contract's self-service
    /// defaults, if it is new.
    pub async fn partner_of(
        &self,
        issuer: &str,
        subject: &str,
        account: Option<String>,
        create: bool,
    ) -> Result<Option<Owner>, StoreError> {
        let known = self.store.partner_by_subject(issuer, subject).await?;
        if known.is_some() || !create {
            return Ok(known);
        }
        let new = CreatePartner {
            issuer: issuer.into(),
            subject: subject.into(),
            account,
            tenant: None,
            token_management: true,
            allowed_scopes: Some(self.settings.partner_scopes.clone()),
        };
        match self.create_partner(new, None, Actor::system("identity").into()).await {
            Ok(created) => Ok(Some(created.into_inner())),
            // Two first sights at once: the other one made it.
            Err(OwnerError::Exists) => self.store.partner_by_subject(issuer, subject).await,
            Err(OwnerError::Unknown) => Ok(None),
            Err(OwnerError::Store(error)) => Err(error),
        }
    }
}

/// One with no bounds and no password.
pub(super) fn plain(id: OwnerId, kind: OwnerKind) -> NewOwner {
    NewOwner {
        id,
        kind,
        tenant: None,
        password_hash: None,
        token_management: false,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    }
}

#[cfg(test)]
mod tests {
    use super::normal_email;

    #[test]
    fn email_is_compared_in_ascii_lower_case() {
        assert_eq!(normal_email("Mike@Example.com").as_deref(), Some("mike@example.com"));
    }

    #[test]
    fn look_alike_email_is_refused() {
        assert_eq!(normal_email("m\u{131}ke@example.com"), None);
        assert_eq!(normal_email("mike@example.com\u{0}"), None);
        assert_eq!(normal_email("a@b@c"), None);
        assert_eq!(normal_email("@example.com"), None);
        assert_eq!(normal_email("nobody"), None);
    }

    #[test]
    fn email_of_the_greatest_length_fits_and_one_more_does_not() {
        let longest = format!("{}@example.com", "a".repeat(242));
        assert_eq!(longest.len(), super::EMAIL_BYTES_MAX);
        assert!(normal_email(&longest).is_some());
        assert!(normal_email(&format!("a{longest}")).is_none());
    }
}
