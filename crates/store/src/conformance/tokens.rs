//! Tokens: kept whole, never issued twice, and only to an owner who may have them now.

use super::{
    Backend,
    scene::{
        Event, Scene, at, bearer, by, digest, networks, operator, owner_id, partner, scopes, token,
        token_id, told, user,
    },
};
use crate::{
    Created, IssueError, IssuedBefore, Material, NewToken, OwnerUpdate, StoredToken, TokenSet,
};
use rescind_core::{ACTIVE_TOKENS_MAX, IssueDenial, TokenKind, TokenRecord, TokenState};
use std::sync::Arc;

pub async fn every_field_of_a_token_is_kept(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for owner in [user("u"), partner("p"), operator("o")] {
        scene.create(owner).await;
    }
    let full = NewToken {
        label: Some("laptop d'Été \u{1F511}".into()),
        scopes: scopes(&["trading", "account_creation"]),
        expires_at: Some(at(3600)),
        allowed_networks: Some(networks(&["192.0.2.0/24", "2001:db8::/32"])),
        ..token("full", "p", TokenKind::Signing)
    };
    let nowhere = NewToken { allowed_networks: Some(networks(&[])), ..bearer("nowhere", "u") };
    let tokens = [
        bearer("bearer", "u"),
        nowhere,
        token("key", "p", TokenKind::ApiKey),
        token("signing", "p", TokenKind::Signing),
        token("admin", "o", TokenKind::Admin),
        full,
    ];
    for new in tokens {
        let record = scene.issue_at(new.clone(), 9).await;
        let expected = TokenRecord {
            id: new.id,
            owner: new.owner,
            kind: new.kind,
            label: new.label,
            scopes: new.scopes,
            issued_at: at(9),
            expires_at: new.expires_at,
            allowed_networks: new.allowed_networks,
            rotation: None,
            state: TokenState::Active,
        };
        assert_eq!(record, expected);
        let stored = scene.store.token(&record.id).await.unwrap().unwrap();
        assert_eq!(stored.record, expected);
        assert_eq!((stored.last_used_at, stored.superseded_by.as_ref()), (None, None));
        let by_digest = match new.material {
            Material::Digest(digest) => scene.store.token_by_digest(&digest).await.unwrap(),
            Material::Secret(_) => Some(stored.clone()),
        };
        assert_eq!(by_digest, Some(stored));
        assert!(scene.heard(&Event::Issued(expected, told(&new.material))));
    }
    assert!(scene.store.token(&token_id("nothing")).await.unwrap().is_none());
}

pub async fn id_or_digest_is_never_used_twice(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    scene.issue(bearer("b", "u")).await;
    scene.issue(token("s", "p", TokenKind::Signing)).await;
    for round in ["active", "revoked"] {
        let before = scene.trace().await;
        let same_id = NewToken { id: token_id("b"), ..bearer("another", "u") };
        let same_digest = NewToken { id: token_id("another"), ..bearer("b", "u") };
        let other_kind = NewToken {
            material: Material::Digest(digest("b")),
            ..token("another", "p", TokenKind::ApiKey)
        };
        let same_signing = token("s", "p", TokenKind::Signing);
        for new in [same_id, same_digest, other_kind, same_signing] {
            let refused = scene.store.issue(new, by(3)).await;
            assert!(matches!(refused, Err(IssueError::Exists)), "{round}: {refused:?}");
        }
        assert_eq!(scene.trace().await, before, "{round}");
        scene.revoke(&token_id("b")).await;
        scene.revoke(&token_id("s")).await;
    }
}

pub async fn issue_asks_the_owner_as_it_is_now(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    let issue = async |new: NewToken| scene.store.issue(new, by(1)).await;
    let update = async |owner: &str, update: OwnerUpdate| {
        scene.store.update_owner(owner_id(owner), update, by(1)).await.unwrap();
    };
    let denied = |answer: Result<Created<TokenRecord>, IssueError>, denial: IssueDenial| {
        assert!(
            matches!(&answer, Err(IssueError::Denied(found)) if *found == denial),
            "{answer:?}"
        );
    };

    let unknown = issue(bearer("b", "nobody")).await;
    assert!(matches!(unknown, Err(IssueError::UnknownOwner)), "{unknown:?}");
    denied(issue(token("k", "u", TokenKind::ApiKey)).await, IssueDenial::WrongOwner);
    let wide = NewToken { scopes: scopes(&["withdrawal"]), ..token("k", "p", TokenKind::ApiKey) };
    denied(issue(wide).await, IssueDenial::ScopeNotAllowed);

    update("u", OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() }).await;
    denied(issue(bearer("b", "u")).await, IssueDenial::OwnerSuspended);
    update("u", OwnerUpdate { suspended: Some(false), ..OwnerUpdate::default() }).await;
    issue(bearer("b", "u")).await.unwrap();

    let signing = token("s", "p", TokenKind::Signing);
    update("p", OwnerUpdate { token_management: Some(false), ..OwnerUpdate::default() }).await;
    denied(issue(signing.clone()).await, IssueDenial::TokenManagementOff);
    update("p", OwnerUpdate { token_management: Some(true), ..OwnerUpdate::default() }).await;
    issue(signing).await.unwrap();

    let stored: Option<StoredToken> = scene.store.token(&token_id("k")).await.unwrap();
    assert!(stored.is_none(), "a refused token was stored");
}

/// Revoked, expired and taken-back ones make room; another kind has a bound of its own.
pub async fn owner_has_at_most_so_many_active_tokens(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(partner("p")).await;
    let short = NewToken { expires_at: Some(at(50)), ..token("short", "p", TokenKind::ApiKey) };
    let ended = scene.issue(short).await;
    // Many at once, so that they share commits.
    let callers = (0..64).map(|caller| {
        let store = Arc::clone(&scene.store);
        tokio::spawn(async move {
            for number in (caller..ACTIVE_TOKENS_MAX - 1).step_by(64) {
                let new = token(&format!("k{number}"), "p", TokenKind::ApiKey);
                store.issue(new, by(1)).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    let before = scene.trace().await;
    let refused = another_key(&scene, "more", 2).await;
    assert!(matches!(refused, Err(IssueError::Denied(IssueDenial::TooManyTokens))), "{refused:?}");
    assert_eq!(scene.trace().await, before);
    assert!(ended.expires_at.is_some_and(|end| end <= at(50)));
    another_key(&scene, "more", 50).await.unwrap();
    let full = another_key(&scene, "last", 51).await;
    assert!(matches!(full, Err(IssueError::Denied(IssueDenial::TooManyTokens))), "{full:?}");
    scene.revoke(&token_id("k0")).await;
    another_key(&scene, "last", 52).await.unwrap();
    scene.store.issue(token("signing", "p", TokenKind::Signing), by(53)).await.unwrap();
    assert!(another_key(&scene, "full", 54).await.is_err());
    scene.revoke_set(TokenSet::Owner(owner_id("p")), IssuedBefore::ThisWrite, 55).await;
    another_key(&scene, "after", 56).await.unwrap();
}

async fn another_key(
    scene: &Scene,
    name: &str,
    seconds: i64,
) -> Result<Created<TokenRecord>, IssueError> {
    scene.store.issue(token(name, "p", TokenKind::ApiKey), by(seconds)).await
}

/// Who presents a token that was ended is told so, and may see when and why.
pub async fn token_is_found_by_its_digest_in_every_state(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let short = NewToken { expires_at: Some(at(2)), ..bearer("expired", "u") };
    for new in [bearer("active", "u"), bearer("revoked", "u"), short] {
        scene.issue(new).await;
    }
    scene.revoke(&token_id("revoked")).await;
    for name in ["active", "revoked", "expired"] {
        let found = scene.store.token_by_digest(&digest(name)).await.unwrap();
        assert_eq!(found, Some(scene.token(name).await), "{name}");
    }
    assert_eq!(scene.store.token_by_digest(&digest("nothing")).await.unwrap(), None);
}

/// A token from elsewhere keeps its age, so that a set that is taken back has it; but it cannot be
/// younger than its import, or it would outlive the next one.
pub async fn imported_token_keeps_its_time_of_issue_and_none_is_to_come(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    for (name, elsewhere, kept) in [("old", -1_000, -1_000), ("now", 5, 5), ("future", 900, 5)] {
        let new = NewToken { issued_at: Some(at(elsewhere)), ..bearer(name, "u") };
        assert_eq!(scene.issue_at(new, 5).await.issued_at, at(kept), "{name}");
    }
}
