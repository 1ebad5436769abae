//! Who may be given a token. Asked inside the transaction that issues it: a check made earlier,
//! from memory, would let an attacker whose access is being taken away mint a successor in between.

use crate::{Owner, OwnerKind, ScopeSet, TokenKind};

/// Most tokens of one kind that an owner may have in force. Far more than anybody rotates through,
/// and few enough that nobody fills the memory, or makes lists that hold others up, with what
/// everybody is given for the asking.
pub const ACTIVE_TOKENS_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueDenial {
    #[error("the owner is suspended")]
    OwnerSuspended,
    #[error("this kind of owner cannot hold this kind of token")]
    WrongOwner,
    #[error("token management is not enabled for this partner")]
    TokenManagementOff,
    #[error("a scope is not among those allowed to the owner")]
    ScopeNotAllowed,
    #[error("the owner has {ACTIVE_TOKENS_MAX} active tokens of this kind, the most there can be")]
    TooManyTokens,
}

pub fn may_issue(owner: &Owner, kind: TokenKind, scopes: &ScopeSet) -> Result<(), IssueDenial> {
    if owner.state.is_suspended() {
        return Err(IssueDenial::OwnerSuspended);
    }
    match (kind, &owner.kind) {
        (TokenKind::Bearer, OwnerKind::User { .. })
        | (TokenKind::ApiKey | TokenKind::Signing, OwnerKind::Partner { .. })
        | (TokenKind::Admin, OwnerKind::Operator { .. }) => {}
        _ => return Err(IssueDenial::WrongOwner),
    }
    if kind == TokenKind::Signing && !owner.capabilities.token_management {
        return Err(IssueDenial::TokenManagementOff);
    }
    if owner.capabilities.allowed_scopes.as_ref().is_some_and(|most| !most.contains_all(scopes)) {
        return Err(IssueDenial::ScopeNotAllowed);
    }
    Ok(())
}

/// Whether somebody with so many tokens of a kind in force may have another.
pub fn may_have_another(active: usize) -> Result<(), IssueDenial> {
    if active < ACTIVE_TOKENS_MAX { Ok(()) } else { Err(IssueDenial::TooManyTokens) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Actor, Capabilities, OwnerId, OwnerState, Timestamp};
    use alloc::string::String;
    use rstest::rstest;

    fn user() -> OwnerKind {
        let (email, first_name, last_name) = (String::new(), String::new(), String::new());
        OwnerKind::User { email, first_name, last_name }
    }

    fn partner() -> OwnerKind {
        let (account, issuer, subject) = (String::new(), String::new(), String::new());
        OwnerKind::Partner { profile_id: 1, account, issuer, subject }
    }

    fn operator() -> OwnerKind {
        OwnerKind::Operator { name: String::new() }
    }

    fn owner(kind: OwnerKind) -> Owner {
        Owner {
            id: OwnerId::parse("o").unwrap(),
            kind,
            tenant: None,
            state: OwnerState::Active,
            not_before: None,
            capabilities: Capabilities {
                token_management: true,
                allowed_scopes: None,
                allowed_networks: None,
            },
            created_at: Timestamp::from_millis(0),
        }
    }

    fn scopes(names: &[&str]) -> ScopeSet {
        ScopeSet::parse(names.iter().copied()).unwrap()
    }

    #[rstest]
    #[case::user(user(), [true, false, false, false])]
    #[case::partner(partner(), [false, true, true, false])]
    #[case::operator(operator(), [false, false, false, true])]
    fn each_owner_holds_its_own_kinds(#[case] kind: OwnerKind, #[case] expected: [bool; 4]) {
        let owner = owner(kind);
        for (kind, good) in TokenKind::ALL.into_iter().zip(expected) {
            let outcome = if good { Ok(()) } else { Err(IssueDenial::WrongOwner) };
            assert_eq!(may_issue(&owner, kind, &scopes(&["any"])), outcome, "{kind:?}");
        }
    }

    #[rstest]
    #[case(user(), TokenKind::Bearer)]
    #[case(partner(), TokenKind::ApiKey)]
    #[case(partner(), TokenKind::Signing)]
    #[case(operator(), TokenKind::Admin)]
    fn suspended_owner_is_given_nothing(#[case] kind: OwnerKind, #[case] token: TokenKind) {
        let mut owner = owner(kind);
        owner.state =
            OwnerState::Suspended { at: Timestamp::from_millis(0), by: Actor::system("test") };
        let outcome = may_issue(&owner, token, &scopes(&[]));
        assert_eq!(outcome, Err(IssueDenial::OwnerSuspended));
    }

    #[test]
    fn partner_without_token_management_derives_nothing() {
        let mut owner = owner(partner());
        owner.capabilities.token_management = false;
        let outcome = may_issue(&owner, TokenKind::Signing, &scopes(&[]));
        assert_eq!(outcome, Err(IssueDenial::TokenManagementOff));
        assert_eq!(may_issue(&owner, TokenKind::ApiKey, &scopes(&[])), Ok(()));
    }

    #[rstest]
    #[case::no_bound(None, &["trading", "withdrawal"], Ok(()))]
    #[case::within(Some(&["trading", "withdrawal"][..]), &["trading"], Ok(()))]
    #[case::equal(Some(&["trading"][..]), &["trading"], Ok(()))]
    #[case::none_asked(Some(&[][..]), &[], Ok(()))]
    #[case::one_too_many(
        Some(&["trading"][..]),
        &["trading", "withdrawal"],
        Err(IssueDenial::ScopeNotAllowed)
    )]
    #[case::nothing_allowed(Some(&[][..]), &["trading"], Err(IssueDenial::ScopeNotAllowed))]
    fn scopes_stay_within_the_owners(
        #[case] allowed: Option<&[&str]>,
        #[case] asked: &[&str],
        #[case] expected: Result<(), IssueDenial>,
    ) {
        let mut owner = owner(partner());
        owner.capabilities.allowed_scopes = allowed.map(scopes);
        assert_eq!(may_issue(&owner, TokenKind::Signing, &scopes(asked)), expected);
    }
}
