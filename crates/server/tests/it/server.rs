//! A whole server in this process: the real store, listeners, gateway and contracts, on free ports;
//! only the clock is ours.

use crate::counted::Counted;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use http::HeaderName;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rescind_coherence::BootInstant;
use rescind_core::{
    Actor, NetworkSet, OwnerId, OwnerKind, Plain, ScopeSet, TenantId, Timestamp, TokenId,
    TokenKind, TokenPrefix,
};
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use rescind_guard::{Clock, Guard};
use rescind_node::Verifier;
use rescind_server::access::Gatekeeper;
use rescind_server::admin::{self, Admin, StorePlace, caller::ADMIN_SCOPES};
use rescind_server::config::{self, Route};
use rescind_server::contracts::Contracts;
use rescind_server::forward_auth::ForwardAuth;
use rescind_server::gateway::Gateway;
use rescind_server::http::{Limits, Listener, Routed, Site};
use rescind_server::inside;
use rescind_server::public::{self, Served};
use rescind_server::service::identity::Identity;
use rescind_server::service::{
    LoginLimits, Passwords, Probe, RevocationTimes, Services, Settings, Unattended,
};
use rescind_store::sqlite::{Options, SqliteStore};
use rescind_store::{
    AuditFilter, AuditRow, Change, Epoch, Follower, KeyRing, Material, NewOwner, NewToken, Store,
};
use serde_json::{Value, json};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

pub const ISSUER: &str = "https://issuer.test";
pub const AUDIENCE: &str = "rescind-test";
const KEY_ID: &str = "k1";

/// Noon on a day in 2026, in milliseconds; moved by tests.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn boottime(&self) -> BootInstant {
        BootInstant::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

pub struct Server {
    pub base: String,
    pub verify: String,
    pub admin: String,
    pub admin_token: String,
    pub clock: Arc<TestClock>,
    pub services: Arc<Services>,
    /// The store within `services`.
    pub queries: Arc<Counted>,
    pub http: reqwest::Client,
    pub issuer: TestIssuer,
    /// True: it was told to stop, and still serves.
    pub stopping: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    _data: tempfile::TempDir,
}

pub struct TestIssuer {
    key: EncodingKey,
}

/// What a test may want otherwise.
pub struct Wishes {
    pub logins_per_minute: u32,
    pub legacy_api_keys: bool,
    pub jwks_url: Option<String>,
    pub trusted_proxies: &'static [&'static str],
    pub allow_min_epoch: bool,
    /// The guard never hears of revocations.
    pub deaf: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            logins_per_minute: 10_000,
            legacy_api_keys: true,
            jwks_url: None,
            trusted_proxies: &[],
            allow_min_epoch: false,
            deaf: false,
        }
    }
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(Wishes::default()).await
    }

    pub async fn start_with(wishes: Wishes) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_774_267_200_000)));
        let issuer = TestIssuer::new();
        let (stopping, told_to_stop) = watch::channel(false);
        let (services, queries) = services(data.path(), &clock, &issuer, (&wishes, told_to_stop));
        let admin_token =
            operator(&services, "all", None, ScopeSet::parse(ADMIN_SCOPES).unwrap()).await;
        let credentials = CredentialHeaders {
            api_key: HeaderName::from_static("x-api-key"),
            signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
        };
        let gateway = config::Gateway {
            upstream: Some(upstream().await),
            routes: routes(),
            ..Default::default()
        };
        let verifier = Arc::clone(&services.verifier);
        let gatekeeper =
            Arc::new(Gatekeeper::new(verifier, credentials.clone(), gateway.signed_body_bytes_max));
        let gateway = Gateway::new(&gateway, Arc::clone(&gatekeeper)).unwrap();
        let contracts = Arc::new(Contracts {
            services: Arc::clone(&services),
            credentials,
            legacy_api_keys: wishes.legacy_api_keys,
        });
        let served = Served { wizcommerce: true, limitless: true };
        let trusted_proxies = NetworkSet::parse(wishes.trusted_proxies.iter().copied()).unwrap();
        let clients = public::site(served, contracts, Arc::new(gateway), trusted_proxies);
        let operators = Arc::new(Admin {
            services: Arc::clone(&services),
            gatekeeper: Arc::clone(&gatekeeper),
            store: StorePlace { kind: "sqlite", path: data.path().display().to_string() },
            started_at: services.now(),
        });
        let forward_auth = ForwardAuth {
            gatekeeper: Arc::clone(&gatekeeper),
            trusted_peers: NetworkSet::parse(["127.0.0.1"]).unwrap(),
            allow_preflight: false,
            allow_min_epoch: wishes.allow_min_epoch,
        };
        let inside = inside::site(Arc::clone(&services), gatekeeper, forward_auth);
        let (stop, stopped) = watch::channel(false);
        Self {
            base: listen(clients, &stopped).await,
            verify: listen(inside, &stopped).await,
            admin: listen(Routed::with_problems(admin::router(operators)), &stopped).await,
            admin_token,
            clock,
            services,
            queries,
            http: reqwest::Client::new(),
            issuer,
            stopping,
            stop,
            _data: data,
        }
    }

    pub async fn operator(&self, name: &str, scopes: &[&str]) -> String {
        let scopes = ScopeSet::parse(scopes.iter().copied()).unwrap();
        operator(&self.services, name, None, scopes).await
    }

    /// One who sees this tenant and no other.
    pub async fn operator_of(&self, tenant: &str, scopes: &[&str]) -> String {
        let scopes = ScopeSet::parse(scopes.iter().copied()).unwrap();
        operator(&self.services, tenant, Some(TenantId::parse(tenant).unwrap()), scopes).await
    }

    /// One audit row for each change that there ever was.
    pub async fn changes(&self) -> usize {
        self.audit().await.len()
    }

    pub async fn audit(&self) -> Vec<AuditRow> {
        let filter = AuditFilter { limit: 100_000, ..AuditFilter::default() };
        self.services.store.audit(&filter).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

impl TestIssuer {
    pub fn new() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        Self { key: EncodingKey::from_ec_der(document.unwrap().as_ref()) }
    }

    pub fn jwks(&self) -> String {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(KEY_ID.into());
        json!({ "keys": [jwk] }).to_string()
    }

    /// Claims as given over those of a good token for an hour.
    pub fn sign(&self, subject: &str, now: Timestamp, over: Value) -> String {
        let seconds = now.as_millis() / 1_000;
        let mut claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": seconds, "exp": seconds + 3_600 });
        for (name, value) in over.as_object().unwrap() {
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value.clone();
            }
        }
        self.sign_claims(&claims, KEY_ID)
    }

    /// With a header that must be understood, and by us is not.
    pub fn sign_critical(&self, claims: &Value) -> String {
        let crit = Some(vec!["b64".into()]);
        let header = Header { kid: Some(KEY_ID.into()), crit, ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    pub fn sign_claims(&self, claims: &Value, kid: &str) -> String {
        let header = Header { kid: Some(kid.into()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn services(
    data: &Path,
    clock: &Arc<TestClock>,
    issuer: &TestIssuer,
    (wishes, stopping): (&Wishes, watch::Receiver<bool>),
) -> (Arc<Services>, Arc<Counted>) {
    let jwks = data.join("jwks.json");
    std::fs::write(&jwks, issuer.jwks()).unwrap();
    let identity = config::Identity {
        issuers: vec![config::Issuer {
            issuer: ISSUER.into(),
            audience: AUDIENCE.into(),
            jwks_file: wishes.jwks_url.is_none().then_some(jwks),
            jwks_url: wishes.jwks_url.clone(),
            create_partners: true,
            refresh: Duration::from_mins(10),
        }],
    };
    let prefix = |text| TokenPrefix::parse(text).unwrap();
    let trading = ScopeSet::parse(["trading"]).unwrap();
    let settings = Settings {
        bearer_prefix: prefix("api_prod_"),
        api_key_prefix: prefix("lmts_"),
        admin_prefix: prefix("rescind_admin_"),
        user_token_lifetime: Duration::from_hours(365 * 24),
        user_token_scopes: ScopeSet::default(),
        partner_scopes: trading.clone(),
        default_scopes: trading,
        known_scopes: ScopeSet::parse([
            "trading",
            "account_creation",
            "delegated_signing",
            "withdrawal",
        ])
        .unwrap(),
    };
    let as_clock = Arc::clone(clock) as Arc<dyn Clock>;
    let guard = Arc::new(Guard::new(Arc::clone(&as_clock), vec![settings.bearer_prefix.clone()]));
    let key_ring = KeyRing::parse([KeyRing::generate_text(&mut rand::rng()).as_str()]).unwrap();
    let follower = match wishes.deaf {
        true => Arc::new(Deaf(Arc::clone(&guard))) as Arc<dyn Follower>,
        false => Arc::clone(&guard) as Arc<dyn Follower>,
    };
    let store =
        SqliteStore::open(Options { path: data.join("rescind.db"), key_ring, follower }).unwrap();
    guard.open_for_good();
    let logins = NonZeroU32::new(wishes.logins_per_minute).unwrap();
    let queries = Arc::new(Counted::new(Arc::new(store)));
    let services = Services {
        store: Arc::clone(&queries) as Arc<dyn Store>,
        verifier: Arc::new(Verifier::alone(Arc::clone(&guard))),
        guard,
        cluster: None,
        identity: Identity::new(&identity, as_clock).unwrap(),
        passwords: Passwords::new(2, 4).unwrap(),
        login_limits: LoginLimits::per_minute(logins, logins),
        settings,
        revocation_times: RevocationTimes::default(),
        unattended: Unattended::default(),
        probe: Probe::every(Duration::from_hours(1)),
        stopping,
    };
    (Arc::new(services), queries)
}

/// What a broken node would be.
struct Deaf(Arc<Guard>);

impl Follower for Deaf {
    fn apply(&self, change: Change) {
        if !matches!(change, Change::Revoked { .. }) {
            self.0.apply(change);
        }
    }

    fn reached(&self, epoch: Epoch) {
        self.0.reached(epoch);
    }

    fn clear(&self) {
        self.0.clear();
    }

    fn seal(&self) {
        self.0.seal();
    }
}

async fn operator(
    services: &Services,
    name: &str,
    tenant: Option<TenantId>,
    scopes: ScopeSet,
) -> String {
    let by = || services.by(Actor::system("test"));
    let id = OwnerId::parse(&format!("operator_{name}")).unwrap();
    let kind = OwnerKind::Operator { name: name.into() };
    let new = NewOwner {
        id: id.clone(),
        kind,
        tenant,
        password_hash: None,
        token_management: false,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    };
    services.store.create_owner(new, by()).await.unwrap();
    let plain = Plain::random(services.prefix(TokenKind::Admin), &mut rand::rng());
    let token = NewToken {
        id: TokenId::random("admin_", &mut rand::rng()),
        owner: id,
        kind: TokenKind::Admin,
        label: None,
        scopes,
        expires_at: None,
        allowed_networks: None,
        material: Material::Digest(plain.digest()),
        issued_at: None,
        idempotency: None,
    };
    services.store.issue(token, by()).await.unwrap();
    plain.expose().to_owned()
}

fn routes() -> Vec<Route> {
    vec![
        Route { path: "/public".into(), public: true, ..Route::default() },
        Route { path: "/trading".into(), scopes: vec!["trading".into()], ..Route::default() },
        Route { path: "/withdrawal".into(), scopes: vec!["withdrawal".into()], ..Route::default() },
    ]
}

/// An API that answers 200 with the identity headers that reached it.
async fn upstream() -> String {
    let answer = |headers: http::HeaderMap| async move {
        let identity: serde_json::Map<String, Value> = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-rescind-"))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect();
        axum::Json(Value::Object(identity))
    };
    let (stop, stopped) = watch::channel(false);
    // Goes on until the test's runtime ends.
    std::mem::forget(stop);
    listen(Routed::with_problems(axum::Router::new().fallback(answer)), &stopped).await
}

pub async fn listen(site: impl Site, stopped: &watch::Receiver<bool>) -> String {
    let second = Duration::from_secs(1);
    let limits =
        Limits { connections_max: 1_000, header_timeout: second * 30, body_timeout: second };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let url = format!("http://{}", listener.address().unwrap());
    tokio::spawn(listener.serve(site, stopped.clone()));
    url
}
