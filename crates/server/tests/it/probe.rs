//! The probe of `cluster.probe`.

use crate::server::{Server, Wishes};
use rescind_server::service::Probed;
use rescind_store::OwnerUpdate;

/// Of each run, by its result.
async fn runs(server: &Server) -> [u64; 4] {
    let request = server.http.get(format!("{}/metrics", server.admin));
    let response = request.bearer_auth(&server.admin_token).send().await.unwrap();
    let text = response.text().await.unwrap();
    ["passed", "failed", "refused_early", "accepted_late"].map(|result| {
        let name = format!("rescind_probe_runs_total{{result=\"{result}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("no {name}in {text}")).parse().unwrap()
    })
}

#[tokio::test]
async fn token_is_issued_accepted_revoked_and_refused_each_time() {
    let server = Server::start().await;
    assert_eq!(runs(&server).await, [0; 4]);
    for _ in 0..3 {
        assert_eq!(server.services.probe_once().await, Probed::Passed);
    }
    assert_eq!(runs(&server).await, [3, 0, 0, 0]);
    let actions: Vec<_> = server
        .audit()
        .await
        .into_iter()
        .filter(|row| row.entry.actor.as_str() == "system:probe")
        .map(|row| row.entry.action.as_str().to_owned())
        .collect();
    let run = ["token.issued", "token.revoked"];
    assert_eq!(actions, [&["owner.created"][..], &run, &run, &run].concat());
    let mut worst = server.services.probe.worst.get();
    assert!(worst >= server.services.probe.last.get());
    server.services.probe.worst.set(60.0);
    server.services.probe_once().await;
    worst = server.services.probe.worst.get();
    assert!(worst >= 60.0, "the worst is kept: {worst}");
    assert_eq!(server.services.probe.acknowledged.get(), 1);
}

#[tokio::test]
async fn revoked_token_that_is_accepted_is_found() {
    let server = Server::start_with(Wishes { deaf: true, ..Wishes::default() }).await;
    assert_eq!(server.services.probe_once().await, Probed::AcceptedLate);
    assert_eq!(runs(&server).await, [0, 0, 0, 1]);
}

#[tokio::test]
async fn node_without_a_lease_and_owner_that_is_suspended_are_failures_and_no_more() {
    let server = Server::start().await;
    assert_eq!(server.services.probe_once().await, Probed::Passed);
    server.services.guard.close();
    assert_eq!(server.services.probe_once().await, Probed::Failed);
    server.services.guard.open_for_good();
    let update = OwnerUpdate { suspended: Some(true), ..OwnerUpdate::default() };
    let owner = rescind_core::OwnerId::parse("user_rescind_probe").unwrap();
    server.services.store.update_owner(owner, update, server.by_test()).await.unwrap();
    assert_eq!(server.services.probe_once().await, Probed::Failed);
    assert_eq!(runs(&server).await, [1, 2, 0, 0]);
}
