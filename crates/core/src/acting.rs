//! Whether a token may still do what it asked for, at the moment when that is written.
//!
//! A request is let in from memory, and may wait then: for its own body, for others' passwords, for
//! the tokens that are imported before its last one. The naive way asks, where it writes, no more
//! than whether the token is in force, and one that was narrowed meanwhile acts with a power that
//! it has lost. Here what a request was let in for goes with it, and the transaction asks the
//! door's own question once more, of the token and the owner as they are stored.
//!
//! A yes from here is no [`Permitted`](crate::Permitted): nobody has presented anything.

use crate::decision::{allows, in_force};
use crate::{Bounds, Capabilities, Demand, Denial, NotBefore, ScopeSet, Timestamp, TokenRecord};
use core::net::IpAddr;

/// What a token was let in for: all that was asked of it at the door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetIn {
    /// As in [`Demand`], and so are the next two.
    pub admin: bool,
    pub scopes: ScopeSet,
    pub client: Option<IpAddr>,
    /// Whether it takes an owner who manages its own tokens.
    pub token_management: bool,
}

/// A token that acts, and all above it that bounds what it may do, as they are stored now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActingToken {
    pub record: TokenRecord,
    pub owner_suspended: bool,
    pub capabilities: Capabilities,
    pub not_before: NotBefore,
}

/// Why it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActingDenial {
    #[error(transparent)]
    Token(#[from] Denial),
    #[error("token management is not enabled for this partner")]
    TokenManagementOff,
}

impl LetIn {
    pub fn demand(&self) -> Demand<'_> {
        Demand { admin: self.admin, scopes: &self.scopes, client: self.client }
    }
}

impl ActingToken {
    /// Whether it may act, now. Where nothing is said of what it was let in for, it must be in
    /// force, and the rest is for whoever calls.
    pub fn may_act(&self, let_in: Option<&LetIn>, now: Timestamp) -> Result<(), ActingDenial> {
        let bounds = self.bounds();
        in_force(&bounds, now)?;
        let Some(let_in) = let_in else { return Ok(()) };
        allows(&bounds, &let_in.demand())?;
        if let_in.token_management && !self.capabilities.token_management {
            return Err(ActingDenial::TokenManagementOff);
        }
        Ok(())
    }

    fn bounds(&self) -> Bounds<'_> {
        let Self { record, owner_suspended, capabilities, not_before } = self;
        Bounds {
            kind: record.kind,
            issued_at: record.issued_at,
            expires_at: record.expires_at,
            revoked: record.state.is_revoked(),
            scopes: &record.scopes,
            networks: record.allowed_networks.as_ref(),
            not_before: *not_before,
            owner_suspended: *owner_suspended,
            owner_scopes: capabilities.allowed_scopes.as_ref(),
            owner_networks: capabilities.allowed_networks.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, NetworkSet, OwnerId, RevocationReason, TokenId, TokenKind, TokenState};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn scopes(names: &[&str]) -> ScopeSet {
        ScopeSet::parse(names.iter().copied()).unwrap()
    }

    fn networks(block: &str) -> Option<NetworkSet> {
        Some(NetworkSet::parse([block]).unwrap())
    }

    /// An operator's token that has no bound but its scopes.
    fn token() -> ActingToken {
        ActingToken {
            record: TokenRecord {
                id: TokenId::parse("t").unwrap(),
                owner: OwnerId::parse("o").unwrap(),
                kind: TokenKind::Admin,
                label: None,
                scopes: scopes(&["admin", "issue", "read"]),
                issued_at: at(10),
                expires_at: None,
                allowed_networks: None,
                rotation: None,
                state: TokenState::Active,
            },
            owner_suspended: false,
            capabilities: Capabilities {
                token_management: true,
                allowed_scopes: None,
                allowed_networks: None,
            },
            not_before: NotBefore::default(),
        }
    }

    fn let_in() -> LetIn {
        LetIn {
            admin: true,
            scopes: scopes(&["admin", "issue"]),
            client: Some("192.0.2.7".parse().unwrap()),
            token_management: true,
        }
    }

    /// What can happen to a token between the door and the transaction.
    type Change = fn(&mut ActingToken);

    fn revoke(token: &mut ActingToken) {
        let (at, by) = (at(500), Actor::system("test"));
        token.record.state =
            TokenState::Revoked { at, by, reason: RevocationReason::KeyCompromise };
    }

    #[test]
    fn token_that_is_not_in_force_never_acts() {
        let changes: [(Change, Denial); 5] = [
            (revoke, Denial::Revoked),
            (|token| token.record.expires_at = Some(NOW), Denial::Expired),
            (|token| token.not_before.owner = Some(at(11)), Denial::IssuedBefore),
            (|token| token.not_before.tenant = Some(at(11)), Denial::IssuedBefore),
            (|token| token.owner_suspended = true, Denial::OwnerSuspended),
        ];
        for (change, why) in changes {
            let mut token = token();
            change(&mut token);
            for let_in in [None, Some(&let_in())] {
                assert_eq!(token.may_act(let_in, NOW), Err(why.into()));
            }
        }
    }

    #[test]
    fn token_acts_only_as_far_as_it_may_now() {
        let scope = Denial::MissingScope.into();
        let network = Denial::WrongNetwork.into();
        let changes: [(Change, ActingDenial); 6] = [
            (|token| token.record.scopes = scopes(&["admin", "read"]), scope),
            (|token| token.capabilities.allowed_scopes = Some(scopes(&["issue", "read"])), scope),
            (|token| token.record.allowed_networks = networks("198.51.100.0/24"), network),
            (|token| token.capabilities.allowed_networks = networks("198.51.100.0/24"), network),
            (|token| token.record.kind = TokenKind::Signing, Denial::WrongAudience.into()),
            (|token| token.capabilities.token_management = false, ActingDenial::TokenManagementOff),
        ];
        assert_eq!(token().may_act(Some(&let_in()), NOW), Ok(()));
        for (change, why) in changes {
            let mut token = token();
            change(&mut token);
            assert_eq!(token.may_act(Some(&let_in()), NOW), Err(why), "{token:?}");
            assert_eq!(token.may_act(None, NOW), Ok(()), "in force, and no more was asked");
        }
    }

    #[test]
    fn change_that_leaves_what_it_needs_stops_nothing() {
        let changes: [Change; 6] = [
            |token| token.record.scopes = scopes(&["admin", "issue"]),
            |token| token.capabilities.allowed_scopes = Some(scopes(&["admin", "issue", "x"])),
            |token| token.record.allowed_networks = networks("192.0.2.0/24"),
            |token| token.record.expires_at = Some(at(1_001)),
            |token| token.not_before.owner = Some(at(10)),
            // Operators' tokens are spared.
            |token| token.not_before.everything = Some(at(11)),
        ];
        for change in changes {
            let mut token = token();
            change(&mut token);
            assert_eq!(token.may_act(Some(&let_in()), NOW), Ok(()), "{token:?}");
        }
    }

    /// What was let in before there was a bound has not said where it comes from.
    #[test]
    fn bound_on_networks_is_not_met_from_nobody_knows_where() {
        let mut token = token();
        let unseen = LetIn { client: None, ..let_in() };
        assert_eq!(token.may_act(Some(&unseen), NOW), Ok(()));
        token.record.allowed_networks = networks("0.0.0.0/0");
        assert_eq!(token.may_act(Some(&unseen), NOW), Err(Denial::WrongNetwork.into()));
    }
}
