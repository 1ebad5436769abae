//! What is kept: owners and the tokens issued to them. State carries its evidence.

use crate::{NetworkSet, OwnerId, ScopeSet, TenantId, Timestamp, TokenId};
use alloc::{boxed::Box, format, string::String};
use core::{fmt, time::Duration};

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    pub id: TokenId,
    pub owner: OwnerId,
    pub kind: TokenKind,
    pub label: Option<String>,
    pub scopes: ScopeSet,
    pub issued_at: Timestamp,
    /// First moment at which it is no longer valid; `None` lives until revoked.
    pub expires_at: Option<Timestamp>,
    /// Where it may be used from; `None` is everywhere.
    pub allowed_networks: Option<NetworkSet>,
    /// If it was made to take another's place.
    pub rotation: Option<Rotation>,
    pub state: TokenState,
}

/// How a token follows the one that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub from: TokenId,
    /// How long the old one lives on from the first use of the new one; `None` once its end is
    /// fixed.
    pub overlap_from_first_use: Option<Duration>,
}

/// How a token is presented, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// A user's bearer token (WizCommerce `access_token`).
    Bearer,
    /// A partner's bearer key (Limitless Exchange's legacy `lmts_` keys).
    ApiKey,
    /// A partner's token id with an HMAC secret that signs each request.
    Signing,
    /// An operator's bearer token: the admin listener only.
    Admin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    Revoked { at: Timestamp, by: Actor, reason: RevocationReason },
}

/// Whoever tokens are issued to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub id: OwnerId,
    pub kind: OwnerKind,
    /// The organisation that it belongs to: every user has one. An operator with one sees and
    /// touches nothing else.
    pub tenant: Option<TenantId>,
    pub state: OwnerState,
    /// Tokens issued before this moment are refused: one write takes back a whole set.
    pub not_before: Option<Timestamp>,
    pub capabilities: Capabilities,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerKind {
    User {
        email: String,
        first_name: String,
        last_name: String,
    },
    /// Known by an identity issuer as `subject`; ids of different issuers never meet.
    Partner {
        profile_id: i32,
        account: String,
        issuer: String,
        subject: String,
    },
    Operator {
        name: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerState {
    Active,
    Suspended { at: Timestamp, by: Actor },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether a partner may derive, list and revoke its own tokens.
    pub token_management: bool,
    /// The most that any token of this owner can do, at issue and at each verification;
    /// `None` sets no bound.
    pub allowed_scopes: Option<ScopeSet>,
    /// Where any token of this owner may be used from; `None` is everywhere.
    pub allowed_networks: Option<NetworkSet>,
}

/// Who did something: `token:ID`, `owner:ID` or `system:NAME`.
#[derive(Clone, PartialEq, Eq)]
pub struct Actor(Box<str>);

/// Why a token ended. Names and meaning after RFC 5280 §5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RevocationReason {
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl TokenKind {
    pub const ALL: [Self; 4] = [Self::Bearer, Self::ApiKey, Self::Signing, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::ApiKey => "api_key",
            Self::Signing => "signing",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl TokenState {
    pub const fn is_revoked(&self) -> bool {
        matches!(self, Self::Revoked { .. })
    }
}

impl OwnerKind {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Partner { .. } => "partner",
            Self::Operator { .. } => "operator",
        }
    }
}

impl OwnerState {
    pub const fn is_suspended(&self) -> bool {
        matches!(self, Self::Suspended { .. })
    }
}

impl Actor {
    pub fn token(id: &TokenId) -> Self {
        Self(format!("token:{id}").into())
    }

    pub fn owner(id: &OwnerId) -> Self {
        Self(format!("owner:{id}").into())
    }

    pub fn system(name: &'static str) -> Self {
        Self(format!("system:{name}").into())
    }

    /// Reads back what [`Actor::as_str`] wrote.
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The token that acts, if it is one.
    pub fn token_id(&self) -> Option<TokenId> {
        TokenId::parse(self.0.strip_prefix("token:")?).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RevocationReason {
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key_compromise",
            Self::AffiliationChanged => "affiliation_changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation_of_operation",
            Self::PrivilegeWithdrawn => "privilege_withdrawn",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_kind_has_its_own_name_and_reads_back() {
        for kind in TokenKind::ALL {
            assert_eq!(TokenKind::parse(kind.as_str()), Some(kind));
        }
        let names: Vec<_> = TokenKind::ALL.map(TokenKind::as_str).into();
        assert_eq!(names, ["bearer", "api_key", "signing", "admin"]);
    }

    #[test]
    fn every_reason_has_its_own_name_and_reads_back() {
        for reason in RevocationReason::ALL {
            assert_eq!(RevocationReason::parse(reason.as_str()), Some(reason));
        }
        // As the admin interface documents them.
        let names: Vec<_> = RevocationReason::ALL.map(RevocationReason::as_str).into();
        let documented = "unspecified key_compromise affiliation_changed superseded \
                          cessation_of_operation privilege_withdrawn";
        assert_eq!(names, documented.split_ascii_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn name_that_is_nearly_right_is_refused() {
        for text in ["", "Bearer", "bearer ", "apikey", "api-key", "ADMIN", "revoked"] {
            assert_eq!(TokenKind::parse(text), None, "{text}");
        }
        for text in ["", "Superseded", "keyCompromise", "key compromise", "superseded\0"] {
            assert_eq!(RevocationReason::parse(text), None, "{text}");
        }
    }

    #[test]
    fn actor_says_what_it_is_and_reads_back() {
        let token = Actor::token(&TokenId::parse("t1").unwrap());
        let owner = Actor::owner(&OwnerId::parse("t1").unwrap());
        let system = Actor::system("t1");
        assert_eq!(token.as_str(), "token:t1");
        assert_eq!(owner.as_str(), "owner:t1");
        assert_eq!(system.as_str(), "system:t1");
        for actor in [token, owner, system] {
            assert_eq!(Actor::from_stored(actor.as_str()), actor);
        }
    }

    #[test]
    fn only_a_suspended_owner_is_suspended() {
        let at = Timestamp::from_millis(0);
        assert!(!OwnerState::Active.is_suspended());
        assert!(OwnerState::Suspended { at, by: Actor::system("test") }.is_suspended());
    }

    #[test]
    fn kinds_of_owner_have_their_names() {
        let none = String::new;
        let user = OwnerKind::User { email: none(), first_name: none(), last_name: none() };
        let partner =
            OwnerKind::Partner { profile_id: 1, account: none(), issuer: none(), subject: none() };
        let operator = OwnerKind::Operator { name: none() };
        assert_eq!(
            [user, partner, operator].map(|kind| kind.as_str()),
            ["user", "partner", "operator"]
        );
    }
}
