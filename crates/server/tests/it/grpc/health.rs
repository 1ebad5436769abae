//! `grpc.health.v1.Health`.

use super::house::{House, Wishes};
use rescind_server::grpc::WATCHERS_MAX;
use rescind_store::Follower;
use std::time::Duration;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, Serving};

const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

async fn status(house: &House, service: &str) -> Result<ServingStatus, Code> {
    let answer = house.health().await.check(about(service)).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test]
async fn serving_while_tokens_can_be_verified_and_not_after_the_store_has_failed() {
    let house = House::start().await;
    for service in ["", AUTHORIZATION] {
        assert_eq!(status(&house, service).await, Ok(Serving));
    }
    house.guard.seal();
    for service in ["", AUTHORIZATION] {
        assert_eq!(status(&house, service).await, Ok(NotServing));
    }
    assert_eq!(status(&house, "other").await, Err(Code::NotFound));
}

#[tokio::test]
async fn anybody_may_ask_for_health() {
    let house = House::with(Wishes { trusted_peers: &[], ..Wishes::default() }).await;
    assert_eq!(status(&house, "").await, Ok(Serving));
}

#[tokio::test]
async fn watcher_is_told_of_a_change_and_of_the_end() {
    let house = House::start().await;
    let within = Duration::from_secs(5);
    let mut watched = house.health().await.watch(about("")).await.unwrap().into_inner();
    let next = tokio::time::timeout(within, watched.message()).await.unwrap().unwrap();
    assert_eq!(next.unwrap().status(), Serving);
    house.guard.seal();
    let next = tokio::time::timeout(within, watched.message()).await.unwrap().unwrap();
    assert_eq!(next.unwrap().status(), NotServing);
    house.stop.send(true).unwrap();
    let end = tokio::time::timeout(within, watched.message()).await.unwrap().unwrap();
    assert!(end.is_none(), "{end:?}");
    tokio::time::timeout(within, house.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn watcher_hears_that_the_server_stops() {
    let house = House::start().await;
    let mut watched = house.health().await.watch(about(AUTHORIZATION)).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), Serving);
    house.stop.send(true).unwrap();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), NotServing);
    assert!(watched.message().await.unwrap().is_none());
}

#[tokio::test]
async fn most_watchers_are_told_and_one_more_is_not_until_another_has_gone() {
    let house = House::start().await;
    let mut health = house.health().await;
    let mut watching = Vec::new();
    for _ in 0..WATCHERS_MAX {
        watching.push(health.watch(about("")).await.unwrap());
    }
    let refused = health.watch(about("")).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    drop(watching);
    let again = async {
        while health.watch(about("")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("no place was given back");
}

#[tokio::test]
async fn name_of_a_service_is_bounded() {
    let house = House::start().await;
    assert_eq!(status(&house, &"s".repeat(1_000)).await, Err(Code::NotFound));
    assert_eq!(status(&house, &"s".repeat(2_000)).await, Err(Code::OutOfRange));
}
