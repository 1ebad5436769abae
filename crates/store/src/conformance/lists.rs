//! Lists: filtered, oldest first, and cut into pages that lose and repeat nothing.

use super::{
    Backend,
    scene::{Scene, bearer, operator, owner_id, partner, token, token_id, user},
};
use crate::{OwnerClass, TokenFilter};
use rescind_core::{OwnerId, TokenKind};

const ALL: TokenFilter =
    TokenFilter { owner: None, kind: None, active_only: false, after: None, limit: u32::MAX };

pub async fn token_filters_and_cursors_hold_together(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    // Neither the alphabet nor the time of issue gives this order.
    for new in [
        bearer("b2", "u"),
        token("k1", "p", TokenKind::ApiKey),
        bearer("b1", "u"),
        token("s9", "p", TokenKind::Signing),
        bearer("b3", "u"),
        token("k0", "p", TokenKind::ApiKey),
    ] {
        scene.issue(new).await;
    }
    scene.revoke(&token_id("b1")).await;
    scene.revoke(&token_id("k1")).await;

    let of = |owner: &str| TokenFilter { owner: Some(owner_id(owner)), ..ALL };
    let after = |id: &str, filter| TokenFilter { after: Some(token_id(id)), ..filter };
    let active = |filter| TokenFilter { active_only: true, ..filter };
    let kind = |kind, filter| TokenFilter { kind: Some(kind), ..filter };
    let first = |limit, filter| TokenFilter { limit, ..filter };
    let cases: [(TokenFilter, &[&str]); 13] = [
        (ALL, &["b2", "k1", "b1", "s9", "b3", "k0"]),
        (of("u"), &["b2", "b1", "b3"]),
        (of("p"), &["k1", "s9", "k0"]),
        (of("nobody"), &[]),
        (active(ALL), &["b2", "s9", "b3", "k0"]),
        (kind(TokenKind::ApiKey, ALL), &["k1", "k0"]),
        (kind(TokenKind::ApiKey, active(of("p"))), &["k0"]),
        (first(2, ALL), &["b2", "k1"]),
        (first(2, after("k1", ALL)), &["b1", "s9"]),
        (first(1, after("b1", active(of("u")))), &["b3"]),
        (after("k0", ALL), &[]),
        (after("nothing", ALL), &[]),
        (first(0, ALL), &[]),
    ];
    for (filter, expected) in cases {
        let found = scene.store.tokens(&filter).await.unwrap();
        let found: Vec<_> = found.iter().map(|stored| stored.record.id.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub async fn owners_are_listed_by_class_oldest_first_from_a_cursor(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for new in [user("u3"), partner("p1"), user("u1"), operator("o"), partner("p0"), user("u2")] {
        scene.create(new).await;
    }
    let list = async |class, after: Option<&str>, limit| {
        let after: Option<OwnerId> = after.map(owner_id);
        let found = scene.store.owners(class, after.as_ref(), limit).await.unwrap();
        found.iter().map(|owner| owner.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(OwnerClass::User, None, 10).await, ["u3", "u1", "u2"]);
    assert_eq!(list(OwnerClass::Partner, None, 10).await, ["p1", "p0"]);
    assert_eq!(list(OwnerClass::Operator, None, 10).await, ["o"]);
    assert_eq!(list(OwnerClass::User, None, 2).await, ["u3", "u1"]);
    assert_eq!(list(OwnerClass::User, Some("u1"), 2).await, ["u2"]);
    assert!(list(OwnerClass::User, Some("u2"), 2).await.is_empty());
    assert!(list(OwnerClass::User, Some("nobody"), 2).await.is_empty());
}

pub async fn audit_entries_are_listed_in_order_from_a_cursor(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for name in ["a", "b", "c", "d"] {
        scene.create(user(name)).await;
    }
    let list = async |after, limit| {
        let found = scene.store.audit(after, limit).await.unwrap();
        found.into_iter().map(|row| (row.entry.seq, row.entry.subject)).collect::<Vec<_>>()
    };
    assert_eq!(list(0, 2).await, [(1, "a".into()), (2, "b".into())]);
    assert_eq!(list(2, 10).await, [(3, "c".into()), (4, "d".into())]);
    assert!(list(4, 10).await.is_empty());
    assert!(list(u64::MAX, 10).await.is_empty());
}
