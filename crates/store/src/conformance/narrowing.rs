//! What may still change about a token: only towards less.

use super::{
    Backend,
    scene::{
        Event, Scene, at, bearer, by, digest, networks, partner, scopes, token, token_id, told,
        user,
    },
};
use crate::{IssuedBefore, NewToken, TokenSet, UpdateError};
use rescind_core::{TokenKind, TokenRecord, TokenUpdate, Widening};

fn update() -> TokenUpdate {
    TokenUpdate::default()
}

/// Each update, and the epoch after it.
pub async fn updated_token_is_told_and_all_but_its_label_raises_the_epoch(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(partner("p")).await;
    let wide = scopes(&["account_creation", "trading"]);
    for (kind, found_by) in [(TokenKind::ApiKey, Some(digest("t"))), (TokenKind::Signing, None)] {
        let name = found_by.map_or("s", |_| "t");
        let mut record =
            scene.issue(NewToken { scopes: wide.clone(), ..token(name, "p", kind) }).await;
        let start = scene.store.epoch().await.unwrap();
        let steps: [(TokenUpdate, u64); 8] = [
            (TokenUpdate { label: Some(Some("new".into())), ..update() }, 0),
            (TokenUpdate { scopes: Some(scopes(&["trading"])), ..update() }, 1),
            (TokenUpdate { expires_at: Some(at(500)), ..update() }, 2),
            (TokenUpdate { expires_at: Some(at(400)), ..update() }, 3),
            (TokenUpdate { allowed_networks: Some(Some(networks(&["::/0"]))), ..update() }, 4),
            (TokenUpdate { allowed_networks: Some(Some(networks(&[]))), ..update() }, 5),
            (TokenUpdate { allowed_networks: Some(None), label: Some(None), ..update() }, 6),
            (
                TokenUpdate {
                    scopes: Some(scopes(&[])),
                    expires_at: Some(at(300)),
                    allowed_networks: Some(Some(networks(&["192.0.2.7"]))),
                    ..update()
                },
                7,
            ),
        ];
        for (change, epoch) in steps {
            let entries = scene.audit().await.len();
            record = change.clone().of(&record).unwrap();
            let updated = scene.store.update_token(record.id.clone(), change.clone(), by(3)).await;
            assert_eq!(updated.unwrap(), record);
            assert_eq!(scene.token(name).await.record, record);
            assert_eq!(scene.store.epoch().await.unwrap() - start, epoch, "{change:?}");
            assert_eq!(scene.audit().await.len(), entries + 1, "{change:?}");
            assert!(scene.heard(&Event::Updated(record.clone(), found_by)), "{change:?}");
        }
    }
}

pub async fn widening_and_ended_tokens_are_refused(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(user("u")).await;
    let new = NewToken { scopes: scopes(&["read"]), expires_at: Some(at(100)), ..bearer("b", "u") };
    scene.issue(new).await;
    scene.issue(bearer("revoked", "u")).await;
    scene.revoke(&token_id("revoked")).await;
    let before = (scene.trace().await, scene.token("b").await);
    let ask =
        async |name: &str, update| scene.store.update_token(token_id(name), update, by(3)).await;
    let wider =
        ask("b", TokenUpdate { scopes: Some(scopes(&["read", "write"])), ..update() }).await;
    assert!(matches!(wider, Err(UpdateError::Widening(Widening::Scopes))), "{wider:?}");
    let longer = TokenUpdate { scopes: Some(scopes(&[])), expires_at: Some(at(101)), ..update() };
    let longer = ask("b", longer).await;
    assert!(matches!(longer, Err(UpdateError::Widening(Widening::Expiry))), "{longer:?}");
    let label = || TokenUpdate { label: Some(Some("new".into())), ..update() };
    let revoked = ask("revoked", label()).await;
    assert!(matches!(revoked, Err(UpdateError::Revoked)), "{revoked:?}");
    let unknown = ask("nothing", label()).await;
    assert!(matches!(unknown, Err(UpdateError::Unknown)), "{unknown:?}");
    let same = TokenUpdate { scopes: Some(scopes(&["read"])), ..update() };
    ask("b", same).await.unwrap();
    assert_eq!((scene.trace().await, scene.token("b").await), before);
}

/// Memory after a restart is told of the token as it is, not as it was issued; and of none that
/// was revoked.
pub async fn restart_tells_tokens_as_they_are_now(backend: &dyn Backend) {
    let scene = Scene::of(backend).await;
    scene.create(partner("p")).await;
    let wide = scopes(&["account_creation", "trading"]);
    let narrow = TokenUpdate {
        scopes: Some(scopes(&["trading"])),
        expires_at: Some(at(90)),
        allowed_networks: Some(Some(networks(&["192.0.2.0/24"]))),
        ..update()
    };
    let mut expected = Vec::new();
    for (name, kind) in [("k", TokenKind::ApiKey), ("s", TokenKind::Signing)] {
        let new = NewToken { scopes: wide.clone(), ..token(name, "p", kind) };
        let told = told(&new.material);
        let record = scene.issue(new).await;
        scene.store.update_token(record.id.clone(), narrow.clone(), by(2)).await.unwrap();
        expected.push(Event::Issued(narrow.clone().of(&record).unwrap(), told));
    }
    scene.issue(token("gone", "p", TokenKind::ApiKey)).await;
    scene.revoke(&token_id("gone")).await;
    let bounded = IssuedBefore::Moment(at(0));
    scene.revoke_set(TokenSet::Everything, bounded, 3).await;
    let scene = scene.reopened(backend).await;
    let tokens = |event: &Event| matches!(event, Event::Issued(..));
    let told: Vec<_> = scene.events().into_iter().filter(tokens).collect();
    assert_eq!(told, expected);
    let of = |event: &Event| match event {
        Event::Issued(record, _) => record.clone(),
        other => panic!("{other:?}"),
    };
    let stored: Vec<TokenRecord> =
        vec![scene.token("k").await.record, scene.token("s").await.record];
    assert_eq!(stored, told.iter().map(of).collect::<Vec<_>>());
}
