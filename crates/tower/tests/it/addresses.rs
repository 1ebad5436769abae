//! Tokens that may be used only from some networks.

use crate::wire::{ask, get};
use crate::world::{World, authorization, echo};
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use rescind_tower::{ClientIp, Issued, NetworkSet, NewToken};
use std::net::{IpAddr, SocketAddr};

fn networks(blocks: &[&str]) -> NetworkSet {
    NetworkSet::parse(blocks.iter().copied()).unwrap()
}

async fn bound_to(world: &World, block: &str) -> Issued {
    let token = NewToken::bearer(&world.ada.id).allowed_networks(networks(&[block]));
    world.tokens.issue(token).await.unwrap()
}

async fn status(address: SocketAddr, issued: &Issued, more: &str) -> u16 {
    ask(address, get("/", &format!("{}{more}", authorization(issued)))).await.status
}

#[tokio::test]
async fn peer_is_the_client_and_its_word_about_itself_is_not_taken() {
    let world = World::open().await;
    let here = bound_to(&world, "127.0.0.0/8").await;
    let elsewhere = bound_to(&world, "198.51.100.0/24").await;
    let said = "X-Forwarded-For: 198.51.100.7\r\n";
    assert_eq!(status(world.address, &here, "").await, 200);
    assert_eq!(status(world.address, &here, said).await, 200);
    assert_eq!(status(world.address, &elsewhere, "").await, 401);
    assert_eq!(status(world.address, &elsewhere, said).await, 401);
}

#[tokio::test]
async fn trusted_proxy_says_who_the_client_is() {
    let world = World::with(|layer| layer.trusted_proxies(networks(&["127.0.0.0/8"]))).await;
    let elsewhere = bound_to(&world, "198.51.100.0/24").await;
    let here = bound_to(&world, "127.0.0.0/8").await;
    let said = "X-Forwarded-For: 203.0.113.1, 198.51.100.7\r\n";
    assert_eq!(status(world.address, &elsewhere, said).await, 200);
    let forged = "X-Forwarded-For: 198.51.100.7, 203.0.113.1\r\n";
    assert_eq!(status(world.address, &elsewhere, forged).await, 401);
    // A proxy that forgot to say it is not itself the client.
    assert_eq!(status(world.address, &here, "").await, 401);
}

#[tokio::test]
async fn service_may_say_it_in_an_extension() {
    async fn say(mut request: Request, next: Next) -> axum::response::Response {
        let address: IpAddr = "::ffff:198.51.100.7".parse().unwrap();
        request.extensions_mut().insert(ClientIp(address));
        next.run(request).await
    }
    let world = World::serving(
        |builder| builder,
        |tokens| echo().layer(tokens.layer()).layer(from_fn(say)),
    )
    .await;
    assert_eq!(status(world.address, &bound_to(&world, "198.51.100.0/24").await, "").await, 200);
    assert_eq!(status(world.address, &bound_to(&world, "127.0.0.0/8").await, "").await, 401);
}

#[tokio::test]
async fn where_the_client_is_unknown_bound_tokens_are_refused_and_others_are_not() {
    let world = World::open().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = echo().layer(world.tokens.layer());
    // Without the peer's address.
    tokio::spawn(async move { axum::serve(listener, router).await });
    assert_eq!(status(address, &world.bearer(&[]).await, "").await, 200);
    for block in ["127.0.0.0/8", "0.0.0.0/0"] {
        assert_eq!(status(address, &bound_to(&world, block).await, "").await, 401, "{block}");
    }
}
