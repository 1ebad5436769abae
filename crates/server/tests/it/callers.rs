//! Those who call: a user with a password, a partner with an identity, a signer, an operator,
//! nobody.

use crate::server::Server;
use reqwest::{Method, Response, StatusCode};
use rescind_core::signature::{Secret, SignedRequest, SigningKey};
use serde_json::{Value, json};

/// What came back: status, headers and JSON (null for none).
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub json: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        Self { status, headers, json: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.json);
        self
    }

    pub fn text(&self, name: &str) -> String {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.json)).to_owned()
    }
}

/// A partner's derived token.
#[derive(Clone)]
pub struct Signer {
    pub id: String,
    secret: Vec<u8>,
}

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery staple";

impl Server {
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// As the operator with every scope.
    pub async fn admin(&self, method: Method, path: &str, body: Value) -> Answer {
        self.admin_as(&self.admin_token, method, path, body).await
    }

    pub async fn admin_as(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.admin)).bearer_auth(token);
        self.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub async fn create_user(&self) -> Answer {
        let user = json!({ "email": EMAIL, "password": PASSWORD, "first_name": "Ada", "tenant_id": "tenant_1" });
        self.admin(Method::POST, "/v1/users", user).await
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.send(self.http.post(format!("{}/auth/token", self.base)).json(&body)).await
    }

    /// A user's token, the user being made first.
    pub async fn user_token(&self) -> String {
        self.create_user().await;
        self.log_in(EMAIL, PASSWORD).await.expect(200).text("access_token")
    }

    pub async fn with_key(&self, method: Method, path: &str, key: &str) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.send(request.header("X-API-Key", key)).await
    }

    pub fn identity(&self, subject: &str) -> String {
        use rescind_guard::Clock;
        self.issuer.sign(subject, self.clock.now(), json!({}))
    }

    pub async fn identified(
        &self,
        method: Method,
        path: &str,
        subject: &str,
        body: Value,
    ) -> Answer {
        self.with_identity(method, path, &self.identity(subject), body).await
    }

    pub async fn with_identity(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Answer {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header("identity", format!("Bearer {token}"));
        self.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub async fn derive(&self, subject: &str) -> Signer {
        let answer =
            self.identified(Method::POST, "/auth/api-tokens/derive", subject, json!({})).await;
        Signer::of(&answer.expect(201))
    }

    pub async fn signed(
        &self,
        signer: &Signer,
        method: Method,
        target: &str,
        body: &str,
    ) -> Answer {
        use rescind_guard::Clock;
        let timestamp = self.clock.now().to_rfc3339_millis();
        self.signed_at(signer, &timestamp, method, target, body).await
    }

    pub async fn signed_at(
        &self,
        signer: &Signer,
        timestamp: &str,
        method: Method,
        target: &str,
        body: &str,
    ) -> Answer {
        let signature = signer.sign(timestamp, &method, target, body);
        let request = self.http.request(method, format!("{}{target}", self.base));
        let request = request
            .header("lmts-api-key", &signer.id)
            .header("lmts-timestamp", timestamp)
            .header("lmts-signature", signature);
        self.send(request.body(body.to_owned())).await
    }
}

impl Signer {
    pub fn of(derived: &Answer) -> Self {
        use base64::{Engine, engine::general_purpose::STANDARD};
        Self {
            id: derived.text("tokenId"),
            secret: STANDARD.decode(derived.text("secret")).unwrap(),
        }
    }

    pub fn with(id: &str, secret: Vec<u8>) -> Self {
        Self { id: id.into(), secret }
    }

    pub fn sign(&self, timestamp: &str, method: &Method, target: &str, body: &str) -> String {
        let request = SignedRequest::with_body(method.as_str(), target, body.as_bytes());
        self.key().sign(timestamp, &request)
    }

    pub fn key(&self) -> SigningKey {
        Secret::from_bytes(self.secret.clone()).key()
    }
}
