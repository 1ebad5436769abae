//! Users, partners, operators.

use super::{PasswordsBusy, Services};
use rescind_core::{Actor, Owner, OwnerId, OwnerKind, ScopeSet, TenantId};
use rescind_store::{NewOwner, OwnerError, StoreError};

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
    pub tenant: Option<TenantId>,
}

#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
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
        actor: Actor,
    ) -> Result<Owner, CreateUserError> {
        let email = normal_email(&new.email).ok_or(CreateUserError::Email)?;
        let password_hash = Some(self.passwords.hash(new.password).await?);
        let tenant = new.tenant.unwrap_or_else(|| TenantId::random("tenant_", &mut rand::rng()));
        let (first_name, last_name) = (new.first_name, new.last_name);
        let owner = NewOwner {
            id: OwnerId::random("user_", &mut rand::rng()),
            kind: OwnerKind::User { email, first_name, last_name, tenant },
            password_hash,
            token_management: false,
            allowed_scopes: None,
        };
        Ok(self.store.create_owner(owner, self.by(actor)).await?)
    }

    pub async fn create_partner(
        &self,
        issuer: &str,
        subject: &str,
        account: Option<String>,
        token_management: bool,
        scopes: ScopeSet,
        actor: Actor,
    ) -> Result<Owner, OwnerError> {
        let kind = OwnerKind::Partner {
            profile_id: 0,
            account: account.unwrap_or_else(|| NO_ACCOUNT.into()),
            issuer: issuer.into(),
            subject: subject.into(),
        };
        let owner = NewOwner {
            id: OwnerId::random("partner_", &mut rand::rng()),
            kind,
            password_hash: None,
            token_management,
            allowed_scopes: Some(scopes),
        };
        self.store.create_owner(owner, self.by(actor)).await
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
        let scopes = self.settings.partner_scopes.clone();
        let actor = Actor::system("identity");
        match self.create_partner(issuer, subject, account, true, scopes, actor).await {
            Ok(owner) => Ok(Some(owner)),
            // Two first sights at once: the other one made it.
            Err(OwnerError::Exists) => self.store.partner_by_subject(issuer, subject).await,
            Err(OwnerError::Unknown) => Ok(None),
            Err(OwnerError::Store(error)) => Err(error),
        }
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
