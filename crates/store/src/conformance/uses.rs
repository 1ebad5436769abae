//! Last-used times.

use super::{
    Backend,
    scene::{Scene, at, bearer, token_id, user},
};

pub async fn last_use_only_moves_forwards(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    scene.issue(bearer("a", "u")).await;
    scene.issue(bearer("b", "u")).await;
    let before = scene.trace().await;
    let (a, b) = (token_id("a"), token_id("b"));
    let use_at = async |uses: &[(&str, i64)]| {
        let uses = uses.iter().map(|(id, seconds)| (token_id(id), at(*seconds))).collect();
        scene.store.record_use(uses).await.unwrap();
    };
    let last = async |id| scene.store.token(id).await.unwrap().unwrap().last_used_at;

    assert_eq!(last(&a).await, None);
    use_at(&[("a", 10), ("a", 30), ("a", 20), ("nothing", 5)]).await;
    assert_eq!(last(&a).await, Some(at(30)));
    assert_eq!(last(&b).await, None);
    use_at(&[("a", 29), ("b", 1)]).await;
    assert_eq!((last(&a).await, last(&b).await), (Some(at(30)), Some(at(1))));
    use_at(&(0..1000).map(|n| ("b", n)).collect::<Vec<_>>()).await;
    assert_eq!(last(&b).await, Some(at(999)));
    scene.revoke(&a).await;
    use_at(&[("a", 40)]).await;
    let revoked = scene.store.token(&a).await.unwrap().unwrap();
    assert_ne!(revoked.record.state, rescind_core::TokenState::Active);
    scene.store.record_use(Vec::new()).await.unwrap();

    let after = scene.trace().await;
    assert_ne!(after, before, "the revocation");
    use_at(&[("b", 5000)]).await;
    assert_eq!(scene.trace().await, after, "a use is no mutation");
}
