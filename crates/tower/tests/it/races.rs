//! Revocation under load: whoever is told that a token is revoked never sees it pass again.

use crate::world::World;
use reqwest::Client;
use rescind_tower::Issued;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const CONNECTIONS: usize = 8;
const TOKENS: usize = 40;
/// Of each token, before it is revoked.
const PASSES: usize = 20;
/// Until that many have passed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
struct Seen {
    passed: AtomicUsize,
    revoked: AtomicBool,
    /// Requests that were sent after the revocation had returned, and passed.
    late: AtomicUsize,
    refused: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_passes_that_is_sent_after_its_tokens_revocation_has_returned() {
    let world = World::open().await;
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| client()).collect();
    let mut signal = 0;
    for _ in 0..TOKENS {
        let issued = Arc::new(world.bearer(&[]).await);
        let seen = Arc::new(Seen::default());
        let asking = clients.iter().cloned().map(|client| {
            tokio::spawn(hammer(client, world.address, Arc::clone(&issued), Arc::clone(&seen)))
        });
        let asking: Vec<_> = asking.collect();
        tokio::time::timeout(PATIENCE, busy(&seen)).await.unwrap();
        world.tokens.revoke(&issued.record.id).await.unwrap();
        seen.revoked.store(true, Ordering::SeqCst);
        for one in asking {
            one.await.unwrap();
        }
        assert_eq!(seen.late.load(Ordering::SeqCst), 0);
        signal += seen.refused.load(Ordering::SeqCst);
    }
    assert!(signal >= TOKENS * CONNECTIONS, "or nobody was there to be late");
}

fn client() -> Client {
    Client::builder().pool_max_idle_per_host(1).build().unwrap()
}

async fn busy(seen: &Seen) {
    while seen.passed.load(Ordering::SeqCst) < PASSES {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// On one connection, which is open before and stays open, until three refusals are seen after the
/// revocation.
async fn hammer(client: Client, address: SocketAddr, issued: Arc<Issued>, seen: Arc<Seen>) {
    let mut refused = 0;
    while refused < 3 {
        let revoked_before = seen.revoked.load(Ordering::SeqCst);
        let request = client.get(format!("http://{address}/")).bearer_auth(issued.secret.expose());
        let status = request.send().await.unwrap().status().as_u16();
        match status {
            200 => {
                seen.passed.fetch_add(1, Ordering::SeqCst);
                seen.late.fetch_add(usize::from(revoked_before), Ordering::SeqCst);
                // A broken revocation must fail the test, not run for ever.
                if revoked_before {
                    return;
                }
            }
            401 => {
                seen.refused.fetch_add(1, Ordering::SeqCst);
                refused += usize::from(revoked_before);
            }
            other => panic!("{other}"),
        }
    }
}
