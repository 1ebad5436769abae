//! Who asks may be a token, and may have lost its power since it was let in: a request can wait for
//! its own slow body, or in a queue. So every mutation asks again, in its own transaction.

use super::{
    Backend,
    scene::{
        Scene, at, bearer, by, by_token, networks, operator, owner_id, partner, revocation,
        rotation, scopes, token, token_id, user,
    },
};
use crate::{
    By, IssuedBefore, NewToken, Overlap, OwnerUpdate, RevocationOfAll, Revoked, SetRevocation,
    TokenSet,
};
use rescind_core::{LetIn, OVERLAP_MAX, RevocationReason, TokenKind, TokenUpdate};
use std::fmt::Debug;

pub async fn actor_that_is_not_in_force_changes_nothing(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for name in ["u", "suspended", "bounded"] {
        scene.create(user(name)).await;
    }
    for name in ["victim", "revoked"] {
        scene.issue(bearer(name, "u")).await;
    }
    scene.issue(NewToken { expires_at: Some(at(9)), ..bearer("expired", "u") }).await;
    scene.issue(bearer("of-suspended", "suspended")).await;
    scene.issue(bearer("taken-back", "bounded")).await;
    scene.revoke(&token_id("revoked")).await;
    let off = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    scene.update("suspended", off, 3).await;
    let set = TokenSet::Owner(owner_id("bounded"));
    scene.revoke_set(set, IssuedBefore::ThisWrite, 3).await;

    for name in ["revoked", "expired", "of-suspended", "taken-back", "nothing"] {
        for let_in in [None, Some(LetIn::default())] {
            changes_nothing(&scene, &By { let_in, ..by_token(name, 9) }).await;
        }
    }
    is_not_refused(&scene, &by_token("victim", 9)).await;
}

pub async fn token_changes_nothing_once_it_lost_what_it_was_let_in_for(backend: &dyn Backend) {
    let token = TokenUpdate::default;
    let owner = OwnerUpdate::default;
    let (read, elsewhere) = (scopes(&["read"]), networks(&["198.51.100.0/24"]));
    let narrowings = [
        ("a", Change::Token(TokenUpdate { scopes: Some(read.clone()), ..token() })),
        (
            "a",
            Change::Token(TokenUpdate { allowed_networks: Some(Some(networks(&[]))), ..token() }),
        ),
        ("a", Change::Owner(OwnerUpdate { allowed_scopes: Some(Some(read)), ..owner() })),
        ("a", Change::Owner(OwnerUpdate { allowed_networks: Some(Some(elsewhere)), ..owner() })),
        ("s", Change::Owner(OwnerUpdate { token_management: Some(false), ..owner() })),
    ];
    for (name, narrowing) in narrowings {
        let scene = of_two(backend).await;
        let by = let_in(name);
        let label = TokenUpdate { label: Some(Some("before".into())), ..token() };
        scene.store.update_token(token_id("victim"), label, by.clone()).await.unwrap();
        narrowing.write(&scene, name).await;
        changes_nothing(&scene, &by).await;
        // It is in force still: it was that which it was let in for.
        is_not_refused(&scene, &By { let_in: None, ..by }).await;
    }
}

pub async fn token_that_is_still_allowed_what_it_was_let_in_for_acts(backend: &dyn Backend) {
    let token = TokenUpdate::default;
    let owner = OwnerUpdate::default;
    let (issue, here) = (scopes(&["issue"]), networks(&["192.0.2.0/24"]));
    let most = scopes(&["issue", "revoke"]);
    for change in [
        Change::Token(TokenUpdate { scopes: Some(issue), ..token() }),
        Change::Token(TokenUpdate { allowed_networks: Some(Some(here.clone())), ..token() }),
        Change::Owner(OwnerUpdate { allowed_scopes: Some(Some(most)), ..owner() }),
        Change::Owner(OwnerUpdate { allowed_networks: Some(Some(here)), ..owner() }),
        Change::Owner(OwnerUpdate { token_management: Some(false), ..owner() }),
    ] {
        let scene = of_two(backend).await;
        change.write(&scene, "a").await;
        is_not_refused(&scene, &let_in("a")).await;
    }
}

/// An operator's token `a` and a partner's `s`, and `u` with `victim`, whom they act upon.
async fn of_two(backend: &dyn Backend) -> Scene {
    let scene = Scene::of(backend).await;
    scene.create(operator("of-a")).await;
    scene.create(partner("of-s")).await;
    for name in ["u", "bounded"] {
        scene.create(user(name)).await;
    }
    let held = scopes(&["issue", "read"]);
    scene.issue(NewToken { scopes: held, ..token("a", "of-a", TokenKind::Admin) }).await;
    scene.issue(token("s", "of-s", TokenKind::Signing)).await;
    scene.issue(bearer("victim", "u")).await;
    scene
}

/// As either was let in, from the same place.
fn let_in(name: &str) -> By {
    let client = Some([192, 0, 2, 7].into());
    let let_in = match name {
        "a" => LetIn { admin: true, scopes: scopes(&["issue"]), client, token_management: false },
        _ => LetIn { client, token_management: true, ..LetIn::default() },
    };
    By { let_in: Some(let_in), ..by_token(name, 9) }
}

enum Change {
    Token(TokenUpdate),
    /// Of its owner.
    Owner(OwnerUpdate),
}

impl Change {
    async fn write(self, scene: &Scene, name: &str) {
        match self {
            Self::Token(update) => {
                drop(scene.store.update_token(token_id(name), update, by(5)).await.unwrap());
            }
            Self::Owner(update) => drop(scene.update(&format!("of-{name}"), update, 5).await),
        }
    }
}

async fn changes_nothing(scene: &Scene, by: &By) {
    let before = scene.trace().await;
    for (mutation, answer) in mutations(scene, by).await {
        assert!(answer.contains("ActorRefused"), "{mutation} by {by:?}: {answer}");
    }
    assert_eq!(scene.trace().await, before, "{by:?}");
}

async fn is_not_refused(scene: &Scene, by: &By) {
    for (mutation, answer) in mutations(scene, by).await {
        assert!(!answer.contains("ActorRefused"), "{mutation} by {by:?}: {answer}");
    }
}

/// What each mutation answers, in the order of the trait.
async fn mutations(scene: &Scene, by: &By) -> [(&'static str, String); 8] {
    let by = || by.clone();
    let (store, u, victim) = (&scene.store, owner_id("u"), token_id("victim"));
    let label = TokenUpdate { label: Some(Some("new".into())), ..TokenUpdate::default() };
    let name = OwnerUpdate { first_name: Some("new".into()), ..OwnerUpdate::default() };
    let reason = RevocationReason::Unspecified;
    let of_all = RevocationOfAll { owner: u.clone(), kind: TokenKind::ApiKey, reason };
    let set = TokenSet::Owner(owner_id("bounded"));
    let of_set = SetRevocation { set, issued_before: IssuedBefore::Moment(at(1)), reason };
    let rotation = rotation("victim", "next", Overlap::FromNow(OVERLAP_MAX));
    [
        ("create_owner", said(store.create_owner(user("w"), by()).await)),
        ("update_owner", said(store.update_owner(u, name, by()).await)),
        ("issue", said(store.issue(bearer("d", "u"), by()).await)),
        ("rotate", said(store.rotate(rotation, by()).await)),
        ("update_token", said(store.update_token(victim, label, by()).await)),
        ("revoke", said(store.revoke(revocation(&token_id("d")), by()).await)),
        ("revoke_all", said(store.revoke_all(of_all, by()).await)),
        ("revoke_set", said(store.revoke_set(of_set, by()).await)),
    ]
}

fn said(answer: impl Debug) -> String {
    format!("{answer:?}")
}

/// Whatever else it may not do any more: giving up a token is never refused.
pub async fn token_may_always_revoke_itself(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let short = NewToken { expires_at: Some(at(9)), ..bearer("expired", "u") };
    for new in [bearer("revoked", "u"), short, bearer("taken-back", "u")] {
        scene.issue(new).await;
    }
    scene.revoke(&token_id("revoked")).await;
    scene.revoke_set(TokenSet::Owner(owner_id("u")), IssuedBefore::ThisWrite, 3).await;
    scene.issue(bearer("narrowed", "u")).await;
    let itself = async |name: &str| {
        // It was let in for what it never had.
        let let_in = Some(LetIn { admin: true, scopes: scopes(&["revoke"]), ..LetIn::default() });
        let by = By { let_in, ..by_token(name, 9) };
        scene.store.revoke(revocation(&token_id(name)), by).await.unwrap()
    };
    assert!(matches!(itself("revoked").await, Revoked::Before { .. }));
    assert!(matches!(itself("expired").await, Revoked::Now { .. }));
    assert!(matches!(itself("taken-back").await, Revoked::Now { .. }));
    assert!(matches!(itself("narrowed").await, Revoked::Now { .. }));
}
