//! Lists: filtered, oldest first, and cut into pages that lose and repeat nothing.

use super::{
    Backend,
    scene::{
        Scene, admin, at, bearer, by, operator, owner_id, partner, revocation, scopes, tenant,
        token, token_id, user,
    },
};
use crate::{
    AuditFilter, By, IssuedBefore, NewOwner, NewToken, OwnerClass, OwnerFilter, Standing,
    TokenFilter, TokenSet,
};
use rescind_core::{Actor, Scope, TokenKind};

fn all() -> TokenFilter {
    TokenFilter { limit: u32::MAX, ..TokenFilter::default() }
}

async fn listed(scene: &Scene, filter: &TokenFilter) -> Vec<String> {
    let found = scene.store.tokens(filter).await.unwrap();
    found.iter().map(|stored| stored.record.id.to_string()).collect()
}

pub async fn token_filters_and_cursors_hold_together(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    let trading = |new| NewToken { scopes: scopes(&["account_creation", "trading"]), ..new };
    // Neither the alphabet nor the time of issue gives this order.
    for (new, seconds) in [
        (bearer("b2", "u"), 6),
        (trading(token("k1", "p", TokenKind::ApiKey)), 5),
        (bearer("b1", "u"), 4),
        (trading(token("s9", "p", TokenKind::Signing)), 3),
        (bearer("b3", "u"), 2),
        (token("k0", "p", TokenKind::ApiKey), 1),
    ] {
        scene.issue_at(new, seconds).await;
    }
    scene.revoke(&token_id("b1")).await;
    scene.revoke(&token_id("k1")).await;

    let of = |owner: &str| TokenFilter { owner: Some(owner_id(owner)), ..all() };
    let after = |id: &str, filter| TokenFilter { after: Some(token_id(id)), ..filter };
    let active = |filter| TokenFilter { standing: Some((Standing::Active, at(9))), ..filter };
    let kind = |kind, filter| TokenFilter { kind: Some(kind), ..filter };
    let first = |limit, filter| TokenFilter { limit, ..filter };
    let scope = |name| TokenFilter { scope: Some(Scope::parse(name).unwrap()), ..all() };
    let before = |seconds| TokenFilter { issued_before: Some(at(seconds)), ..all() };
    let since = |seconds, filter| TokenFilter { issued_after: Some(at(seconds)), ..filter };
    let cases: [(TokenFilter, &[&str]); 20] = [
        (all(), &["b2", "k1", "b1", "s9", "b3", "k0"]),
        (of("u"), &["b2", "b1", "b3"]),
        (of("p"), &["k1", "s9", "k0"]),
        (of("nobody"), &[]),
        (active(all()), &["b2", "s9", "b3", "k0"]),
        (kind(TokenKind::ApiKey, all()), &["k1", "k0"]),
        (kind(TokenKind::ApiKey, active(of("p"))), &["k0"]),
        (scope("trading"), &["k1", "s9"]),
        (scope("account_creation"), &["k1", "s9"]),
        (scope("trad"), &[]),
        (before(3), &["b3", "k0"]),
        (since(3, all()), &["b2", "k1", "b1", "s9"]),
        (since(2, before(4)), &["s9", "b3"]),
        (since(3, active(of("p"))), &["s9"]),
        (first(2, all()), &["b2", "k1"]),
        (first(2, after("k1", all())), &["b1", "s9"]),
        (first(1, after("b2", active(of("u")))), &["b3"]),
        (after("k0", all()), &[]),
        (after("nothing", all()), &[]),
        (first(0, all()), &[]),
    ];
    for (filter, expected) in cases {
        assert_eq!(listed(&scene, &filter).await, expected, "{filter:?}");
    }
}

/// Revoked counts more than expired, and one of a set that was taken back is revoked.
pub async fn each_token_stands_in_exactly_one_way_at_each_moment(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for new in [user("u"), user("v"), operator("o")] {
        scene.create(new).await;
    }
    let until = |end, new| NewToken { expires_at: Some(at(end)), ..new };
    for new in [
        bearer("active", "u"),
        until(10, bearer("expires", "u")),
        bearer("revoked", "u"),
        until(10, bearer("revoked-and-expires", "u")),
        admin("operators", "o"),
        bearer("of-owner", "v"),
        until(10, bearer("of-owner-and-expires", "v")),
    ] {
        scene.issue(new).await;
    }
    scene.revoke(&token_id("revoked")).await;
    scene.revoke(&token_id("revoked-and-expires")).await;
    scene.revoke_set(TokenSet::Owner(owner_id("v")), IssuedBefore::ThisWrite, 4).await;
    let gone = ["revoked", "revoked-and-expires", "of-owner", "of-owner-and-expires"];
    for (seconds, active, expired) in [
        (9, &["active", "expires", "operators"][..], &[][..]),
        (10, &["active", "operators"], &["expires"]),
    ] {
        let standing = async |standing| {
            let filter = TokenFilter { standing: Some((standing, at(seconds))), ..all() };
            listed(&scene, &filter).await
        };
        assert_eq!(standing(Standing::Active).await, active, "{seconds}");
        assert_eq!(standing(Standing::Expired).await, expired, "{seconds}");
        assert_eq!(standing(Standing::Revoked).await, gone, "{seconds}");
    }
    scene.revoke_set(TokenSet::Everything, IssuedBefore::ThisWrite, 5).await;
    let active = TokenFilter { standing: Some((Standing::Active, at(9))), ..all() };
    assert_eq!(listed(&scene, &active).await, ["operators"]);
}

/// What a tenant's operator sees: nothing of another tenant's, and nothing of nobody's.
pub async fn lists_of_a_tenant_leave_everybody_else_out(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    let of = |name: &str, new| NewOwner { tenant: Some(tenant(name)), ..new };
    for new in [
        of("one", user("u1")),
        of("two", user("u2")),
        of("one", partner("p1")),
        partner("p0"),
        of("one", user("u3")),
    ] {
        scene.create(new).await;
    }
    for new in [
        bearer("b1", "u1"),
        bearer("b2", "u2"),
        token("k1", "p1", TokenKind::ApiKey),
        token("k0", "p0", TokenKind::ApiKey),
        bearer("b3", "u3"),
    ] {
        scene.issue(new).await;
    }
    let one = TokenFilter { tenant: Some(tenant("one")), ..all() };
    assert_eq!(listed(&scene, &one).await, ["b1", "k1", "b3"]);
    let rest = TokenFilter { after: Some(token_id("b1")), limit: 1, ..one.clone() };
    assert_eq!(listed(&scene, &rest).await, ["k1"]);
    let stranger = TokenFilter { owner: Some(owner_id("u2")), ..one };
    assert!(listed(&scene, &stranger).await.is_empty());
    let nobody = TokenFilter { tenant: Some(tenant("three")), ..all() };
    assert!(listed(&scene, &nobody).await.is_empty());
    assert_eq!(scene.token("b2").await.tenant, Some(tenant("two")));
    assert_eq!(scene.token("k0").await.tenant, None);

    let owners = async |class, name: &str| {
        let filter = OwnerFilter { class, tenant: Some(tenant(name)), after: None, limit: 9 };
        let found = scene.store.owners(&filter).await.unwrap();
        found.iter().map(|owner| owner.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(owners(OwnerClass::User, "one").await, ["u1", "u3"]);
    assert_eq!(owners(OwnerClass::Partner, "one").await, ["p1"]);
    assert!(owners(OwnerClass::Partner, "two").await.is_empty());
}

pub async fn owners_are_listed_by_class_oldest_first_from_a_cursor(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    for new in [user("u3"), partner("p1"), user("u1"), operator("o"), partner("p0"), user("u2")] {
        scene.create(new).await;
    }
    let list = async |class, after: Option<&str>, limit| {
        let filter = OwnerFilter { class, tenant: None, after: after.map(owner_id), limit };
        let found = scene.store.owners(&filter).await.unwrap();
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
        let filter = AuditFilter { after, limit, ..AuditFilter::default() };
        let found = scene.store.audit(&filter).await.unwrap();
        found.into_iter().map(|row| (row.entry.seq, row.entry.subject)).collect::<Vec<_>>()
    };
    assert_eq!(list(0, 2).await, [(1, "a".into()), (2, "b".into())]);
    assert_eq!(list(2, 10).await, [(3, "c".into()), (4, "d".into())]);
    assert!(list(4, 10).await.is_empty());
    assert!(list(u64::MAX, 10).await.is_empty());
}

pub async fn audit_filters_hold_together_and_the_head_is_the_last(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    assert!(scene.store.audit_head().await.unwrap().is_none());
    scene.create(user("u")).await;
    scene.issue(bearer("a", "u")).await;
    scene.issue(bearer("b", "u")).await;
    scene.revoke(&token_id("a")).await;
    scene.store.revoke(revocation(&token_id("b")), by_another(5)).await.unwrap();

    let all = || AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
    let text = |text: &str| Some(text.to_owned());
    let cases: [(AuditFilter, &[u64]); 10] = [
        (all(), &[1, 2, 3, 4, 5]),
        (AuditFilter { action: text("token.revoked"), ..all() }, &[4, 5]),
        (AuditFilter { action: text("token"), ..all() }, &[]),
        (AuditFilter { subject: text("a"), ..all() }, &[2, 4]),
        (AuditFilter { actor: text("system:another"), ..all() }, &[5]),
        (AuditFilter { since: Some(at(1)), until: Some(at(2)), ..all() }, &[2, 3]),
        (AuditFilter { since: Some(at(5)), ..all() }, &[5]),
        (AuditFilter { until: Some(at(1)), ..all() }, &[1]),
        (AuditFilter { subject: text("a"), action: text("token.issued"), ..all() }, &[2]),
        (AuditFilter { after: 2, subject: text("a"), ..all() }, &[4]),
    ];
    for (filter, expected) in cases {
        let found = scene.store.audit(&filter).await.unwrap();
        let found: Vec<_> = found.iter().map(|row| row.entry.seq).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let head = scene.store.audit_head().await.unwrap().unwrap();
    let last = scene.audit().await.pop().unwrap();
    assert_eq!((head.entry, head.hash), (last.entry, last.hash));
}

fn by_another(seconds: i64) -> By {
    By { actor: Actor::system("another"), ..by(seconds) }
}
