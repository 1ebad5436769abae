//! Power that is taken back while a request is on its way: it was let in, its body is there, and it
//! has come as far as the store, where it waits behind others. What is written there first counts.

use crate::callers::Answer;
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;

/// A request of the admin API.
type Request = (Method, String, Value);

/// Each way in which an operator can lose what it was let in for, while its token is in force.
fn narrowings(name: &str, id: &str) -> [Request; 3] {
    let (token, owner) = (format!("/v1/tokens/{id}"), format!("/v1/operators/operator_{name}"));
    [
        (Method::PATCH, token.clone(), json!({ "scopes": ["issue", "read"] })),
        (Method::PATCH, token, json!({ "allowed_networks": ["192.0.2.0/24"] })),
        (Method::PATCH, owner, json!({ "allowed_networks": ["192.0.2.0/24"] })),
    ]
}

/// One for each way to what is written, with the call of the store that writes it.
fn requests(id: &str, user: &str) -> [(&'static str, Request); 6] {
    let post = |path: &str, body| (Method::POST, path.to_owned(), body);
    let new_user = json!({ "email": "eve@example.com", "password": "a good long password" });
    let item = json!({ "owner_id": user, "kind": "bearer", "token": "x".repeat(20) });
    let suspension = format!("/v1/users/{user}/suspend");
    [
        ("create_owner", post("/v1/partners", json!({ "subject": "did:1" }))),
        ("create_owner", post("/v1/users", new_user)),
        ("update_owner", post(&suspension, json!({}))),
        ("issue", post("/v1/tokens", json!({ "owner_id": user, "kind": "bearer" }))),
        ("issue", post("/v1/tokens/import", json!({ "tokens": [item] }))),
        ("rotate", post(&format!("/v1/tokens/{id}/rotate"), json!({}))),
    ]
}

impl Server {
    /// What `request` is answered if it had come as far as this call of the store when `change` was
    /// answered.
    async fn overtaken(
        &self,
        call: &'static str,
        request: impl Future<Output = Answer>,
        change: Request,
    ) -> Answer {
        let mut held = self.queries.hold(call);
        let mut request = pin!(request);
        tokio::select! {
            answer = &mut request => panic!("never came to {call}: {answer:?}"),
            () = held.arrived() => {}
        }
        let (method, path, body) = change;
        self.admin(method, &path, body).await.expect(200);
        drop(held);
        request.await
    }
}

#[tokio::test]
async fn operator_that_is_narrowed_on_the_way_to_the_store_changes_nothing() {
    let server = Server::start().await;
    let user = server.user_in("tenant_1", "ada@example.com").await;
    for (way, number) in (0..3).flat_map(|way| (0..6).map(move |number| (way, number))) {
        let name = format!("worker-{way}-{number}");
        let token = server.operator(&name, &["admin", "issue", "read"]).await;
        let id = server.id_of_operator(&name).await;
        let (call, (method, path, body)) = requests(&id, &user)[number].clone();
        let narrowing = narrowings(&name, &id)[way].clone();
        let context = format!("{method} {path} overtaken by {narrowing:?}");
        let before = server.changes().await;
        let request = server.admin_as(&token, method, &path, body);
        let answer = server.overtaken(call, request, narrowing).await;
        assert_eq!(answer.status, 401, "{context}: {}", answer.json);
        assert_eq!(answer.json["type"], "urn:rescind:problem:unauthorized", "{context}");
        assert_eq!(server.changes().await, before + 1, "{context}: the narrowing, and no more");
    }
}

#[tokio::test]
async fn change_that_takes_nothing_from_the_operator_does_not_stop_its_request() {
    let server = Server::start().await;
    let token = server.operator("worker", &["admin"]).await;
    let id = server.id_of_operator("worker").await;
    let changes = [json!({ "label": "new" }), json!({ "allowed_networks": ["127.0.0.0/8"] })];
    for (number, change) in changes.into_iter().enumerate() {
        let partner = json!({ "subject": format!("did:{number}") });
        let request = server.admin_as(&token, Method::POST, "/v1/partners", partner);
        let change = (Method::PATCH, format!("/v1/tokens/{id}"), change);
        server.overtaken("create_owner", request, change).await.expect(201);
    }
}

#[tokio::test]
async fn signer_that_is_narrowed_on_the_way_to_the_store_revokes_nothing_but_itself() {
    let server = Server::start().await;
    let (signer, other) = (server.derive("did:1").await, server.derive("did:1").await);
    let partner = server.shown(&signer.id).await["owner_id"].as_str().unwrap().to_owned();
    let revoke = |id: &str| {
        let target = format!("/auth/api-tokens/{id}");
        let (server, signer) = (&server, &signer);
        async move { server.signed(signer, Method::DELETE, &target, "").await }
    };
    let (token, owner) = (format!("/v1/tokens/{}", signer.id), format!("/v1/partners/{partner}"));
    let (elsewhere, anywhere) =
        (json!({ "allowed_networks": ["192.0.2.0/24"] }), json!({ "allowed_networks": null }));
    for (path, narrow, widen) in [
        (&token, elsewhere.clone(), anywhere.clone()),
        (&owner, elsewhere.clone(), anywhere.clone()),
        (&owner, json!({ "token_management": false }), json!({ "token_management": true })),
    ] {
        let narrowing = (Method::PATCH, path.clone(), narrow);
        server.overtaken("revoke", revoke(&other.id), narrowing).await.expect(401);
        assert_eq!(server.shown(&other.id).await["state"], "active", "{path}");
        server.admin(Method::PATCH, path, widen).await.expect(200);
    }
    let narrowing = (Method::PATCH, token, elsewhere);
    server.overtaken("revoke", revoke(&signer.id), narrowing).await.expect(200);
    assert_eq!(server.shown(&signer.id).await["state"], "revoked");
}
