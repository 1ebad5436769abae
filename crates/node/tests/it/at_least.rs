//! Waiting for an epoch.

use crate::house::House;
use rescind_guard::{Guard, Refusal};
use rescind_node::{EPOCH_PATIENCE, EPOCH_WAITS_MAX, Verifier};
use rescind_store::Follower;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

fn node() -> (Arc<Guard>, Arc<Verifier>) {
    let guard = Arc::clone(&House::open().guard);
    guard.reached(7);
    (Arc::clone(&guard), Arc::new(Verifier::alone(guard)))
}

#[tokio::test(start_paused = true)]
async fn epoch_that_is_there_is_not_waited_for() {
    let (_, verifier) = node();
    let begun = Instant::now();
    for epoch in [0, 6, 7] {
        assert_eq!(verifier.reached(epoch).await, Ok(()));
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn epoch_that_comes_in_time_ends_the_wait_and_one_before_it_does_not() {
    let (guard, verifier) = node();
    let waiting = tokio::spawn(async move { verifier.reached(9).await });
    tokio::time::sleep(EPOCH_PATIENCE / 4).await;
    guard.reached(8);
    tokio::time::sleep(EPOCH_PATIENCE / 4).await;
    assert!(!waiting.is_finished());
    guard.reached(9);
    tokio::time::sleep(EPOCH_PATIENCE / 4).await;
    assert!(waiting.is_finished());
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn epoch_that_does_not_come_is_given_up_in_time() {
    let (_, verifier) = node();
    for epoch in [8, u64::MAX] {
        let begun = Instant::now();
        assert_eq!(verifier.reached(epoch).await, Err(Refusal::Sealed));
        assert_eq!(begun.elapsed(), EPOCH_PATIENCE);
    }
}

#[tokio::test(start_paused = true)]
async fn one_wait_too_many_is_refused_at_once_until_another_is_over() {
    let (_, verifier) = node();
    let mut waiting = JoinSet::new();
    for _ in 0..EPOCH_WAITS_MAX {
        let verifier = Arc::clone(&verifier);
        waiting.spawn(async move { verifier.reached(8).await });
    }
    tokio::time::sleep(EPOCH_PATIENCE / 4).await;
    let begun = Instant::now();
    assert_eq!(verifier.reached(8).await, Err(Refusal::Sealed));
    assert_eq!(verifier.reached(7).await, Ok(()), "what is there needs no place");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    waiting.join_all().await;
    assert_eq!(verifier.reached(8).await, Err(Refusal::Sealed));
    assert_eq!(begun.elapsed(), EPOCH_PATIENCE * 7 / 4, "it had a place of its own");
}
