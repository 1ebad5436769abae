//! The store of a service's own: what it keeps, and when it stops answering.

use crate::wire::{ask, get};
use crate::world::{World, authorization, echo, listen, scopes};
use rescind_tower::{
    Actor, Embedded, Issued, KeyRing, NewToken, Overlap, OwnerError, RevocationReason, Revoked,
    RotateError, Store, StoreError, TokenFilter, TokenSet, TokenState, VerifyLayer,
};
use std::net::SocketAddr;
use std::time::Duration;

async fn status(address: SocketAddr, issued: &Issued) -> u16 {
    ask(address, get("/", &authorization(issued))).await.status
}

#[tokio::test]
async fn revoked_token_is_refused_by_the_very_next_request() {
    let world = World::open().await;
    let (one, other) = (world.bearer(&[]).await, world.bearer(&[]).await);
    assert_eq!(status(world.address, &one).await, 200);
    let revoked = world.tokens.revoke(&one.record.id).await.unwrap();
    assert!(matches!(revoked, Revoked::Now(_)));
    assert_eq!(status(world.address, &one).await, 401);
    assert_eq!(status(world.address, &other).await, 200);
    let again = world.tokens.revoke(&one.record.id).await.unwrap();
    assert!(matches!(again, Revoked::Before { .. }));
}

#[tokio::test]
async fn whole_set_is_revoked_in_one_call() {
    let world = World::open().await;
    let eve = world.tokens.owner_named("eve").await.unwrap();
    let eves = world.tokens.issue(NewToken::bearer(&eve.id)).await.unwrap();
    let (one, two) = (world.bearer(&[]).await, world.bearer(&[]).await);
    let set = TokenSet::Owner(world.ada.id.clone());
    world.tokens.revoke_all(set, RevocationReason::KeyCompromise).await.unwrap();
    assert_eq!(status(world.address, &one).await, 401);
    assert_eq!(status(world.address, &two).await, 401);
    assert_eq!(status(world.address, &eves).await, 200);
    assert_eq!(status(world.address, &world.bearer(&[]).await).await, 200);
}

#[tokio::test]
async fn rotated_token_has_the_same_scopes_and_the_old_one_ends() {
    let world = World::open().await;
    let old = world.bearer(&["a"]).await;
    let rotated = world.tokens.rotate(&old.record.id, Overlap::None).await.unwrap();
    assert_eq!(rotated.new.record.scopes, scopes(&["a"]));
    assert!(matches!(rotated.old.state, TokenState::Revoked { .. }));
    assert_eq!(status(world.address, &old).await, 401);
    assert_eq!(status(world.address, &rotated.new).await, 200);
    let overlap = Overlap::FromNow(Duration::from_secs(60));
    let next = world.tokens.rotate(&rotated.new.record.id, overlap).await.unwrap();
    assert_eq!(status(world.address, &rotated.new).await, 200);
    assert_eq!(status(world.address, &next.new).await, 200);
    let again = world.tokens.rotate(&rotated.new.record.id, overlap).await;
    assert!(matches!(again, Err(RotateError::Superseded { .. })));
}

#[tokio::test]
async fn everything_is_there_after_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.db");
    let key = KeyRing::generate_text(&mut rand::rng());
    let keys = || KeyRing::parse([key.as_str()]).unwrap();
    let tokens = Embedded::open(&file, keys()).await.unwrap();
    let ada = tokens.owner_named("ada").await.unwrap();
    let kept = tokens.issue(NewToken::bearer(&ada.id)).await.unwrap();
    let gone = tokens.issue(NewToken::bearer(&ada.id)).await.unwrap();
    tokens.revoke(&gone.record.id).await.unwrap();
    let address = listen(echo().layer(tokens.layer())).await;
    assert_eq!(status(address, &kept).await, 200);
    tokens.close().await.unwrap();
    tokens.close().await.unwrap();

    let next = Embedded::open(&file, keys()).await.unwrap();
    assert_eq!(next.owner_named("ada").await.unwrap().id, ada.id);
    let other = listen(echo().layer(next.layer())).await;
    assert_eq!(status(other, &kept).await, 200);
    assert_eq!(status(other, &gone).await, 401);
    let used = next.token(&kept.record.id).await.unwrap().unwrap().last_used_at;
    assert!(used.is_some(), "the last use was not written when it was closed");
    // What the first one remembers is not believed any more.
    assert_eq!(status(address, &kept).await, 503);
}

#[tokio::test]
async fn closed_store_answers_nothing_at_all() {
    let world = World::open().await;
    let issued = world.bearer(&[]).await;
    assert!(world.tokens.is_open());
    world.tokens.close().await.unwrap();
    assert!(!world.tokens.is_open());
    let answer = ask(world.address, get("/", &authorization(&issued))).await;
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 2"));
    let refused = world.tokens.issue(NewToken::bearer(&world.ada.id)).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn file_is_held_by_one_at_a_time_and_as_long_as_anybody_verifies() {
    let world = World::open().await;
    let issued = world.bearer(&[]).await;
    let second = || Embedded::open(world.file(), KeyRing::none());
    assert!(second().await.unwrap_err().to_string().contains("in use"));
    let World { tokens, address, .. } = &world;
    let clone = tokens.clone();
    drop(clone);
    assert_eq!(status(*address, &issued).await, 200);
}

/// The layer alone keeps the store open; when that goes too, whatever was made of it is sealed.
#[tokio::test]
async fn verification_ends_with_the_last_handle() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.db");
    let tokens = Embedded::open(&file, KeyRing::none()).await.unwrap();
    let ada = tokens.owner_named("ada").await.unwrap();
    let issued = tokens.issue(NewToken::bearer(&ada.id)).await.unwrap();
    let layer = tokens.layer();
    let gatekeeper = layer.gatekeeper();
    drop(tokens);
    let kept = listen(echo().layer(VerifyLayer::new(gatekeeper))).await;
    assert_eq!(status(kept, &issued).await, 200);
    assert!(Embedded::open(&file, KeyRing::none()).await.is_err());
    drop(layer);
    assert_eq!(status(kept, &issued).await, 503);
}

#[tokio::test]
async fn failed_store_seals_every_layer() {
    let world = World::open().await;
    let issued = world.bearer(&[]).await;
    assert_eq!(status(world.address, &issued).await, 200);
    // The log is cut off behind the store's back: what it has committed cannot be read any more.
    let log = world.file().with_extension("db-wal");
    std::fs::File::options().write(true).open(log).unwrap().set_len(0).unwrap();
    let read = world.tokens.token(&issued.record.id).await;
    assert!(matches!(read, Err(StoreError::Failed(_))), "{read:?}");
    assert_eq!(status(world.address, &issued).await, 503);
    assert!(!world.tokens.failed().await.is_empty());
}

#[tokio::test]
async fn use_is_written_down_while_it_runs() {
    let world = World::open().await;
    let issued = world.bearer(&[]).await;
    assert_eq!(status(world.address, &issued).await, 200);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let token = world.tokens.token(&issued.record.id).await.unwrap().unwrap();
        if token.last_used_at.is_some() {
            return;
        }
    }
    panic!("no use was written in five seconds");
}

#[tokio::test]
async fn signing_token_needs_a_key_to_be_sealed_with() {
    let directory = tempfile::tempdir().unwrap();
    let tokens = Embedded::open(directory.path().join("t.db"), KeyRing::none()).await.unwrap();
    let ada = tokens.owner_named("ada").await.unwrap();
    assert!(tokens.issue(NewToken::signing(&ada.id)).await.is_err());
    assert!(tokens.issue(NewToken::bearer(&ada.id)).await.is_ok());
}

#[tokio::test]
async fn owner_is_the_same_however_often_and_at_once_it_is_named() {
    let world = World::open().await;
    let named = (0..20).map(|_| {
        let tokens = world.tokens.clone();
        tokio::spawn(async move { tokens.owner_named("eve").await.unwrap().id })
    });
    let named: Vec<_> = named.collect();
    let eve = world.tokens.owner_named("eve").await.unwrap().id;
    for one in named {
        assert_eq!(one.await.unwrap(), eve);
    }
    let acme = rescind_tower::TenantId::parse("acme").unwrap();
    let of_acme = world.tokens.owner_of_tenant("eve", &acme).await;
    assert!(matches!(of_acme, Err(OwnerError::Exists)));
}

#[tokio::test]
async fn audit_names_who_acted_and_a_revoked_actor_can_do_nothing() {
    let world = World::open().await;
    let (actor, other) = (world.bearer(&[]).await, world.bearer(&[]).await);
    let acting = world.tokens.acting_as(Actor::token(&actor.record.id));
    acting.revoke(&other.record.id).await.unwrap();
    let token = world.tokens.token(&other.record.id).await.unwrap().unwrap();
    let TokenState::Revoked { by, .. } = token.record.state else { panic!("not revoked") };
    assert_eq!(by.as_str(), format!("token:{}", actor.record.id));
    world.tokens.revoke(&actor.record.id).await.unwrap();
    let third = world.bearer(&[]).await;
    let refused = acting.revoke(&third.record.id).await;
    assert!(matches!(refused, Err(StoreError::ActorRefused)));
    assert_eq!(status(world.address, &third).await, 200);
}

#[tokio::test]
async fn shown_token_is_found_in_whatever_state_it_is() {
    let world = World::open().await;
    let issued = world.bearer(&[]).await;
    world.tokens.revoke(&issued.record.id).await.unwrap();
    let found = world.tokens.token_presented(issued.secret.expose()).await.unwrap().unwrap();
    assert_eq!(found.record.id, issued.record.id);
    assert!(world.tokens.token_presented("rsc_nobody").await.unwrap().is_none());
    let filter = TokenFilter { limit: 10, ..TokenFilter::default() };
    assert_eq!(world.tokens.tokens(&filter).await.unwrap().len(), 1);
    let store: &dyn Store = world.tokens.store();
    assert!(store.audit_head().await.unwrap().is_some());
}

#[test]
fn secrets_print_their_name_only() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let world = World::open().await;
        let issued = world.bearer(&[]).await;
        let printed = format!("{issued:?} {:?} {:?}", world.tokens, world.tokens.layer());
        assert!(!printed.contains(issued.secret.expose()));
    });
}
