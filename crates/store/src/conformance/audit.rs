//! The audit trail: complete, chained, and clean.

use super::{
    Backend,
    scene::{
        Scene, at, bearer, by, operator, owner_id, partner, revocation, scopes, token, token_id,
        user,
    },
};
use crate::{IssuedBefore, NewToken, OwnerUpdate};
use rescind_core::TokenKind;

pub async fn chain_holds_and_each_mutation_has_exactly_one_entry(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    assert!(scene.audit().await.is_empty());
    let owner = scene.create(partner("p")).await.id;
    scene.issue(token("k", "p", TokenKind::ApiKey)).await;
    scene.store.record_use(vec![(token_id("k"), at(5))]).await.unwrap();
    scene.revoke(&token_id("k")).await;
    let none = OwnerUpdate::default();
    let updates = [
        OwnerUpdate { suspended: Some(true), token_management: Some(false), ..none.clone() },
        OwnerUpdate { suspended: Some(false), ..none.clone() },
        OwnerUpdate { not_before: Some(IssuedBefore::Moment(at(3))), ..none },
    ];
    for update in updates {
        scene.store.update_owner(owner.clone(), update, by(4)).await.unwrap();
    }
    let entries = scene.audit().await;
    let written: Vec<_> =
        entries.iter().map(|row| [row.entry.action.as_str(), &row.entry.subject]).collect();
    assert_eq!(
        written,
        [
            ["owner.created", "p"],
            ["token.issued", "k"],
            ["token.revoked", "k"],
            ["owner.suspended", "p"],
            ["owner.resumed", "p"],
            ["owner.updated", "p"],
        ]
    );
}

pub async fn entries_say_who_did_what_and_never_a_secret(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(partner("p")).await;
    let signing = NewToken {
        label: Some("a \"label\"".into()),
        scopes: scopes(&["trading"]),
        ..token("s", "p", TokenKind::Signing)
    };
    scene.store.issue(signing, by(4)).await.unwrap();
    scene.revoke(&token_id("s")).await;
    let entries = scene.audit().await;
    let issued = &entries[2].entry;
    assert_eq!(issued.at, at(4));
    assert_eq!(issued.actor, by(4).actor);
    let detail: serde_json::Value = serde_json::from_str(&issued.detail).unwrap();
    assert_eq!(detail["owner"], "p");
    assert_eq!(detail["kind"], "signing");
    assert_eq!(detail["label"], "a \"label\"");
    assert_eq!(detail["scopes"], serde_json::json!(["trading"]));
    let detail: serde_json::Value = serde_json::from_str(&entries[3].entry.detail).unwrap();
    assert_eq!(detail["reason"], "key_compromise");
    for row in &entries {
        let detail = &row.entry.detail;
        assert!(!detail.contains("secret of s"), "{detail}");
        assert!(!detail.contains("argon2id"), "{detail}");
    }
}

pub async fn refused_mutations_leave_no_trace(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.create(operator("o")).await;
    scene.issue(bearer("b", "u")).await;
    let before = scene.trace().await;
    let owners = scene.store.owner(&owner_id("u")).await.unwrap();
    assert!(scene.store.create_owner(user("u"), by(1)).await.is_err());
    assert!(scene.store.issue(bearer("b", "u"), by(1)).await.is_err());
    assert!(scene.store.issue(bearer("c", "o"), by(1)).await.is_err());
    assert!(scene.store.issue(bearer("c", "nobody"), by(1)).await.is_err());
    let nobody = scene.store.update_owner(owner_id("nobody"), OwnerUpdate::default(), by(1)).await;
    assert!(nobody.is_err());
    scene.store.revoke(revocation(&token_id("nothing")), by(1)).await.unwrap();
    assert_eq!(scene.trace().await, before);
    assert_eq!(scene.store.owner(&owner_id("u")).await.unwrap(), owners);
    assert!(scene.store.token(&token_id("c")).await.unwrap().is_none());
}
