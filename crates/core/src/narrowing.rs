//! What can still be changed about a token: only what takes power away, and its label. Who wants
//! more issues another.

use crate::{NetworkSet, ScopeSet, Timestamp, TokenRecord};
use alloc::string::String;

/// What to change; `None` leaves as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenUpdate {
    /// `Some(None)` takes the label away.
    pub label: Option<Option<String>>,
    pub scopes: Option<ScopeSet>,
    pub expires_at: Option<Timestamp>,
    /// Where it may be used from. Anything can be said here: networks change their addresses.
    /// `Some(None)` is everywhere.
    pub allowed_networks: Option<Option<NetworkSet>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Widening {
    #[error("scopes can only be taken away")]
    Scopes,
    #[error("the end can only be moved closer")]
    Expiry,
}

impl TokenUpdate {
    pub fn of(self, before: &TokenRecord) -> Result<TokenRecord, Widening> {
        let mut after = before.clone();
        if let Some(scopes) = self.scopes {
            if !before.scopes.contains_all(&scopes) {
                return Err(Widening::Scopes);
            }
            after.scopes = scopes;
        }
        if let Some(end) = self.expires_at {
            if before.expires_at.is_some_and(|old| old < end) {
                return Err(Widening::Expiry);
            }
            after.expires_at = Some(end);
        }
        if let Some(label) = self.label {
            after.label = label;
        }
        if let Some(networks) = self.allowed_networks {
            after.allowed_networks = networks;
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OwnerId, TokenId, TokenKind, TokenState};
    use rstest::rstest;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn scopes(names: &[&str]) -> ScopeSet {
        ScopeSet::parse(names.iter().copied()).unwrap()
    }

    fn token(expires_at: Option<Timestamp>) -> TokenRecord {
        TokenRecord {
            id: TokenId::parse("t").unwrap(),
            owner: OwnerId::parse("o").unwrap(),
            kind: TokenKind::Bearer,
            label: Some("old".into()),
            scopes: scopes(&["read", "write"]),
            issued_at: at(0),
            expires_at,
            allowed_networks: None,
            rotation: None,
            state: TokenState::Active,
        }
    }

    #[rstest]
    #[case::fewer(&["read"], true)]
    #[case::the_same(&["write", "read"], true)]
    #[case::none(&[], true)]
    #[case::another(&["read", "admin"], false)]
    #[case::in_other_case(&["Read"], false)]
    fn scopes_are_only_taken_away(#[case] names: &[&str], #[case] good: bool) {
        let update = TokenUpdate { scopes: Some(scopes(names)), ..TokenUpdate::default() };
        let expected = if good { Ok(scopes(names)) } else { Err(Widening::Scopes) };
        assert_eq!(update.of(&token(None)).map(|after| after.scopes), expected);
    }

    #[rstest]
    #[case::an_end(None, 5, Ok(Some(at(5))))]
    #[case::closer(Some(at(9)), 5, Ok(Some(at(5))))]
    #[case::the_same(Some(at(9)), 9, Ok(Some(at(9))))]
    #[case::farther(Some(at(9)), 10, Err(Widening::Expiry))]
    fn end_only_moves_closer(
        #[case] before: Option<Timestamp>,
        #[case] asked: i64,
        #[case] expected: Result<Option<Timestamp>, Widening>,
    ) {
        let update = TokenUpdate { expires_at: Some(at(asked)), ..TokenUpdate::default() };
        assert_eq!(update.of(&token(before)).map(|after| after.expires_at), expected);
    }

    #[test]
    fn label_and_networks_change_freely_and_nothing_else_does() {
        let networks = NetworkSet::parse(["192.0.2.0/24"]).unwrap();
        let update = TokenUpdate {
            label: Some(None),
            allowed_networks: Some(Some(networks.clone())),
            ..TokenUpdate::default()
        };
        let before = token(Some(at(9)));
        let after = update.of(&before).unwrap();
        let expected =
            TokenRecord { label: None, allowed_networks: Some(networks), ..before.clone() };
        assert_eq!(after, expected);
        assert_eq!(TokenUpdate::default().of(&before).unwrap(), before);
    }
}
