//! What is answered past the router is answered as if by it, whatever is asked.

use crate::limits::raw;
use crate::server::{Server, listen};
use http::HeaderName;
use rescind_core::NetworkSet;
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use rescind_server::access::Gatekeeper;
use rescind_server::forward_auth::{self, ForwardAuth};
use rescind_server::http::Routed;
use std::sync::Arc;
use tokio::sync::watch;

pub const TOLD: &str =
    "X-Original-Method: GET\r\nX-Original-URI: /a?b\r\nX-Real-IP: 198.51.100.7\r\n";

#[tokio::test]
async fn forward_auth_answers_the_same_past_the_router_and_through_it() {
    let server = Server::start().await;
    let token = server.user_token().await;
    let (_stop, stopped) = watch::channel(false);
    let routed = listen(Routed::with_problems(forward_auth_of(&server)), &stopped).await;
    let credentials = ["", &format!("X-API-Key: {token}\r\n"), "X-API-Key: nonsense\r\n"];
    for method in ["GET", "HEAD", "POST", "OPTIONS", "PURGE"] {
        for path in ["nginx", "nginx/require/trading", "nginx/require/", "traefik", "apache"] {
            for credential in credentials {
                let request = format!(
                    "{method} /v1/forward-auth/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                     {TOLD}{credential}\r\n"
                );
                let past = lines(&raw(&server.verify, request.as_bytes()).await);
                assert_eq!(past, lines(&raw(&routed, request.as_bytes()).await), "{request}");
                assert!(past.iter().any(|line| line.starts_with("HTTP/1.1 ")), "{past:?}");
            }
        }
    }
}

#[tokio::test]
async fn problem_past_the_router_has_its_link() {
    let server = Server::start().await;
    let request = "POST /v1/verify HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
                   Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let lines = lines(&raw(&server.verify, request.as_bytes()).await);
    let head = [
        "HTTP/1.1 400 Bad Request",
        "cache-control: no-store",
        "connection: close",
        "content-length: 126",
        "content-type: application/problem+json",
        "link: </v1/problems/invalid-request>; rel=\"help\"",
        "x-content-type-options: nosniff",
    ];
    assert_eq!(lines[1..=head.len()], head, "{lines:?}");
}

pub fn forward_auth_of(server: &Server) -> axum::Router {
    forward_auth::router(Arc::new(asked_by_proxies(server).1))
}

/// Answers from what this server knows.
pub fn asked_by_proxies(server: &Server) -> (Arc<Gatekeeper>, ForwardAuth) {
    let credentials = CredentialHeaders {
        api_key: HeaderName::from_static("x-api-key"),
        signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
    };
    let verifier = Arc::clone(&server.services.verifier);
    let gatekeeper = Arc::new(Gatekeeper::new(verifier, credentials, 1_024));
    let forward_auth = ForwardAuth {
        gatekeeper: Arc::clone(&gatekeeper),
        trusted_peers: NetworkSet::parse(["127.0.0.1"]).unwrap(),
        allow_preflight: false,
        allow_min_epoch: false,
    };
    (gatekeeper, forward_auth)
}

/// In order: HTTP gives none to headers, and hyper puts some of its own before or behind ours.
pub fn lines(answer: &str) -> Vec<String> {
    let lines = answer.split("\r\n").filter(|line| !line.starts_with("date: "));
    let mut lines: Vec<_> = lines.map(ToOwned::to_owned).collect();
    lines.sort_unstable();
    lines
}
