//! Taking back a set: one row, whatever the number of tokens, and no clock that could save one.

use super::{
    Backend,
    scene::{
        Event, Scene, admin, at, bearer, by, operator, owner_id, partner, tenant, token, user,
    },
};
use crate::{
    IssuedBefore, NewOwner, NewToken, OwnerError, OwnerUpdate, SetRevocation, SetRevoked, Settled,
    TokenSet,
};
use rescind_core::{RevocationReason, TokenKind, TokenState};

const TENANT: &str = "tenant-1";

pub async fn set_is_taken_back_in_one_entry_whatever_its_size(backend: &dyn Backend) {
    const TOKENS: usize = 300;
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    for number in 0..TOKENS {
        scene.issue(bearer(&format!("b{number}"), "u")).await;
    }
    let sets = [
        (TokenSet::Owner(owner_id("u")), "owner.tokens_revoked", "u"),
        (TokenSet::Tenant(tenant(TENANT)), "tenant.tokens_revoked", TENANT),
        (TokenSet::Everything, "everything.tokens_revoked", ""),
    ];
    for (epoch, (set, action, subject)) in (1..).zip(sets) {
        let (entries, events) = (scene.audit().await.len(), scene.events().len());
        let what = SetRevocation {
            set,
            issued_before: IssuedBefore::ThisWrite,
            reason: RevocationReason::KeyCompromise,
        };
        let not_before = at(5).plus_millis(1);
        let expected = SetRevoked { settled: Settled::alone(epoch), not_before };
        assert_eq!(scene.store.revoke_set(what, by(5)).await.unwrap(), expected);
        assert_eq!(scene.store.epoch().await.unwrap(), epoch);
        let audit = scene.audit().await;
        assert_eq!(audit.len(), entries + 1, "{action}");
        let entry = &audit.last().unwrap().entry;
        assert_eq!((entry.action.as_str(), entry.subject.as_str()), (action, subject));
        let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap();
        assert_eq!(detail["reason"], "key_compromise");
        assert_eq!(detail["issued_before"], not_before.to_rfc3339_millis());
        assert_eq!(scene.events().len(), events + 2, "{action}: the bound and the epoch");
        assert_eq!(scene.events().last(), Some(&Event::Reached(epoch)));
    }
    let stored = scene.token("b7").await;
    assert_eq!(stored.record.state, TokenState::Active, "its own row is as it was");
    assert!(stored.is_taken_back());
}

/// Each level alone, then together: whichever bound is the latest holds, and none goes back.
pub async fn strictest_level_wins_and_none_goes_back(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.issue_at(bearer("b", "u"), 50).await;
    let owner = || TokenSet::Owner(owner_id("u"));
    let tenant = || TokenSet::Tenant(tenant(TENANT));
    let steps = [
        (owner(), 10, 10, 10),
        (tenant(), 20, 20, 20),
        (TokenSet::Everything, 30, 30, 30),
        (owner(), 25, 25, 30),
        (tenant(), 40, 40, 40),
        (tenant(), 35, 40, 40),
        (owner(), 50, 50, 50),
        (owner(), 49, 50, 50),
        (TokenSet::Everything, 45, 45, 50),
        (TokenSet::Everything, 20, 45, 50),
    ];
    for (set, asked, level, holds) in steps {
        let revoked = scene.revoke_set(set.clone(), IssuedBefore::Moment(at(asked)), 60).await;
        assert_eq!(revoked.not_before, at(level), "{set:?} to {asked}");
        let stored = scene.token("b").await;
        assert_eq!(stored.not_before, Some(at(holds)), "{set:?} to {asked}");
        assert!(!stored.is_taken_back());
    }
    scene.revoke_set(tenant(), IssuedBefore::Moment(at(50).plus_millis(1)), 60).await;
    assert!(scene.token("b").await.is_taken_back());
}

/// An earlier request may have had a clock that was ahead; a later one may have one that is behind.
pub async fn every_token_before_the_write_is_dead_and_every_later_one_lives(backend: &dyn Backend) {
    for set in
        [TokenSet::Owner(owner_id("u")), TokenSet::Tenant(tenant(TENANT)), TokenSet::Everything]
    {
        let scene = Scene::of(backend).await;
        scene.create(user("u")).await;
        let ahead = scene.issue_at(bearer("ahead", "u"), 500).await;
        scene.revoke_set(set.clone(), IssuedBefore::ThisWrite, 10).await;
        assert!(scene.token(ahead.id.as_str()).await.is_taken_back(), "{set:?}");
        for (name, seconds) in [("same", 10), ("back", -90), ("later", 600)] {
            let issued = scene.issue_at(bearer(name, "u"), seconds).await;
            let stored = scene.token(name).await;
            assert_eq!(stored.record, issued);
            assert!(!stored.is_taken_back(), "{name} of {set:?}");
            let moment = at(seconds).max(at(500).plus_millis(1));
            assert_eq!(issued.issued_at, moment, "{name} of {set:?}");
        }
    }
}

/// Otherwise every token issued from here on would have to be issued in the future too.
pub async fn no_bound_lies_beyond_what_there_is(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.issue_at(bearer("b", "u"), 1).await;
    let far = IssuedBefore::Moment(at(1_000_000));
    for set in
        [TokenSet::Owner(owner_id("u")), TokenSet::Tenant(tenant(TENANT)), TokenSet::Everything]
    {
        scene.revoke_set(set, far, 10).await;
        assert_eq!(scene.token("b").await.not_before, Some(at(10).plus_millis(1)));
    }
    let update = OwnerUpdate { not_before: Some(far), ..OwnerUpdate::default() };
    assert_eq!(scene.update("u", update, 11).await.not_before, Some(at(11).plus_millis(1)));
    let next = scene.issue_at(bearer("next", "u"), 12).await;
    assert_eq!(next.issued_at, at(12));
}

pub async fn everything_leaves_operators_tokens_alone(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let kept = NewOwner { tenant: Some(tenant(TENANT)), ..operator("o") };
    for new in [user("u"), partner("p"), kept] {
        scene.create(new).await;
    }
    for new in [
        bearer("bearer", "u"),
        token("key", "p", TokenKind::ApiKey),
        token("signing", "p", TokenKind::Signing),
        admin("admin", "o"),
    ] {
        scene.issue(new).await;
    }
    scene.revoke_set(TokenSet::Everything, IssuedBefore::ThisWrite, 5).await;
    for (name, dead) in [("bearer", true), ("key", true), ("signing", true), ("admin", false)] {
        assert_eq!(scene.token(name).await.is_taken_back(), dead, "{name}");
    }
    assert_eq!(scene.token("admin").await.not_before, None);
    // Its tenant and itself still can be.
    scene.revoke_set(TokenSet::Tenant(tenant(TENANT)), IssuedBefore::ThisWrite, 6).await;
    assert!(scene.token("admin").await.is_taken_back());
    // A token of everybody's bound is not a token of an operator's.
    let next = scene.issue_at(admin("next", "o"), 0).await;
    assert_eq!(next.issued_at, at(6).plus_millis(1));
}

pub async fn bound_of_one_tenant_is_no_other_tenants(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let other = NewOwner { tenant: Some(tenant("other")), ..user("v") };
    for new in [user("u"), other, partner("p")] {
        scene.create(new).await;
    }
    for new in [bearer("mine", "u"), bearer("theirs", "v"), token("k", "p", TokenKind::ApiKey)] {
        scene.issue(new).await;
    }
    scene.revoke_set(TokenSet::Tenant(tenant(TENANT)), IssuedBefore::ThisWrite, 5).await;
    for (name, dead) in [("mine", true), ("theirs", false), ("k", false)] {
        assert_eq!(scene.token(name).await.is_taken_back(), dead, "{name}");
    }
    // Before it has any owners, too.
    scene.revoke_set(TokenSet::Tenant(tenant("new")), IssuedBefore::ThisWrite, 6).await;
    scene.create(NewOwner { tenant: Some(tenant("new")), ..user("w") }).await;
    let old = NewToken { issued_at: Some(at(0)), ..bearer("old", "w") };
    scene.issue_at(old, 7).await;
    assert!(scene.token("old").await.is_taken_back());
}

pub async fn set_of_an_unknown_owner_is_not_taken_back(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let before = scene.trace().await;
    let what = SetRevocation {
        set: TokenSet::Owner(owner_id("nobody")),
        issued_before: IssuedBefore::ThisWrite,
        reason: RevocationReason::Unspecified,
    };
    let refused = scene.store.revoke_set(what, by(1)).await;
    assert!(matches!(refused, Err(OwnerError::Unknown)), "{refused:?}");
    assert_eq!(scene.trace().await, before);
}

/// What memory is told at a restart is what it was told step by step.
pub async fn bounds_are_told_again_after_a_restart(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let moment = |seconds| IssuedBefore::Moment(at(seconds));
    scene.revoke_set(TokenSet::Tenant(tenant(TENANT)), moment(2), 9).await;
    scene.revoke_set(TokenSet::Tenant(tenant(TENANT)), moment(1), 9).await;
    scene.revoke_set(TokenSet::Everything, moment(3), 9).await;
    scene.revoke_set(TokenSet::Owner(owner_id("u")), moment(4), 9).await;
    let owner = scene.store.owner(&owner_id("u")).await.unwrap().unwrap();
    let scene = scene.reopened(backend).await;
    assert_eq!(owner.not_before, Some(at(4)));
    assert!(scene.heard(&Event::Owner(owner)));
    assert!(scene.heard(&Event::NotBefore(Some(tenant(TENANT)), at(2))));
    assert!(scene.heard(&Event::NotBefore(None, at(3))));
    assert_eq!(scene.events().last(), Some(&Event::Reached(4)));
}
