//! The composition root: a configuration in, a running server out. The only real clock is chosen
//! here.

use crate::ablation;
use crate::engine::Engine;
use crate::failure::Failure;
use http::HeaderName;
use rescind_core::{
    Actor, NetworkSet, OwnerId, OwnerKind, Plain, ScopeSet, TokenId, TokenKind, TokenPrefix,
};
use rescind_guard::Guard;
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};
use rescind_server::access::Gatekeeper;
use rescind_server::admin::{self, Admin, caller::ADMIN_SCOPES};
use rescind_server::config::{self, Config, SecretPath};
use rescind_server::contracts::Contracts;
use rescind_server::forward_auth::ForwardAuth;
use rescind_server::gateway::Gateway;
use rescind_server::grpc::{self, Grpc};
use rescind_server::http::{Limits, Listener, Routed};
use rescind_server::inside;
use rescind_server::public::{self, Served};
use rescind_server::service::identity::Identity;
use rescind_server::service::{
    LoginLimits, Passwords, Probe, RevocationTimes, Services, Settings, Unattended,
};
use rescind_store::{
    By, IssueError, KeyRing, Material, NewOwner, NewToken, OwnerClass, OwnerFilter,
};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A server that accepts connections.
pub(crate) struct Running {
    pub(crate) public: SocketAddr,
    pub(crate) verify: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) grpc: Option<SocketAddr>,
    pub(crate) services: Arc<Services>,
    gateway: Arc<Gateway>,
    engine: Engine,
    stopping: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    serving: JoinSet<()>,
    /// Ended with the server.
    _background: JoinSet<()>,
}

/// Addresses that are ours. Taken first of all, so that a port in use is said before anything is
/// touched.
pub(crate) struct Listeners {
    public: Listener,
    verify: Listener,
    admin: Listener,
    grpc: Option<Listener>,
}

/// Opens, loads, and serves. `credentials` is where systemd puts secrets.
pub(crate) async fn start(
    listeners: Listeners,
    config: &Config,
    credentials: Option<&Path>,
) -> Result<Running, Failure> {
    allow_many_connections();
    let settings = settings(config)?;
    let rules = ablation::rules()?;
    let clock = ablation::clock(rules);
    let prefixes = vec![
        settings.bearer_prefix.clone(),
        settings.api_key_prefix.clone(),
        settings.admin_prefix.clone(),
    ];
    let guard = Arc::new(Guard::new(Arc::clone(&clock), prefixes).under(rules));
    let key_ring = key_ring(config, credentials)?;
    let engine = Engine::open(config, key_ring, (Arc::clone(&guard), rules), credentials).await?;
    let verifier = Arc::clone(&engine.verifier);
    let (stopping, told_to_stop) = watch::channel(false);
    let services = Arc::new(Services {
        store: Arc::clone(&engine.store),
        cluster: engine.cluster.clone(),
        guard: Arc::clone(&guard),
        verifier: Arc::clone(&verifier),
        identity: Identity::new(&config.identity, clock).map_err(setup("identity.issuers"))?,
        passwords: passwords(&config.login)?,
        login_limits: login_limits(&config.login),
        settings,
        revocation_times: RevocationTimes::default(),
        unattended: Unattended::default(),
        probe: Probe::every(config.cluster.probe),
        stopping: told_to_stop,
    });
    if let Some(file) = &config.admin.bootstrap_token_file {
        bootstrap_admin(&services, file, credentials).await?;
    }
    let credential_headers = credential_headers(config)?;
    let signed_body_bytes_max = config.gateway.signed_body_bytes_max;
    let gatekeeper = Gatekeeper::new(verifier, credential_headers, signed_body_bytes_max);
    let gatekeeper = Arc::new(gatekeeper);
    let gateway = Gateway::new(&config.gateway, Arc::clone(&gatekeeper));
    let gateway = Arc::new(gateway.map_err(setup("gateway"))?);
    listeners.serve(config, services, gateway, engine, (gatekeeper, stopping))
}

impl Running {
    /// Reads routes and identity keys again (SIGHUP), and says whether all keys could be had. A
    /// faulty new configuration changes nothing; an issuer's outage is no reason to keep old
    /// routes.
    pub(crate) async fn reload(&self, config: &Config) -> Result<bool, Failure> {
        self.gateway.reload(&config.gateway).map_err(setup("gateway"))?;
        Ok(self.services.identity.refresh().await)
    }

    /// Returns why, if the server can no longer go on by itself.
    pub(crate) async fn failed(&self) -> String {
        self.engine.failed().await
    }

    /// Says that it will stop, to whoever asks whether it is ready, and goes on serving.
    pub(crate) fn announce_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Stops accepting, lets requests in flight finish, writes everything down.
    pub(crate) async fn stop(mut self) {
        self.announce_stop();
        let _ = self.stop.send(true);
        while self.serving.join_next().await.is_some() {}
        self.engine.close().await;
    }
}

impl Listeners {
    pub(crate) async fn bind(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            public: bind(&config.public.listener(), "public.listen").await?,
            verify: bind(&config.verify.listener(), "verify.listen").await?,
            admin: bind(&config.admin.listener(), "admin.listen").await?,
            grpc: match config.grpc.listener() {
                Some(listener) => Some(bind(&listener, "grpc.listen").await?),
                None => None,
            },
        })
    }

    fn serve(
        self,
        config: &Config,
        services: Arc<Services>,
        gateway: Arc<Gateway>,
        engine: Engine,
        (gatekeeper, stopping): (Arc<Gatekeeper>, watch::Sender<bool>),
    ) -> Result<Running, Failure> {
        let (stop, stopped) = watch::channel(false);
        let address = |listener: &Listener| listener.address().map_err(setup("listen"));
        let (public, verify, admin) =
            (address(&self.public)?, address(&self.verify)?, address(&self.admin)?);
        let grpc = self.grpc.as_ref().map(address).transpose()?;
        let mut serving = JoinSet::new();
        let contracts = Arc::new(Contracts {
            services: Arc::clone(&services),
            credentials: gatekeeper.credentials().clone(),
            legacy_api_keys: config.limitless.legacy_api_keys,
        });
        let served =
            Served { wizcommerce: config.wizcommerce.enabled, limitless: config.limitless.enabled };
        let trusted_proxies = networks(&config.public.trusted_proxies, "public.trusted_proxies")?;
        let clients = public::site(served, contracts, Arc::clone(&gateway), trusted_proxies);
        let operators = Arc::new(Admin {
            services: Arc::clone(&services),
            gatekeeper: Arc::clone(&gatekeeper),
            store: engine.place.clone(),
            started_at: services.now(),
        });
        let forward_auth = ForwardAuth {
            gatekeeper: Arc::clone(&gatekeeper),
            trusted_peers: networks(&config.verify.trusted_peers, "verify.trusted_peers")?,
            allow_preflight: config.verify.allow_preflight,
            allow_min_epoch: config.verify.allow_min_epoch,
        };
        let inside = inside::site(Arc::clone(&services), Arc::clone(&gatekeeper), forward_auth);
        let operators = Routed::with_problems(admin::router(operators));
        serving.spawn(self.public.serve(clients, stopped.clone()));
        serving.spawn(self.verify.serve(inside, stopped.clone()));
        serving.spawn(self.admin.serve(operators, stopped.clone()));
        if let Some(listener) = self.grpc {
            let grpc = Grpc {
                gatekeeper,
                guard: Arc::clone(&services.guard),
                trusted_peers: networks(&config.verify.trusted_peers, "verify.trusted_peers")?,
                allow_preflight: config.verify.allow_preflight,
                allow_min_epoch: config.verify.allow_min_epoch,
                stopping: stopping.subscribe(),
                limits: grpc_limits(config),
            };
            serving.spawn(grpc.serve(listener, stopped.clone()));
        }
        serving.spawn(Arc::clone(&services).keep_probing(stopped.clone()));
        serving.spawn(Arc::clone(&services).flush_uses(stopped));
        let _background = services.identity.keep_fresh();
        Ok(Running {
            public,
            verify,
            admin,
            grpc,
            services,
            gateway,
            engine,
            stopping,
            stop,
            serving,
            _background,
        })
    }
}

/// A connection takes a file descriptor, and the usual soft limit of 1024 is there for programs
/// that use select(2).
fn allow_many_connections() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(?current, %error, "the limit of open files cannot be raised");
    }
}

async fn bind(listener: &config::Listener, key: &str) -> Result<Listener, Failure> {
    let limits = Limits {
        connections_max: listener.connections_max as usize,
        header_timeout: listener.header_timeout,
        body_timeout: listener.body_timeout,
    };
    Listener::bind(listener.listen, limits).await.map_err(|error| {
        let message = format!("cannot listen on {} ({key}): {error}", listener.listen);
        let next = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "stop the program that has this port, or choose another address (port 0 picks a free one)"
            }
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); choose a higher one"
            }
            _ => "choose an address of this machine",
        };
        Failure::unreachable(message).next(next)
    })
}

fn grpc_limits(config: &Config) -> grpc::Limits {
    grpc::Limits {
        header_timeout: config.grpc.header_timeout,
        idle_timeout: config.grpc.idle_timeout,
        body_bytes_max: config.gateway.signed_body_bytes_max.try_into().unwrap_or(usize::MAX),
        messages_bytes_max: grpc::MESSAGES_BYTES_MAX,
    }
}

/// Makes the operator's token of a key file valid. If it was revoked it stays so.
async fn bootstrap_admin(
    services: &Services,
    file: &SecretPath,
    credentials: Option<&Path>,
) -> Result<(), Failure> {
    let unusable = setup("admin.bootstrap_token_file");
    let text = file.read(credentials).map_err(unusable)?;
    let by = || services.by(Actor::system("bootstrap"));
    let prefix = services.prefix(TokenKind::Admin);
    if rescind_core::recognise(&text, [prefix]) != rescind_core::Recognised::Whole {
        let path = file.resolve(credentials).map_err(unusable)?;
        let message = format!(
            "{} (admin.bootstrap_token_file) holds no token of the form {}…",
            path.display(),
            prefix.as_str()
        );
        return Err(Failure::usage(message).next("make one with `rescind keygen admin-token`"));
    }
    let owner = bootstrap_operator(services, by()).await?;
    let scopes = ScopeSet::parse(ADMIN_SCOPES).map_err(setup("admin scopes"))?;
    let token = NewToken {
        id: TokenId::random("admin_", &mut rand::rng()),
        owner,
        kind: TokenKind::Admin,
        label: Some("bootstrap".into()),
        scopes,
        expires_at: None,
        allowed_networks: None,
        material: Material::Digest(Plain::from_text(&text).digest()),
        issued_at: None,
        idempotency: None,
    };
    match services.store.issue(token, by()).await {
        Ok(_) | Err(IssueError::Exists) => Ok(()),
        Err(IssueError::Store(error)) => Err(not_stored(&error)),
        Err(error) => Err(setup("admin.bootstrap_token_file")(error)),
    }
}

async fn bootstrap_operator(services: &Services, by: By) -> Result<OwnerId, Failure> {
    let class = OwnerClass::Operator;
    let first = OwnerFilter { class, tenant: None, after: None, limit: 1 };
    let operators = services.store.owners(&first).await;
    if let Some(operator) = operators.map_err(|error| not_stored(&error))?.into_iter().next() {
        return Ok(operator.id);
    }
    let new = NewOwner {
        id: OwnerId::random("operator_", &mut rand::rng()),
        kind: OwnerKind::Operator { name: "bootstrap".into() },
        tenant: None,
        password_hash: None,
        token_management: false,
        allowed_scopes: None,
        allowed_networks: None,
        idempotency: None,
    };
    let created = services.store.create_owner(new, by).await;
    Ok(created.map_err(|error| not_stored(&error))?.into_inner().id)
}

fn key_ring(config: &Config, credentials: Option<&Path>) -> Result<KeyRing, Failure> {
    let files = &config.sealing.key_files;
    if files.is_empty() {
        return Ok(KeyRing::none());
    }
    let texts: Result<Vec<_>, _> = files.iter().map(|path| path.read(credentials)).collect();
    let texts = texts.map_err(setup("sealing.key_files"))?;
    KeyRing::parse(texts.iter().map(|text| text.as_str())).map_err(setup("sealing.key_files"))
}

fn settings(config: &Config) -> Result<Settings, Failure> {
    let prefix = |text: &str| TokenPrefix::parse(text).map_err(setup("tokens"));
    let scopes = |names: &[String], key| {
        ScopeSet::parse(names.iter().map(String::as_str)).map_err(setup(key))
    };
    Ok(Settings {
        bearer_prefix: prefix(&config.tokens.bearer_prefix)?,
        api_key_prefix: prefix(&config.tokens.api_key_prefix)?,
        admin_prefix: prefix(&config.tokens.admin_prefix)?,
        user_token_lifetime: config.wizcommerce.token_lifetime,
        user_token_scopes: scopes(&config.wizcommerce.scopes, "wizcommerce.scopes")?,
        partner_scopes: scopes(&config.limitless.default_scopes, "limitless.default_scopes")?,
        default_scopes: scopes(&config.limitless.default_scopes, "limitless.default_scopes")?,
        known_scopes: scopes(&config.limitless.scopes, "limitless.scopes")?,
    })
}

fn networks(blocks: &[String], key: &str) -> Result<NetworkSet, Failure> {
    NetworkSet::parse(blocks.iter().map(String::as_str)).map_err(setup(key))
}

fn credential_headers(config: &Config) -> Result<CredentialHeaders, Failure> {
    let prefix = config.limitless.enabled.then_some(config.limitless.header_prefix.as_str());
    let signing = prefix.map(SigningHeaders::with_prefix).transpose();
    let signing = signing.map_err(setup("limitless.header_prefix"))?;
    Ok(CredentialHeaders { api_key: HeaderName::from_static("x-api-key"), signing })
}

fn passwords(login: &config::Login) -> Result<Passwords, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = if login.hashes_at_once == 0 { cores } else { login.hashes_at_once as usize };
    Passwords::new(at_once, login.queue as usize).map_err(setup("login"))
}

fn login_limits(login: &config::Login) -> LoginLimits {
    let rate = |per_minute| NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN);
    LoginLimits::per_minute(rate(login.per_address_per_minute), rate(login.per_email_per_minute))
}

/// The store opened, and then could not do what a start needs.
pub(crate) fn not_stored(error: &dyn std::error::Error) -> Failure {
    Failure::unreachable(chain(error))
        .next("free some space if the disk is full, or see that it is well; then start again")
}

/// An error of starting up, with the key of the configuration that it belongs to.
fn setup<E: std::error::Error>(key: &str) -> impl FnOnce(E) -> Failure + Copy {
    move |error| Failure::unreachable(format!("{key}: {}", chain(&error)))
}

/// The error and what is behind it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.ends_with(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text
}
