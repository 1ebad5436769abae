//! Revocations whose callers do not wait until they hold everywhere.

use crate::admin_tokens::NOTHING;
use crate::callers::Answer;
use crate::counted::Others;
use crate::server::Server;
use reqwest::Method;
use rescind_server::service::UNATTENDED_MAX;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// A revocation that must not be answered has not been after this time.
const NOT_WITHIN: Duration = Duration::from_millis(300);

struct Scene {
    server: Server,
    id: String,
    text: String,
}

impl Scene {
    /// One token, and a node besides this that does not answer.
    async fn new() -> Self {
        let server = Server::start().await;
        let owner = server.user_in("tenant_1", "a@x").await;
        let token = server.token_of(&owner, json!({})).await;
        server.queries.others_are(Others::Silent);
        Self { id: token.text("id"), text: token.text("token"), server }
    }

    async fn post_as(&self, by: &str, path: &str, body: Value, prefer: &str) -> Answer {
        let request = self.server.http.post(format!("{}{path}", self.server.admin));
        let request = request.bearer_auth(by).header("Prefer", prefer).json(&body);
        self.server.send(request).await
    }

    async fn revoke(&self, prefer: &str) -> Answer {
        let path = format!("/v1/tokens/{}/revoke", self.id);
        self.post_as(&self.server.admin_token, &path, json!({}), prefer).await
    }

    async fn progress(&self, epoch: &str, prefer: &str) -> Answer {
        let url = format!("{}/v1/revocations/{epoch}", self.server.admin);
        let request = self.server.http.get(url).bearer_auth(&self.server.admin_token);
        self.server.send(request.header("Prefer", prefer)).await
    }
}

fn pending(epoch: u64) -> Value {
    json!({ "epoch": epoch, "settled": false, "acknowledged": null,
            "waited_out": null, "took_ms": null })
}

fn settled(epoch: u64, acknowledged: u32, waited_out: u32, millis: u64) -> Value {
    json!({ "epoch": epoch, "settled": true, "acknowledged": acknowledged,
            "waited_out": waited_out, "took_ms": millis })
}

#[tokio::test]
async fn caller_whose_patience_ends_is_told_what_is_so_and_the_waiting_goes_on() {
    let scene = Scene::new().await;
    let answer = scene.revoke("respond-async").await.expect(202);
    assert_eq!(answer.header("location"), "/v1/revocations/1");
    assert_eq!(answer.header("preference-applied"), "respond-async");
    let told = &answer.json;
    assert_eq!((&told["settled"], &told["epoch"]), (&json!(false), &json!(1)));
    assert_eq!(told["status_url"], "/v1/revocations/1");
    assert_eq!(
        (&told["already_revoked"], &told["token"]["state"]),
        (&json!(false), &json!("revoked"))
    );
    for promise in ["acknowledged", "waited_out", "took_ms"] {
        assert!(told.get(promise).is_none(), "{told}");
    }
    assert_ne!(scene.server.verdict(&scene.text).await, "valid", "here it holds");
    assert_eq!(scene.progress("1", "").await.expect(200).json, pending(1));
    scene.server.clock.advance(Duration::from_secs(3));
    scene.server.queries.others_are(Others::WaitedOut);
    let answer = scene.progress("1", "wait=10").await.expect(200);
    assert_eq!(answer.json, settled(1, 1, 1, 3_000));
    assert_eq!(answer.header("preference-applied"), "wait=10");
    scene.server.clock.advance(Duration::from_secs(3));
    assert_eq!(scene.progress("1", "").await.json, settled(1, 1, 1, 3_000), "it is remembered");
}

#[tokio::test]
async fn patience_is_as_long_as_the_caller_says_and_ends_with_the_settlement() {
    let scene = Scene::new().await;
    let revoking = scene.revoke("wait=20");
    let mut revoking = std::pin::pin!(revoking);
    timeout(NOT_WITHIN, &mut revoking).await.unwrap_err();
    scene.server.queries.others_are(Others::WaitedOut);
    let answer = revoking.await.expect(200);
    assert_eq!((&answer.json["waited_out"], &answer.json["epoch"]), (&json!(1), &json!(1)));
    assert!(answer.json.get("settled").is_none());
    scene.server.queries.others_are(Others::Silent);
    let again = scene.revoke("wait=1").await.expect(202);
    assert_eq!(again.json["already_revoked"], true, "and that is as good as the first answer");
}

#[tokio::test]
async fn set_and_presented_token_are_answered_in_the_same_way() {
    let scene = Scene::new().await;
    let admin = &scene.server.admin_token;
    let body = json!({ "token": scene.text });
    let one = scene.post_as(admin, "/v1/tokens/revoke", body, "respond-async").await.expect(202);
    assert_eq!(one.header("location"), "/v1/revocations/1");
    let set = json!({ "tenant_id": "tenant_1" });
    let set = scene.post_as(admin, "/v1/revocations", set, "wait=0").await.expect(202);
    assert_eq!(set.header("location"), "/v1/revocations/2");
    let expected = json!({
        "level": "tenant", "subject": "tenant_1", "reason": "unspecified",
        "not_before": "2026-03-23T12:00:00.001Z", "epoch": 2, "settled": false,
        "status_url": "/v1/revocations/2",
    });
    assert_eq!(set.json, expected);
}

#[tokio::test]
async fn epoch_that_is_not_known_here_is_settled_anew_and_the_future_is_not_found() {
    let scene = Scene::new().await;
    scene.server.queries.others_are(Others::None);
    scene.revoke("").await.expect(200);
    scene.server.queries.others_are(Others::Silent);
    for epoch in ["0", "1"] {
        let answer = scene.progress(epoch, "").await.expect(200);
        assert_eq!(answer.json["settled"], false, "as if nothing had been heard");
    }
    scene.server.queries.others_are(Others::None);
    assert_eq!(scene.progress("1", "wait=10").await.expect(200).json, settled(1, 1, 0, 0));
    scene.progress("2", "").await.expect(404);
    scene.progress("18446744073709551615", "").await.expect(404);
    for unreadable in ["-1", "+1", "x", "18446744073709551616"] {
        scene.progress(unreadable, "").await.expect(400);
    }
}

/// And the next who asks has it begun anew.
#[tokio::test]
async fn settlement_that_fails_is_an_outage_and_never_settled() {
    let scene = Scene::new().await;
    scene.revoke("respond-async").await.expect(202);
    let asking = async {
        tokio::time::sleep(NOT_WITHIN).await;
        scene.server.queries.others_are(Others::Failed);
    };
    let (answer, ()) = tokio::join!(scene.progress("1", "wait=10"), asking);
    answer.expect(503);
    scene.server.queries.others_are(Others::WaitedOut);
    assert_eq!(scene.progress("1", "wait=10").await.expect(200).json, settled(1, 1, 1, 0));
}

/// The number of a revocation tells of everybody's.
#[tokio::test]
async fn operator_of_a_tenant_waits_and_may_not_ask_by_number() {
    let scene = Scene::new().await;
    let bound = scene.server.operator_of("tenant_1", &["revoke"]).await;
    let path = format!("/v1/tokens/{}/revoke", scene.id);
    let revoking = scene.post_as(&bound, &path, json!({}), "respond-async");
    let mut revoking = std::pin::pin!(revoking);
    timeout(NOT_WITHIN, &mut revoking).await.unwrap_err();
    let refused = scene.server.admin_as(&bound, Method::GET, "/v1/revocations/0", NOTHING).await;
    assert_eq!(refused.expect(403).json["type"], "urn:rescind:problem:not-allowed");
    scene.server.queries.others_are(Others::None);
    assert_eq!(revoking.await.expect(200).json["epoch"], NOTHING);
}

#[tokio::test]
async fn with_too_many_unattended_the_caller_waits_and_a_question_is_not_answered() {
    let scene = Scene::new().await;
    let admin = &scene.server.admin_token;
    for _ in 0..UNATTENDED_MAX {
        let set = json!({ "tenant_id": "tenant_1" });
        scene.post_as(admin, "/v1/revocations", set, "respond-async").await.expect(202);
    }
    scene.progress("0", "").await.expect(503);
    let revoking = scene.revoke("respond-async");
    let mut revoking = std::pin::pin!(revoking);
    timeout(NOT_WITHIN, &mut revoking).await.unwrap_err();
    scene.server.queries.others_are(Others::None);
    revoking.await.expect(200);
    scene.progress("0", "wait=10").await.expect(200);
}
