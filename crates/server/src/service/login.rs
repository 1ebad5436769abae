//! E-mail and password in, a token out.
//!
//! A wrong password, an unknown user and a suspended one get one answer and take one time. Limits
//! are by address and by e-mail, before anything is hashed; the e-mail's own limit counts unknown
//! ones too, or it would tell them apart.

use super::{PasswordsBusy, Services, normal_email};
use crate::service::tokens::{IssueRequest, Issued, one};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use rescind_core::{Actor, Digest, IssueDenial, Owner, RevocationReason, TokenKind};
use rescind_store::{IssueError, StoreError};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// How many keys a limiter may hold before spent ones are dropped.
const LIMITER_KEYS_MAX: usize = 100_000;

#[derive(Debug)]
pub struct LoggedIn {
    pub issued: Issued,
    pub owner: Owner,
}

#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Whatever the reason: it is not told apart.
    #[error("the e-mail or the password is wrong")]
    Refused,
    #[error("too many logins")]
    TooMany { retry_after: Duration },
    #[error("the user has as many active tokens as there can be")]
    TooManyTokens,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("password hashing failed")]
    Failed,
}

#[derive(Debug)]
pub struct LoginLimits {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_email: DefaultKeyedRateLimiter<[u8; 32]>,
}

impl LoginLimits {
    pub fn per_minute(address: NonZeroU32, email: NonZeroU32) -> Self {
        Self {
            by_address: RateLimiter::keyed(Quota::per_minute(address)),
            by_email: RateLimiter::keyed(Quota::per_minute(email)),
        }
    }

    fn check(&self, address: IpAddr, email: &str) -> Result<(), Duration> {
        if self.by_address.len() + self.by_email.len() > LIMITER_KEYS_MAX {
            self.by_address.retain_recent();
            self.by_email.retain_recent();
        }
        let clock = DefaultClock::default();
        let wait = |not_until: governor::NotUntil<_>| not_until.wait_time_from(clock.now());
        self.by_address.check_key(&network_of(address)).map_err(wait)?;
        self.by_email.check_key(Digest::of(email.as_bytes()).as_bytes()).map_err(wait)
    }
}

/// An IPv6 client owns a whole /64; limiting single addresses of it limits nothing.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

impl Services {
    pub async fn log_in(
        &self,
        email: &str,
        password: String,
        address: IpAddr,
    ) -> Result<LoggedIn, LoginError> {
        // What cannot be an address of ours is looked up all the same, as itself: it takes the same
        // time.
        let email = normal_email(email).unwrap_or_else(|| email.to_owned());
        self.login_limits
            .check(address, &email)
            .map_err(|retry_after| LoginError::TooMany { retry_after })?;
        let user = self.store.user_by_email(&email).await?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let checked = stored.clone().unwrap_or_default();
        let matches = self.passwords.verify(password, stored).await.map_err(LoginError::from)?;
        // The suspension is asked about again when the token is issued; here so that it takes no
        // longer than a wrong password.
        let welcome = user.filter(|user| matches && !user.owner.state.is_suspended());
        let owner = welcome.ok_or(LoginError::Refused)?.owner;
        let lifetime =
            i64::try_from(self.settings.user_token_lifetime.as_millis()).unwrap_or(i64::MAX);
        let request = IssueRequest {
            owner: owner.id.clone(),
            kind: TokenKind::Bearer,
            label: None,
            scopes: self.settings.user_token_scopes.clone(),
            expires_at: Some(self.now().plus_millis(lifetime)),
            allowed_networks: None,
        };
        match self.issue(request, Actor::owner(&owner.id).into()).await {
            Ok(issued) => {
                self.still_has(&email, &checked, &issued).await?;
                Ok(LoggedIn { issued, owner })
            }
            Err(IssueError::Store(error)) => Err(error.into()),
            Err(IssueError::UnknownOwner | IssueError::Denied(IssueDenial::OwnerSuspended)) => {
                Err(LoginError::Refused)
            }
            Err(IssueError::Denied(IssueDenial::TooManyTokens)) => Err(LoginError::TooManyTokens),
            Err(IssueError::Denied(_) | IssueError::Exists) => Err(LoginError::Failed),
        }
    }

    /// Checking a password takes long enough for another to be set meanwhile. That write ended all
    /// tokens that there were, and this one came after it. So it is asked about once more, before
    /// anybody has the token; what is set later than this ends it like all others.
    async fn still_has(
        &self,
        email: &str,
        checked: &str,
        issued: &Issued,
    ) -> Result<(), LoginError> {
        let user = self.store.user_by_email(email).await?;
        if user.is_some_and(|user| user.password_hash == checked) {
            return Ok(());
        }
        let what = one(issued.record.id.clone(), None, RevocationReason::Superseded);
        self.revoke(what, Actor::system("login").into()).await?;
        Err(LoginError::Refused)
    }
}

impl From<PasswordsBusy> for LoginError {
    fn from(busy: PasswordsBusy) -> Self {
        match busy {
            PasswordsBusy::Full { retry_after } => Self::TooMany { retry_after },
            PasswordsBusy::Failed => Self::Failed,
        }
    }
}
