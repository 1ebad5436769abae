//! Owners: kept whole, unique, and changed only forwards.

use super::{
    Backend,
    scene::{Scene, at, by, operator, owner_id, partner, scopes, user},
};
use crate::{AuditFilter, IssuedBefore, NewOwner, OwnerError, OwnerUpdate};
use rescind_core::{Actor, Owner, OwnerKind, OwnerState};

pub async fn every_field_of_an_owner_is_kept(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for new in [user("u"), partner("p"), operator("o")] {
        let created = scene.create(new.clone()).await;
        assert_eq!(created.id, new.id);
        assert_eq!(created.state, OwnerState::Active);
        assert_eq!(created.not_before, None);
        assert_eq!(created.created_at, at(0));
        assert_eq!(created.capabilities.token_management, new.token_management);
        assert_eq!(created.capabilities.allowed_scopes, new.allowed_scopes);
        assert_eq!(scene.store.owner(&new.id).await.unwrap().as_ref(), Some(&created));
        if !matches!(new.kind, OwnerKind::Partner { .. }) {
            assert_eq!(created.kind, new.kind);
        }
    }
    let found = scene.store.user_by_email("u@example.com").await.unwrap().unwrap();
    assert_eq!(found.owner.kind, user("u").kind);
    assert_eq!(found.password_hash, "$argon2id$of-u");
    let found = scene.store.partner_by_subject("https://issuer.example", "did:p").await.unwrap();
    let OwnerKind::Partner { account, issuer, subject, .. } = found.unwrap().kind else {
        panic!("a partner is of another kind now")
    };
    assert_eq!([account, issuer, subject], ["0xp", "https://issuer.example", "did:p"]);
    assert!(scene.store.owner(&owner_id("nobody")).await.unwrap().is_none());
    assert!(scene.store.user_by_email("nobody@example.com").await.unwrap().is_none());
    let elsewhere = scene.store.partner_by_subject("https://other.example", "did:p").await.unwrap();
    assert_eq!(elsewhere, None, "issuers share no subjects");
}

pub async fn email_subject_and_id_belong_to_one_owner(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    let before = scene.trace().await;
    let taken = [
        NewOwner { id: owner_id("u"), ..user("another") },
        NewOwner { id: owner_id("another"), ..user("u") },
        NewOwner { id: owner_id("another"), ..partner("p") },
        NewOwner { id: owner_id("p"), ..operator("another") },
    ];
    for new in taken {
        let refused = scene.store.create_owner(new, by(1)).await;
        assert!(matches!(refused, Err(OwnerError::Exists)), "{refused:?}");
    }
    assert_eq!(scene.trace().await, before);
    let mut elsewhere = partner("p");
    elsewhere.id = owner_id("q");
    if let OwnerKind::Partner { issuer, .. } = &mut elsewhere.kind {
        *issuer = "https://other.example".into();
    }
    scene.create(elsewhere).await;
}

/// What a caller sends reaches a look-up as it is.
pub async fn any_text_can_be_looked_for(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    let store = &scene.store;
    for text in ["", "\0", "u@example.com\0", "%", "' OR TRUE --", "\u{fffd}\u{10ffff}"] {
        assert!(store.user_by_email(text).await.unwrap().is_none(), "{text:?}");
        let issuer = "https://issuer.example";
        assert_eq!(store.partner_by_subject(issuer, text).await.unwrap(), None, "{text:?}");
        assert_eq!(store.partner_by_subject(text, "did:p").await.unwrap(), None, "{text:?}");
        let asked = || Some(text.to_owned());
        let all = AuditFilter { limit: 9, ..AuditFilter::default() };
        for filter in [
            AuditFilter { actor: asked(), ..all.clone() },
            AuditFilter { action: asked(), ..all.clone() },
            AuditFilter { subject: asked(), ..all.clone() },
        ] {
            assert!(store.audit(&filter).await.unwrap().is_empty(), "{text:?}");
        }
    }
}

pub async fn profile_ids_are_given_upwards_and_once(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let with = |name: &str, id| {
        let mut new = partner(name);
        if let OwnerKind::Partner { profile_id, .. } = &mut new.kind {
            *profile_id = id;
        }
        new
    };
    assert_eq!(profile_id(&scene.create(with("low", 7)).await), 7);
    assert_eq!(profile_id(&scene.create(with("first", 0)).await), 1001);
    assert_eq!(profile_id(&scene.create(with("second", 0)).await), 1002);
    assert_eq!(profile_id(&scene.create(with("chosen", 5000)).await), 5000);
    assert_eq!(profile_id(&scene.create(with("after", 0)).await), 5001);
    let taken = scene.store.create_owner(with("taken", 5000), by(1)).await;
    assert!(matches!(taken, Err(OwnerError::Exists)), "{taken:?}");
    scene.create(with("last", i32::MAX)).await;
    let beyond = scene.store.create_owner(with("beyond", 0), by(1)).await;
    assert!(matches!(beyond, Err(OwnerError::Store(_))), "{beyond:?}");
}

fn profile_id(owner: &Owner) -> i32 {
    match owner.kind {
        OwnerKind::Partner { profile_id, .. } => profile_id,
        _ => panic!("{owner:?} is no partner"),
    }
}

pub async fn suspension_keeps_its_first_evidence_until_resumed(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let id = scene.create(user("u")).await.id;
    let set = |suspended| OwnerUpdate { suspended: Some(suspended), ..OwnerUpdate::default() };
    let first = OwnerState::Suspended { at: at(5), by: Actor::system("conformance") };
    for seconds in [5, 6] {
        let owner = scene.store.update_owner(id.clone(), set(true), by(seconds)).await.unwrap();
        assert_eq!(owner.state, first);
        assert_eq!(scene.store.owner(&id).await.unwrap().unwrap(), owner);
    }
    let resumed = scene.store.update_owner(id.clone(), set(false), by(7)).await.unwrap();
    assert_eq!(resumed.state, OwnerState::Active);
    assert_eq!(scene.store.owner(&id).await.unwrap().unwrap(), resumed);
}

pub async fn not_before_never_goes_back(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let id = scene.create(user("u")).await.id;
    for (asked, kept) in [(10, 10), (9, 10), (10, 10), (11, 11), (-5, 11)] {
        let before = Some(IssuedBefore::Moment(at(asked)));
        let raise = OwnerUpdate { not_before: before, ..OwnerUpdate::default() };
        let updated = scene.update("u", raise, 20).await;
        assert_eq!(updated.not_before, Some(at(kept)));
        assert_eq!(scene.store.owner(&id).await.unwrap().unwrap(), updated);
    }
    assert_eq!(scene.store.epoch().await.unwrap(), 2);
}

pub async fn unknown_owner_cannot_be_updated(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let before = scene.trace().await;
    let update = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    let refused = scene.store.update_owner(owner_id("nobody"), update, by(1)).await;
    assert!(matches!(refused, Err(OwnerError::Unknown)), "{refused:?}");
    assert_eq!(scene.trace().await, before);
}

pub async fn update_that_changes_nothing_leaves_no_trace(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let created = scene.create(partner("p")).await;
    let before = scene.trace().await;
    let same = OwnerUpdate {
        suspended: Some(false),
        token_management: Some(true),
        allowed_scopes: Some(Some(scopes(&["account_creation", "trading"]))),
        ..OwnerUpdate::default()
    };
    for update in [OwnerUpdate::default(), same] {
        let owner = scene.store.update_owner(created.id.clone(), update, by(1)).await.unwrap();
        assert_eq!(owner, created);
    }
    assert_eq!(scene.trace().await, before);
}
