//! A running gateway on a real listener, with a guard that knows a user and a partner.

use axum::body::Body;
use axum::{Extension, Router};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, Request};
use rescind_core::signature::{Content, Secret, SignedRequest, SigningKey};
use rescind_core::{
    Capabilities, Digest, NetworkSet, Owner, OwnerId, OwnerKind, OwnerState, ScopeSet, TenantId,
    Timestamp, TokenId, TokenKind, TokenRecord, TokenState,
};
use rescind_guard::Guard;
use rescind_guard::clock::{Clock, SystemClock};
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use rescind_node::Verifier;
use rescind_server::access::Gatekeeper;
use rescind_server::config::{self, Route};
use rescind_server::gateway::Gateway;
use rescind_server::http::{Connection, Limits, Listener, Routed, client_address};
use rescind_store::{Change, Follower, Material};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The user's token: may `read`.
pub(crate) const TOKEN: &str = "api_test_Reader0000000000000000000000000";
/// The partner's legacy key: may `read` and `write`, if its owner may.
pub(crate) const API_KEY: &str = "lmts_Writer000000000000000000000000000";
/// An operator's token, for another listener.
pub(crate) const ADMIN: &str = "rescind_admin_Operator0000000000000000";
/// The partner's signing token: may `read`.
pub(crate) const KEY_ID: &str = "tok_signer";
/// The user's too: may `read`, from [`BOUND_TO`] only.
pub(crate) const BOUND: &str = "api_test_Bound00000000000000000000000000";
pub(crate) const BOUND_TO: &str = "198.51.100.0/24";
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// How long a client may pause, and the upstream be silent, in these tests.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) guard: Arc<Guard>,
    _stop: watch::Sender<bool>,
}

pub(crate) fn config(upstream: SocketAddr) -> config::Gateway {
    config::Gateway { upstream: Some(format!("http://{upstream}")), ..config::Gateway::default() }
}

pub(crate) fn route(path: &str, methods: &[&str], scopes: &[&str]) -> Route {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Route { path: path.into(), methods: owned(methods), scopes: owned(scopes), public: false }
}

pub(crate) fn public(path: &str) -> Route {
    Route { public: true, ..route(path, &[], &[]) }
}

impl World {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        Self::with(&config(upstream)).await
    }

    pub(crate) async fn with(config: &config::Gateway) -> Self {
        Self::start(config, guard(), &[]).await
    }

    pub(crate) async fn guarded(config: &config::Gateway, guard: Arc<Guard>) -> Self {
        Self::start(config, guard, &[]).await
    }

    /// Believing the `X-Forwarded-For` of these.
    pub(crate) async fn behind(upstream: SocketAddr, proxies: &[&str]) -> Self {
        Self::start(&config(upstream), guard(), proxies).await
    }

    async fn start(config: &config::Gateway, guard: Arc<Guard>, proxies: &[&str]) -> Self {
        let credentials = credentials();
        let keeper = Arc::new(Verifier::alone(Arc::clone(&guard)));
        let keeper = Gatekeeper::new(keeper, credentials, config.signed_body_bytes_max);
        let gateway = Arc::new(Gateway::new(config, Arc::new(keeper)).unwrap());
        let (stop, stopped) = watch::channel(false);
        let limits = Limits {
            connections_max: 256,
            header_timeout: Duration::from_secs(30),
            body_timeout: SHORT,
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let address = listener.address().unwrap();
        let proxies = NetworkSet::parse(proxies.iter().copied()).unwrap();
        let router = router(Arc::clone(&gateway), proxies);
        tokio::spawn(listener.serve(Routed::with_problems(router), stopped));
        Self { address, gateway, guard, _stop: stop }
    }

    pub(crate) fn revoke_token(&self) {
        let digest = Some(Digest::of(TOKEN.as_bytes()));
        self.guard.apply(Change::Revoked { id: TokenId::parse("tok_reader").unwrap(), digest });
    }

    pub(crate) fn revoke_signer(&self) {
        self.guard.apply(Change::Revoked { id: TokenId::parse(KEY_ID).unwrap(), digest: None });
    }

    /// Where the partner's tokens may be used from.
    pub(crate) fn bind_partner(&self, networks: &[&str]) {
        let mut owner = partner(None);
        let networks = NetworkSet::parse(networks.iter().copied()).unwrap();
        owner.capabilities.allowed_networks = Some(networks);
        self.guard.apply(Change::Owner(owner));
    }

    pub(crate) fn allow_partner(&self, scopes: &[&str]) {
        self.guard.apply(Change::Owner(partner(Some(set(scopes)))));
    }
}

fn router(gateway: Arc<Gateway>, proxies: NetworkSet) -> Router {
    Router::new().fallback(
        async move |Extension(on): Extension<Connection>, request: Request<Body>| {
            let client = client_address(on.peer, request.headers(), &proxies);
            gateway.handle(on, client, request).await
        },
    )
}

pub(crate) fn credentials() -> CredentialHeaders {
    CredentialHeaders {
        api_key: HeaderName::from_static("x-api-key"),
        signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
    }
}

/// One that knows everybody.
pub(crate) fn guard() -> Arc<Guard> {
    let guard = Arc::new(Guard::new(Arc::new(SystemClock), Vec::new()));
    fill(&guard);
    guard.open_for_good();
    guard
}

/// The three headers of a request signed now, each with its line end.
pub(crate) fn signed(method: &str, target: &str, body: &[u8]) -> String {
    signed_at(SystemClock.now(), method, target, body)
}

pub(crate) fn signed_at(at: Timestamp, method: &str, target: &str, body: &[u8]) -> String {
    let timestamp = at.to_rfc3339_millis();
    let signature = key().sign(&timestamp, &SignedRequest::with_body(method, target, body));
    format!(
        "lmts-api-key: {KEY_ID}\r\nlmts-timestamp: {timestamp}\r\nlmts-signature: {signature}\r\n"
    )
}

/// The same over the body's digest, with the header that says so.
pub(crate) fn digest_signed(method: &str, target: &str, body: &[u8]) -> String {
    let timestamp = SystemClock.now().to_rfc3339_millis();
    let digest = STANDARD.encode(Digest::of(body).as_bytes());
    let digest = format!("sha-256=:{digest}:");
    let request = SignedRequest { method, target, content: Content::Unseen };
    let signature = key().sign_digest(&timestamp, &request, &digest);
    format!(
        "lmts-api-key: {KEY_ID}\r\nlmts-timestamp: {timestamp}\r\nlmts-signature: {signature}\r\n\
         lmts-covers: content-digest\r\nContent-Digest: {digest}\r\n"
    )
}

fn key() -> SigningKey {
    Secret::from_bytes(SECRET.to_vec()).key()
}

fn set(names: &[&str]) -> ScopeSet {
    ScopeSet::parse(names.iter().copied()).unwrap()
}

fn fill(guard: &Guard) {
    let user = OwnerKind::User {
        email: "zoë@example.org".into(),
        first_name: "Zoë".into(),
        last_name: "Quist".into(),
    };
    let tenant = Some(TenantId::parse("ten_acme").unwrap());
    guard.apply(Change::Owner(Owner { tenant, ..owner("own_user", user, None) }));
    guard.apply(Change::Owner(partner(None)));
    let operator = OwnerKind::Operator { name: "root".into() };
    guard.apply(Change::Owner(owner("own_operator", operator, None)));
    let digest = |text: &str| Material::Digest(Digest::of(text.as_bytes()));
    let secret = Material::Secret(Secret::from_bytes(SECRET.to_vec()));
    let tokens = [
        ("tok_reader", "own_user", TokenKind::Bearer, &["read"][..], digest(TOKEN)),
        ("tok_writer", "own_partner", TokenKind::ApiKey, &["read", "write"], digest(API_KEY)),
        ("tok_bound", "own_user", TokenKind::Bearer, &["read"], digest(BOUND)),
        ("tok_admin", "own_operator", TokenKind::Admin, &["read"], digest(ADMIN)),
        (KEY_ID, "own_partner", TokenKind::Signing, &["read"], secret),
    ];
    for (id, owner, kind, scopes, material) in tokens {
        let record = TokenRecord {
            id: TokenId::parse(id).unwrap(),
            owner: OwnerId::parse(owner).unwrap(),
            kind,
            label: None,
            scopes: set(scopes),
            issued_at: Timestamp::from_millis(0),
            expires_at: None,
            allowed_networks: (id == "tok_bound").then(|| NetworkSet::parse([BOUND_TO]).unwrap()),
            rotation: None,
            state: TokenState::Active,
        };
        guard.apply(Change::Issued { record, material });
    }
}

fn partner(allowed_scopes: Option<ScopeSet>) -> Owner {
    let (issuer, subject) = ("https://id.example".into(), "partner-7".into());
    let kind = OwnerKind::Partner { profile_id: 7, account: "0xAb".into(), issuer, subject };
    owner("own_partner", kind, allowed_scopes)
}

fn owner(id: &str, kind: OwnerKind, allowed_scopes: Option<ScopeSet>) -> Owner {
    Owner {
        id: OwnerId::parse(id).unwrap(),
        kind,
        tenant: None,
        state: OwnerState::Active,
        not_before: None,
        capabilities: Capabilities {
            token_management: true,
            allowed_scopes,
            allowed_networks: None,
        },
        created_at: Timestamp::from_millis(0),
    }
}
