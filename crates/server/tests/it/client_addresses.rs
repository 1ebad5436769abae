//! Whose requests they are, behind a proxy that the configuration trusts: for the login limits, and
//! for tokens that may be used from certain networks only.

use crate::callers::{Answer, EMAIL, PASSWORD, Signer};
use crate::server::{Server, Wishes};
use reqwest::{Method, RequestBuilder};
use rescind_core::{Actor, NetworkSet, OwnerId};
use rescind_guard::Clock;
use rescind_store::{OwnerClass, OwnerFilter, OwnerUpdate};
use serde_json::{Value, json};

const INSIDE: &str = "203.0.113.9, 198.51.100.7";
const OUTSIDE: &str = "198.51.100.7, 203.0.113.9";

async fn behind_a_proxy(logins_per_minute: u32) -> Server {
    let trusted_proxies = &["127.0.0.1"];
    Server::start_with(Wishes { logins_per_minute, trusted_proxies, ..Wishes::default() }).await
}

impl Server {
    /// As the proxy tells of it.
    async fn from(&self, list: &str, request: RequestBuilder) -> Answer {
        self.send(request.header("X-Forwarded-For", list)).await
    }

    fn login(&self, email: &str) -> RequestBuilder {
        let body = json!({ "email": email, "password": PASSWORD });
        self.http.post(format!("{}/auth/token", self.base)).json(&body)
    }

    /// From now on, this owner's tokens may be used from 198.51.100.0/24 only.
    async fn bind(&self, owner: OwnerId) {
        let networks = NetworkSet::parse(["198.51.100.0/24"]).unwrap();
        let update = OwnerUpdate { allowed_networks: Some(Some(networks)), ..Default::default() };
        let by = self.services.by(Actor::system("test"));
        self.services.store.update_owner(owner, update, by).await.unwrap();
    }

    async fn bind_only(&self, class: OwnerClass) {
        let filter = OwnerFilter { class, tenant: None, after: None, limit: 1 };
        let owner = self.services.store.owners(&filter).await.unwrap().remove(0);
        self.bind(owner.id).await;
    }

    fn signed_request(&self, signer: &Signer, method: Method, target: &str) -> RequestBuilder {
        let timestamp = self.clock.now().to_rfc3339_millis();
        let signature = signer.sign(&timestamp, &method, target, "");
        let request = self.http.request(method, format!("{}{target}", self.base));
        request
            .header("lmts-api-key", &signer.id)
            .header("lmts-timestamp", timestamp)
            .header("lmts-signature", signature)
    }
}

#[tokio::test]
async fn logins_are_limited_by_the_client_that_the_proxy_names() {
    let server = behind_a_proxy(3).await;
    for (attempt, claimed) in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "junk"].iter().enumerate() {
        let login = server.login(&format!("{attempt}@example.com"));
        let answer = server.from(&format!("{claimed}, 203.0.113.9"), login).await;
        answer.expect(if attempt < 3 { 401 } else { 429 });
    }
    server.from("203.0.113.9, 198.51.100.7", server.login("a@example.com")).await.expect(401);
    // Who is not known is the proxy, and has a limit of its own.
    for attempt in 0..4 {
        let login = server.login(&format!("unknown-{attempt}@example.com"));
        server.from("junk", login).await.expect(if attempt < 3 { 401 } else { 429 });
    }
}

#[tokio::test]
async fn logins_are_limited_by_the_peer_where_no_proxy_is_trusted() {
    let server = Server::start_with(Wishes { logins_per_minute: 3, ..Wishes::default() }).await;
    for attempt in 0..4 {
        let login = server.login(&format!("{attempt}@example.com"));
        let answer = server.from(&format!("198.51.100.{attempt}"), login).await;
        answer.expect(if attempt < 3 { 401 } else { 429 });
    }
}

#[tokio::test]
async fn token_of_a_bound_user_is_revoked_from_inside_its_networks_only() {
    let server = behind_a_proxy(10).await;
    server.create_user().await;
    let token = server.log_in(EMAIL, PASSWORD).await.expect(200).text("access_token");
    server.bind_only(OwnerClass::User).await;
    let revoke =
        || server.http.delete(format!("{}/auth/token", server.base)).header("X-API-Key", &token);
    server.send(revoke()).await.expect(401);
    server.from(OUTSIDE, revoke()).await.expect(401);
    server.from(INSIDE, revoke()).await.expect(200);
}

#[tokio::test]
async fn signed_requests_and_keys_of_a_bound_partner_count_from_inside_its_networks_only() {
    let server = behind_a_proxy(10).await;
    let signer = server.derive("did:x:1").await;
    let key = server.identified(Method::POST, "/auth/api-keys", "did:x:1", Value::Null).await;
    let key = key.expect(201).text("apiKey");
    server.bind_only(OwnerClass::Partner).await;
    let list = || server.signed_request(&signer, Method::GET, "/auth/api-tokens");
    let show =
        || server.http.get(format!("{}/auth/api-keys", server.base)).header("X-API-Key", &key);
    let through = || server.http.get(format!("{}/trading", server.base)).bearer_auth(&key);
    for (from, status) in [(OUTSIDE, 401), ("junk", 401), (INSIDE, 200)] {
        server.from(from, list()).await.expect(status);
        server.from(from, show()).await.expect(status);
        server.from(from, through()).await.expect(status);
    }
}
