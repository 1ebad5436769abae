//! A verifier on a real listener, and questions as each proxy puts them.

use crate::gateway::wire::{Answer, ask};
use crate::gateway::world::{SHORT, TOKEN, credentials, guard};
use axum::body::Body;
use axum::response::Response;
use http::Request;
use rescind_core::{Digest, NetworkSet, TokenId};
use rescind_guard::Guard;
use rescind_server::access::Gatekeeper;
use rescind_server::forward_auth::{self, ForwardAuth};
use rescind_server::http::fast_path::{Answer as HeadAnswer, Listed};
use rescind_server::http::{Connection, Head, HeadFault, Limits, Listener, Routed, Site};
use rescind_store::{Change, Follower};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(super) const PROFILES: [&str; 5] = ["nginx", "caddy", "traefik", "haproxy", "envoy"];

/// Longest signed body here.
pub(super) const BODY_BYTES_MAX: u64 = 1_024;

pub(super) struct Verifier {
    pub(super) address: SocketAddr,
    guard: Arc<Guard>,
    _stop: watch::Sender<bool>,
}

/// What a test may want otherwise.
pub(super) struct Wishes {
    pub(super) trusted_peers: &'static [&'static str],
    pub(super) allow_preflight: bool,
    pub(super) body_timeout: Duration,
    pub(super) guard: Arc<Guard>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            trusted_peers: &["127.0.0.1", "192.0.2.0/24"],
            allow_preflight: false,
            body_timeout: SHORT,
            guard: guard(),
        }
    }
}

impl Verifier {
    pub(super) async fn start() -> Self {
        Self::with(Wishes::default()).await
    }

    pub(super) async fn with(wishes: Wishes) -> Self {
        let guard = Arc::clone(&wishes.guard);
        let asked = Arc::new(rescind_node::Verifier::alone(wishes.guard));
        let gatekeeper = Gatekeeper::new(asked, credentials(), BODY_BYTES_MAX);
        let forward_auth = Arc::new(ForwardAuth {
            gatekeeper: Arc::new(gatekeeper),
            trusted_peers: NetworkSet::parse(wishes.trusted_peers.iter().copied()).unwrap(),
            allow_preflight: wishes.allow_preflight,
            allow_min_epoch: false,
        });
        let routed = Routed::with_problems(forward_auth::router(Arc::clone(&forward_auth)));
        let limits = Limits {
            connections_max: 64,
            header_timeout: Duration::from_secs(30),
            body_timeout: wishes.body_timeout,
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let address = listener.address().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(listener.serve(PastHyper { forward_auth, routed }, stopped));
        Self { address, guard, _stop: stop }
    }

    pub(super) async fn ask(&self, question: &Question<'_>) -> Answer {
        ask(self.address, question.text()).await
    }

    pub(super) fn revoke_token(&self) {
        let digest = Some(Digest::of(TOKEN.as_bytes()));
        self.guard.apply(Change::Revoked { id: TokenId::parse("tok_reader").unwrap(), digest });
    }
}

/// As in the product: past hyper where that is possible.
struct PastHyper {
    forward_auth: Arc<ForwardAuth>,
    routed: Routed,
}

impl Site for PastHyper {
    const ANSWERS_HEADS: bool = true;

    async fn answer_head(
        &self,
        on: Connection,
        head: &Head<'_, Listed<'_>>,
        answer: &mut HeadAnswer,
    ) -> bool {
        self.forward_auth.answer_head(on, head, answer).await
    }

    async fn answer(&self, on: Connection, request: Request<Body>) -> Response {
        self.routed.answer(on, request).await
    }

    fn refuse_head(&self, path: &str, fault: HeadFault) -> Response {
        self.routed.refuse_head(path, fault)
    }
}

/// Whether `client` may send `method target`, with these headers of its own.
#[derive(Clone)]
pub(super) struct Question<'q> {
    pub(super) profile: &'q str,
    /// As in `/require/{scopes}`.
    pub(super) scopes: Option<&'q str>,
    pub(super) method: &'q str,
    pub(super) target: &'q str,
    pub(super) client: &'q str,
    /// Each with its line end.
    pub(super) headers: String,
    pub(super) body: &'q str,
}

impl<'q> Question<'q> {
    pub(super) fn from(profile: &'q str, headers: impl Into<String>) -> Self {
        let (method, target, client) = ("PUT", "/orders/7?a=1&b=%20", "198.51.100.7");
        let headers = headers.into();
        Self { profile, scopes: None, method, target, client, headers, body: "" }
    }

    pub(super) fn text(&self) -> String {
        let told = told(self.profile, self.method, self.target, self.client);
        self.text_telling(&told)
    }

    /// With these lines in place of the profile's own headers.
    pub(super) fn text_telling(&self, told: &str) -> String {
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let Self { headers, body, .. } = self;
        let line = self.line();
        format!("{line} HTTP/1.1\r\nHost: verifier\r\n{told}{headers}{length}\r\n{body}")
    }

    /// Our own request line; the query is the client's, as Caddy appends it.
    pub(super) fn line(&self) -> String {
        let Self { profile, method, target, .. } = self;
        let required = self.scopes.map(|scopes| format!("/require/{scopes}"));
        match (*profile, required) {
            ("envoy", required) => {
                let policy = required.unwrap_or_else(|| "/any".into());
                format!("{method} /v1/forward-auth/envoy{policy}{target}")
            }
            (profile, required) => {
                let required = required.unwrap_or_default();
                format!("GET /v1/forward-auth/{profile}{required}?a=1&b=%20")
            }
        }
    }
}

/// The lines in which a profile tells of the original request.
pub(super) fn told(profile: &str, method: &str, target: &str, client: &str) -> String {
    match profile {
        "nginx" => format!(
            "X-Original-Method: {method}\r\nX-Original-URI: {target}\r\nX-Real-IP: {client}\r\n"
        ),
        "caddy" | "traefik" => format!(
            "X-Forwarded-Method: {method}\r\nX-Forwarded-Uri: {target}\r\n\
             X-Forwarded-For: {client}\r\n"
        ),
        "haproxy" => format!(
            "X-Rescind-Original-Method: {method}\r\nX-Rescind-Original-Target: {target}\r\n\
             X-Real-IP: {client}\r\n"
        ),
        "envoy" => format!("X-Forwarded-For: {client}\r\n"),
        other => panic!("no profile {other}"),
    }
}

pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

pub(super) fn api_key(token: &str) -> String {
    format!("X-API-Key: {token}\r\n")
}
