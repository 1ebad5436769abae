//! Rotation: one token in another's place, the old one's end, and nothing gained on the way.

use super::{
    Backend,
    scene::{
        Event, Scene, at, bearer, by, by_token, digest, idempotency, networks, owner_id, partner,
        rotation, scopes, token, token_id, told, user,
    },
};
use crate::{
    By, Created, IssuedBefore, Material, NewRotation, NewToken, Overlap, OwnerUpdate, RotateError,
    TokenSet,
};
use rescind_core::{
    Actor, IssueDenial, OVERLAP_MAX, RevocationReason, Rotation, TokenKind, TokenRecord,
    TokenState, TokenUpdate, signature::Secret,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

pub async fn successor_has_what_the_old_one_had(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(partner("p")).await;
    let old = NewToken {
        label: Some("laptop".into()),
        scopes: scopes(&["trading"]),
        expires_at: Some(at(101)),
        allowed_networks: Some(networks(&["192.0.2.0/24"])),
        ..token("old", "p", TokenKind::Signing)
    };
    let old = scene.issue_at(old, 1).await;
    let material = Material::Secret(Secret::from_bytes(b"new secret".to_vec()));
    let heard = told(&material);
    let what = NewRotation { material, ..rotation("old", "new", Overlap::None) };
    let rotated = scene.store.rotate(what, by(50)).await.unwrap().into_inner();
    let new = TokenRecord {
        id: token_id("new"),
        issued_at: at(50),
        expires_at: Some(at(150)),
        rotation: Some(Rotation { from: old.id.clone(), overlap_from_first_use: None }),
        ..old.clone()
    };
    let (by, reason) = (by(50).actor, RevocationReason::Superseded);
    let state = TokenState::Revoked { at: at(50), by, reason };
    assert_eq!(rotated.new, new);
    assert_eq!(rotated.old, TokenRecord { state, ..old });
    assert_eq!(scene.token("new").await.record, rotated.new);
    let stored = scene.token("old").await;
    assert_eq!((stored.record, stored.superseded_by), (rotated.old, Some(token_id("new"))));
    let events = scene.events();
    let last =
        [Event::Revoked(token_id("old"), None), Event::Issued(new, heard), Event::Reached(1)];
    assert_eq!(events[events.len() - 3..], last);
    let entries: Vec<_> = scene.audit().await.into_iter().map(|row| row.entry.action).collect();
    assert_eq!(entries[2..], ["token.revoked", "token.issued"]);
}

/// From now, never past its own end, and never longer than there may be.
pub async fn overlap_ends_in_time(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let long = OVERLAP_MAX + HOUR;
    for (name, own, overlap, end) in [
        ("endless", None, HOUR, at(3_610)),
        ("later", Some(at(9_000)), HOUR, at(3_610)),
        ("sooner", Some(at(100)), HOUR, at(100)),
        ("at-once", None, Duration::ZERO, at(10)),
        ("too-long", None, long, at(10 + 7 * 86_400)),
    ] {
        scene.issue(NewToken { expires_at: own, ..bearer(name, "u") }).await;
        let epoch = scene.store.epoch().await.unwrap();
        let (to, overlap) = (format!("{name}-next"), Overlap::FromNow(overlap));
        let rotated = scene.rotate(name, &to, overlap, 10).await.unwrap();
        assert_eq!(rotated.old.expires_at, Some(end), "{name}");
        assert_eq!(rotated.old.state, TokenState::Active);
        assert_eq!(scene.token(name).await.record, rotated.old);
        let closer = own != Some(end);
        let updated = Event::Updated(rotated.old.clone(), Some(digest(name)));
        assert_eq!(scene.heard(&updated), closer, "{name}");
        assert_eq!(scene.store.epoch().await.unwrap(), epoch + u64::from(closer), "{name}");
    }
}

pub async fn successor_lives_as_long_as_asked_or_as_the_old_one_was_given(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let issue = async |name: &str, new: NewToken| {
        scene.issue_at(NewToken { id: token_id(name), ..new }, 0).await;
    };
    let until = |name: &str, end| NewToken { expires_at: Some(at(end)), ..bearer(name, "u") };
    issue("endless", bearer("endless", "u")).await;
    issue("hour", until("hour", 3_600)).await;
    issue("asked", until("asked", 3_600)).await;
    issue("old", NewToken { issued_at: Some(at(-400)), ..until("old", 3_600) }).await;
    for (name, lifetime, end) in [
        ("endless", None, None),
        ("hour", None, Some(at(3_610))),
        ("asked", Some(Duration::from_secs(5)), Some(at(15))),
        ("old", None, Some(at(4_010))),
    ] {
        let to = format!("{name}-next");
        let what = NewRotation { lifetime, ..rotation(name, &to, Overlap::None) };
        let rotated = scene.store.rotate(what, by(10)).await.unwrap().into_inner();
        assert_eq!(rotated.new.expires_at, end, "{name}");
    }
    // A bound has lifted its time of issue beyond its end: that is no lifetime.
    scene.issue_at(bearer("ahead", "u"), 50_000).await;
    scene.revoke_set(TokenSet::Owner(owner_id("u")), IssuedBefore::ThisWrite, 20).await;
    let lifted = scene.issue_at(until("lifted", 3_600), 20).await;
    assert!(Some(lifted.issued_at) > lifted.expires_at);
    let rotated = scene.rotate("lifted", "lifted-next", Overlap::None, 600).await.unwrap();
    assert_eq!(rotated.new.expires_at, Some(at(3_600)));
}

/// Whatever it was given, and whatever it asks for; somebody else may give more.
pub async fn token_that_rotates_itself_never_outlives_its_own_end(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.issue(bearer("other", "u")).await;
    let next = |name: &str| format!("{name}-next");
    let rotate = async |name: &str, by: By, lifetime, overlap| {
        let what = NewRotation { lifetime, ..rotation(name, &next(name), overlap) };
        scene.store.rotate(what, by).await.unwrap().into_inner().new.expires_at
    };
    let moved = async |name: &str| {
        scene.issue(NewToken { expires_at: Some(at(3_600)), ..bearer(name, "u") }).await;
        let closer = TokenUpdate { expires_at: Some(at(100)), ..TokenUpdate::default() };
        scene.store.update_token(token_id(name), closer, by(5)).await.unwrap();
    };
    let first_use = Overlap::FromFirstUse(HOUR);
    for (number, overlap) in [Overlap::None, Overlap::FromNow(HOUR), first_use].iter().enumerate() {
        for (way, lifetime, end) in
            [("given", None, 100), ("more", Some(HOUR), 100), ("less", Some(HOUR / 60), 70)]
        {
            let name = format!("{way}{number}");
            moved(&name).await;
            let ends = rotate(&name, by_token(&name, 10), lifetime, *overlap).await;
            assert_eq!(ends, Some(at(end)), "{name}");
            let again =
                rotate(&next(&name), by_token(&next(&name), 20), Some(HOUR), *overlap).await;
            assert_eq!(again, Some(at(end)), "{name}");
        }
    }
    moved("by-another").await;
    let ends = rotate("by-another", by_token("other", 10), Some(HOUR), Overlap::None).await;
    assert_eq!(ends, Some(at(3_610)));
    scene.issue(bearer("endless", "u")).await;
    let ends = rotate("endless", by_token("endless", 10), None, Overlap::None).await;
    assert_eq!(ends, None);
}

pub async fn token_that_is_not_in_force_is_not_rotated(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for name in ["u", "bounded", "suspended"] {
        scene.create(user(name)).await;
    }
    let short = NewToken { expires_at: Some(at(10)), ..bearer("expired", "u") };
    for new in [
        bearer("revoked", "u"),
        short,
        bearer("taken-back", "bounded"),
        bearer("of-suspended", "suspended"),
    ] {
        scene.issue(new).await;
    }
    scene.revoke(&token_id("revoked")).await;
    scene.revoke_set(TokenSet::Owner(owner_id("bounded")), IssuedBefore::ThisWrite, 3).await;
    let off = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    scene.update("suspended", off, 3).await;
    let before = scene.trace().await;
    for overlap in [Overlap::None, Overlap::FromNow(HOUR), Overlap::FromFirstUse(HOUR)] {
        let refused = async |name| scene.rotate(name, "next", overlap, 10).await.unwrap_err();
        for name in ["revoked", "expired", "taken-back"] {
            let error = refused(name).await;
            assert!(matches!(error, RotateError::NotInForce), "{name}: {error:?}");
        }
        let error = refused("of-suspended").await;
        let denied = matches!(error, RotateError::Denied(IssueDenial::OwnerSuspended));
        assert!(denied, "{error:?}");
        let error = refused("nothing").await;
        assert!(matches!(error, RotateError::Unknown), "{error:?}");
        let taken = scene.rotate("of-suspended", "revoked", overlap, 10).await;
        assert!(taken.is_err(), "{taken:?}");
    }
    assert_eq!(scene.trace().await, before);
    assert_eq!(scene.token("of-suspended").await.record.state, TokenState::Active);
}

/// Two successors would be two tokens for one.
pub async fn token_has_one_successor_in_force(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.issue(bearer("old", "u")).await;
    let first_use = Overlap::FromFirstUse(HOUR);
    let rotate = async |to: &str, seconds| scene.rotate("old", to, first_use, seconds).await;
    rotate("a", 10).await.unwrap();
    let before = scene.trace().await;
    match rotate("b", 11).await {
        Err(RotateError::Superseded { by }) => assert_eq!(by, token_id("a")),
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.trace().await, before);
    scene.revoke(&token_id("a")).await;
    assert_eq!(scene.token("old").await.superseded_by, None);
    let what = NewRotation { lifetime: Some(HOUR), ..rotation("old", "b", first_use) };
    scene.store.rotate(what, by(20)).await.unwrap();
    assert!(rotate("c", 20 + 3_599).await.is_err(), "the second one is in force");
    rotate("c", 20 + 3_600).await.unwrap();
    assert_eq!(scene.token("old").await.superseded_by, Some(token_id("c")));
    // A chain is no fork.
    scene.rotate("c", "d", Overlap::FromNow(HOUR), 4_000).await.unwrap();
    assert_eq!(scene.token("c").await.superseded_by, Some(token_id("d")));
}

pub async fn scope_that_the_owner_has_lost_is_not_renewed(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(partner("p")).await;
    let wide = scopes(&["account_creation", "trading"]);
    scene.issue(NewToken { scopes: wide, ..token("old", "p", TokenKind::ApiKey) }).await;
    let narrow = OwnerUpdate {
        allowed_scopes: Some(Some(scopes(&["trading", "more"]))),
        ..OwnerUpdate::default()
    };
    scene.update("p", narrow, 2).await;
    let rotated = scene.rotate("old", "new", Overlap::FromNow(HOUR), 3).await.unwrap();
    assert_eq!(rotated.new.scopes, scopes(&["trading"]));
}

/// Once; also when uses arrive late, out of order, twice, and after a restart.
pub async fn first_use_starts_the_overlap_exactly_once(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let old = scene.issue(bearer("old", "u")).await;
    let rotated = scene.rotate("old", "new", Overlap::FromFirstUse(HOUR), 10).await.unwrap();
    assert_eq!(rotated.old, old);
    let pending = Rotation { from: old.id.clone(), overlap_from_first_use: Some(HOUR) };
    assert_eq!(rotated.new.rotation, Some(pending));
    let scene = scene.reopened(backend).await;
    assert_eq!(scene.token("new").await.record, rotated.new);
    let used = async |scene: &Scene, uses: &[(&str, i64)]| {
        let uses = uses.iter().map(|(name, seconds)| (token_id(name), at(*seconds))).collect();
        scene.store.record_use(uses).await.unwrap();
    };
    used(&scene, &[("old", 15), ("old", 16)]).await;
    assert_eq!(scene.token("old").await.record.expires_at, None, "its own use is no reason");

    used(&scene, &[("new", 20), ("new", 19), ("new", 30)]).await;
    let ended = TokenRecord { expires_at: Some(at(20 + 3_600)), ..old };
    assert_eq!(scene.token("old").await.record, ended);
    let started = Rotation { from: token_id("old"), overlap_from_first_use: None };
    assert_eq!(scene.token("new").await.record.rotation, Some(started));
    assert!(scene.heard(&Event::Updated(ended.clone(), Some(digest("old")))));
    assert_eq!(scene.store.epoch().await.unwrap(), 1);
    let entry = scene.audit().await.pop().unwrap().entry;
    assert_eq!((entry.action.as_str(), entry.subject.as_str()), ("token.rotated", "old"));
    assert_eq!((entry.at, entry.actor), (at(20), Actor::system("first_use")));

    let scene = scene.reopened(backend).await;
    let before = scene.trace().await;
    used(&scene, &[("new", 40), ("new", 18), ("old", 41)]).await;
    assert_eq!(scene.token("old").await.record, ended);
    assert_eq!(scene.trace().await, before);
}

/// A token is rotated twice, and the one in between is never used.
pub async fn first_of_three_does_not_wait_for_a_second_that_is_never_used(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let second_ends = [Overlap::None, Overlap::FromNow(HOUR), Overlap::FromFirstUse(HOUR)];
    for (number, overlap) in second_ends.into_iter().enumerate() {
        let [first, second, third] = ["a", "b", "c"].map(|name| format!("{name}{number}"));
        scene.issue(bearer(&first, "u")).await;
        scene.rotate(&first, &second, Overlap::FromFirstUse(HOUR), 10).await.unwrap();
        scene.rotate(&second, &third, overlap, 20).await.unwrap();
        let waits = matches!(overlap, Overlap::FromFirstUse(_));
        let ends = if waits { None } else { Some(at(20 + 3_600)) };
        assert_eq!(scene.token(&first).await.record.expires_at, ends, "{overlap:?}");
        scene.store.record_use(vec![(token_id(&third), at(30))]).await.unwrap();
        let ends = ends.or(Some(at(30 + 3_600)));
        assert_eq!(scene.token(&first).await.record.expires_at, ends, "{overlap:?}");
    }
}

/// The old one was revoked, or ended, before the new one was used.
pub async fn first_use_ends_nothing_twice(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let short = NewToken { expires_at: Some(at(50)), ..bearer("short", "u") };
    for new in [bearer("revoked", "u"), short] {
        let (name, next) = (new.id.to_string(), format!("{}-next", new.id));
        scene.issue(new).await;
        scene.rotate(&name, &next, Overlap::FromFirstUse(HOUR), 10).await.unwrap();
    }
    scene.revoke(&token_id("revoked")).await;
    let (epoch, ended) = (scene.store.epoch().await.unwrap(), scene.token("revoked").await.record);
    let uses = ["revoked-next", "short-next"].map(|name| (token_id(name), at(60)));
    scene.store.record_use(uses.into()).await.unwrap();
    assert_eq!(scene.token("revoked").await.record, ended);
    assert_eq!(scene.token("short").await.record.expires_at, Some(at(50)));
    assert_eq!(scene.store.epoch().await.unwrap(), epoch);
}

pub async fn rotation_asked_for_again_makes_nothing_more(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.issue(bearer("old", "u")).await;
    let ask = |to: &str| NewRotation {
        idempotency: idempotency(1, 1),
        ..rotation("old", to, Overlap::FromNow(HOUR))
    };
    let first = scene.store.rotate(ask("a"), by(10)).await.unwrap();
    assert!(!first.is_replay());
    let first = first.into_inner();
    let before = scene.trace().await;
    let again = scene.store.rotate(ask("b"), by(20)).await.unwrap();
    assert_eq!(again, Created::Before(first));
    assert_eq!(scene.trace().await, before);
    // As they are now.
    scene.revoke(&token_id("a")).await;
    let again = scene.store.rotate(ask("c"), by(30)).await.unwrap().into_inner();
    assert_ne!(again.new.state, TokenState::Active);
    assert_eq!(again.old, scene.token("old").await.record);
}
