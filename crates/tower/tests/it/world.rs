//! A service with tokens of its own, listening on loopback. What its handler was told, it answers.

use axum::extract::Request;
use axum::routing::any;
use axum::{Json, Router};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rescind_guard::clock::{Clock, SystemClock};
use rescind_tower::{
    Authenticated, Builder, Embedded, Issued, KeyRing, NewToken, Owner, ScopeSet, VerifyLayer,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub struct World {
    pub tokens: Embedded,
    pub address: SocketAddr,
    pub ada: Owner,
    directory: TempDir,
}

impl World {
    /// Everything behind a layer that asks for no scope.
    pub async fn open() -> Self {
        Self::with(|layer| layer).await
    }

    pub async fn with(layer: impl FnOnce(VerifyLayer) -> VerifyLayer) -> Self {
        Self::serving(|builder| builder, |tokens| echo().layer(layer(tokens.layer()))).await
    }

    pub async fn serving(
        settings: impl FnOnce(Builder) -> Builder,
        router: impl FnOnce(&Embedded) -> Router,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyRing::generate_text(&mut rand::rng());
        let keys = KeyRing::parse([key.as_str()]).unwrap();
        let builder = Embedded::builder(file(&directory)).sealing_keys(keys);
        let tokens = settings(builder).open().await.unwrap();
        let address = listen(router(&tokens)).await;
        let ada = tokens.owner_named("ada").await.unwrap();
        Self { tokens, address, ada, directory }
    }

    pub fn file(&self) -> PathBuf {
        file(&self.directory)
    }

    pub async fn bearer(&self, names: &[&str]) -> Issued {
        self.tokens.issue(NewToken::bearer(&self.ada.id).scopes(scopes(names))).await.unwrap()
    }

    pub async fn signer(&self) -> Signer {
        Signer(self.tokens.issue(NewToken::signing(&self.ada.id)).await.unwrap())
    }
}

fn file(directory: &TempDir) -> PathBuf {
    directory.path().join("tokens.db")
}

pub async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

pub fn scopes(names: &[&str]) -> ScopeSet {
    ScopeSet::parse(names.iter().copied()).unwrap()
}

pub fn authorization(issued: &Issued) -> String {
    format!("Authorization: Bearer {}\r\n", issued.secret.expose())
}

pub fn echo() -> Router {
    Router::new().fallback(any(tell))
}

/// What a handler sees.
async fn tell(caller: Authenticated, request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let names: Vec<_> = parts.headers.keys().map(ToString::to_string).collect();
    Json(json!({
        "owner": caller.owner_id().as_str(),
        "name": caller.owner_name(),
        "token": caller.token_id().as_str(),
        "kind": caller.kind().as_str(),
        "scopes": caller.scopes().collect::<Vec<_>>(),
        "tenant": caller.tenant().map(ToString::to_string),
        "proof": caller.body().as_str(),
        "path": parts.uri.path(),
        "body": String::from_utf8_lossy(&body),
        "headers": names,
        "debug": format!("{:?} {caller:?}", parts.headers),
    }))
}

/// A client that signs, written from the documents.
pub struct Signer(pub Issued);

impl Signer {
    pub fn sign(&self, method: &str, target: &str, body: &str) -> String {
        let timestamp = SystemClock.now().to_rfc3339_millis();
        let message = format!("{timestamp}\n{method}\n{target}\n{body}");
        self.headers(&timestamp, &message)
    }

    /// The form that covers a digest.
    pub fn sign_digest(&self, method: &str, target: &str, body: &str) -> String {
        let timestamp = SystemClock.now().to_rfc3339_millis();
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(body)));
        let message = format!("content-digest\n{timestamp}\n{method}\n{target}\n{digest}");
        let headers = self.headers(&timestamp, &message);
        format!("{headers}rescind-covers: content-digest\r\nContent-Digest: {digest}\r\n")
    }

    fn headers(&self, timestamp: &str, message: &str) -> String {
        let secret = STANDARD.decode(self.0.secret.expose()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(message.as_bytes());
        let mac = STANDARD.encode(mac.finalize().into_bytes());
        let id = &self.0.record.id;
        format!(
            "rescind-api-key: {id}\r\nrescind-timestamp: {timestamp}\r\nrescind-signature: {mac}\r\n"
        )
    }
}
