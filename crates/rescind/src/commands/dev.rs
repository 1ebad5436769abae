//! `rescind dev`: the whole product on this machine, with something to protect and somebody to
//! protect it for.

use crate::cli::{DevArgs, IdentityKind};
use crate::context::Context;
use crate::dev::{self, AUDIENCE, DataDir, ISSUER, Issuer, upstream};
use crate::failure::Failure;
use crate::output::Output;
use crate::server::{self, Listeners, Running, chain, not_stored};
use crate::{logging, shutdown::Signals};
use rescind_core::{Actor, TokenPrefix};
use rescind_guard::Clock;
use rescind_guard::clock::SystemClock;
use rescind_server::config::{self, Config, LogFormat, LogLevel, Route, SecretPath};
use rescind_server::service::{CreatePartner, CreateUser, Services};
use rescind_store::OwnerError;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const EMAIL: &str = "demo@rescind.localhost";
const SUBJECT: &str = "did:rescind:demo";
const ACCOUNT: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

/// So many that nobody who tries things out meets it; one meets the queue of password checks first.
const LOGINS_PER_MINUTE: u32 = 100_000;

/// What the command line calls this server.
const CONTEXT: &str = "dev";

/// How the command line finds this server.
#[derive(Clone, Copy)]
enum Found {
    /// By itself.
    Alone,
    /// By its name. A server that is in use is not pushed aside: commands would go elsewhere than
    /// was meant.
    Named,
    /// By the environment.
    Told,
}

struct Demo {
    running: Running,
    data: DataDir,
    upstream: SocketAddr,
    admin_token: String,
    password: String,
    identity_token: String,
}

pub(crate) async fn run(args: DevArgs, output: Output) -> Result<(), Failure> {
    refuse_to_leave_this_machine(&args)?;
    // Before the first thing that can be told: no signal from here on is lost.
    let mut signals = Signals::listen()?;
    let began = SystemClock.boottime();
    let demo = Demo::start(&args).await?;
    let found = match args.data {
        None if demo.context()?.offer(CONTEXT)? => Found::Alone,
        None => Found::Named,
        Some(_) => Found::Told,
    };
    if output.is_json() {
        output.data(&demo.as_json())?;
    } else {
        let took = SystemClock.boottime().as_millis().saturating_sub(began.as_millis());
        output.data(&demo.welcome(took, found))?;
    }
    let ended = signals.stopped_or(demo.running.failed()).await;
    demo.running.stop().await;
    ended
}

fn refuse_to_leave_this_machine(args: &DevArgs) -> Result<(), Failure> {
    let addresses = [args.listen, args.verify_listen, args.admin_listen, args.grpc_listen];
    let Some(far) = addresses.iter().find(|address| !address.ip().is_loopback()) else {
        return Ok(());
    };
    let message =
        format!("{far} is not a loopback address, and a demo must not leave this machine");
    Err(Failure::usage(message).next("use `rescind serve --config FILE` for other addresses"))
}

impl Demo {
    async fn start(args: &DevArgs) -> Result<Self, Failure> {
        let mut config = listening(args);
        let listeners = Listeners::bind(&config).await?;
        let data = DataDir::prepare(dev::data_directory(args.data.as_deref())?, args.fresh)?;
        let issuer = Issuer::load_or_create(data.path())?;
        let upstream = upstream::start().await.map_err(|error| fault(&error))?;
        let admin_token = complete(&mut config, &data, &issuer, upstream)?;
        logging::start(&config.log);
        let started = server::start(listeners, &config, None).await;
        let running = started.map_err(|failure| failure.or_next(dev::BEGIN_ANEW))?;
        let password = demo_user(&running.services, &data).await?;
        create_demo_partner(&running.services).await?;
        let identity_token = issuer.sign(SUBJECT, IdentityKind::Valid, SystemClock.now())?;
        Ok(Self { running, data, upstream, admin_token, password, identity_token })
    }

    fn context(&self) -> Result<Context, Failure> {
        let url = format!("http://{}", self.running.admin);
        Context::new(&url, &self.admin_token, format!("context {CONTEXT}"))
    }

    fn as_json(&self) -> String {
        let url = |address: SocketAddr| format!("http://{address}");
        json!({
            "base_url": url(self.running.public),
            "verify_url": url(self.running.verify),
            "admin_url": url(self.running.admin),
            "grpc_url": self.running.grpc.map(url),
            "admin_token": self.admin_token,
            "email": EMAIL,
            "password": self.password,
            "identity_token": self.identity_token,
            "upstream_url": url(self.upstream),
            "data": self.data.path(),
        })
        .to_string()
    }

    fn welcome(&self, took_millis: u64, found: Found) -> String {
        let Running { public, verify, admin, grpc, .. } = &self.running;
        let grpc =
            grpc.map(|grpc| format!("\n  grpc    http://{grpc}  for Envoy")).unwrap_or_default();
        let data = self.data.path().display();
        let password = &self.password;
        let command_line = match found {
            Found::Alone => "for the `rescind` command, which finds it by itself".to_owned(),
            Found::Named => format!("for `rescind --context {CONTEXT}`; another one is in use"),
            Found::Told => {
                format!("for RESCIND_ADMIN_URL, with RESCIND_ADMIN_TOKEN from {data}/admin.token")
            }
        };
        format!(
            r#"Rescind was ready after {took_millis} ms, on this machine only. It keeps its data in
{data} (--fresh begins anew).

  public  http://{public}  both contracts; every other path goes to a demo API, verified first
  verify  http://{verify}  for proxies and services inside
  admin   http://{admin}  {command_line}{grpc}

The promise in a minute. In another terminal: make a token, use it, revoke it, use it again.

  URL=http://{public}
  TOKEN=$(curl -s $URL/auth/token -H 'Content-Type: application/json' \
    -d '{{"email":"{EMAIL}","password":"{password}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl -iw '\n' $URL/v1/orders -H "X-API-Key: $TOKEN"             # 200, from the demo API
  curl -iw '\n' -X DELETE $URL/auth/token -H "X-API-Key: $TOKEN"  # 200, revoked: on disk, everywhere
  curl -iw '\n' $URL/v1/orders -H "X-API-Key: $TOKEN"             # 401, for good

Partners sign their requests instead: `rescind dev identity --subject {SUBJECT}` prints what the
demo partner's login would give. Ctrl-C stops."#
        )
    }
}

/// The configuration as far as the arguments say it.
fn listening(args: &DevArgs) -> Config {
    let mut config = Config::default();
    config.public.listen = args.listen;
    config.verify.listen = args.verify_listen;
    config.admin.listen = args.admin_listen;
    config.grpc.listen = Some(args.grpc_listen);
    config
}

/// The rest of it, made of what lies in the directory. The operator's token besides.
fn complete(
    config: &mut Config,
    data: &DataDir,
    issuer: &Issuer,
    upstream: SocketAddr,
) -> Result<String, Failure> {
    config.store.path = data.path().to_path_buf();
    config.log = config::Log { level: LogLevel::Warn, format: LogFormat::Text };
    config.login.per_address_per_minute = LOGINS_PER_MINUTE;
    config.login.per_email_per_minute = LOGINS_PER_MINUTE;
    config.sealing.key_files = vec![secret_path(&data.sealing_key()?)];
    let prefix = TokenPrefix::parse(&config.tokens.admin_prefix).map_err(|error| fault(&error))?;
    let (admin_file, admin_token) = data.admin_token(&prefix)?;
    config.admin.bootstrap_token_file = Some(secret_path(&admin_file));
    config.identity.issuers = vec![config::Issuer {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        jwks_file: Some(data.publish_keys(&issuer.jwks_json())?),
        jwks_url: None,
        create_partners: true,
        refresh: Duration::from_mins(10),
    }];
    config.gateway.upstream = Some(format!("http://{upstream}"));
    config.gateway.routes = vec![
        Route { path: "/public".into(), public: true, ..Route::default() },
        Route { path: "/trading".into(), scopes: vec!["trading".into()], ..Route::default() },
    ];
    Ok(admin_token)
}

fn secret_path(path: &Path) -> SecretPath {
    SecretPath::new(path.to_string_lossy())
}

/// Makes the user on the first run; the password of the user that there is.
async fn demo_user(services: &Services, data: &DataDir) -> Result<String, Failure> {
    let known = services.store.user_by_email(EMAIL).await.map_err(|error| not_stored(&error))?;
    let password = data.demo_password(known.is_some())?;
    if known.is_some() {
        return Ok(password);
    }
    let user = CreateUser {
        email: EMAIL.into(),
        password: password.clone(),
        first_name: "Demo".into(),
        last_name: "User".into(),
        tenant: None,
    };
    match services.create_user(user, None, Actor::system("dev").into()).await {
        Ok(_) => Ok(password),
        Err(error) => Err(not_stored(&error)),
    }
}

/// With every scope; those who come by themselves get what the contract gives to everybody.
async fn create_demo_partner(services: &Services) -> Result<(), Failure> {
    let partner = CreatePartner {
        issuer: ISSUER.into(),
        subject: SUBJECT.into(),
        account: Some(ACCOUNT.into()),
        tenant: None,
        token_management: true,
        allowed_scopes: Some(services.settings.known_scopes.clone()),
    };
    match services.create_partner(partner, None, Actor::system("dev").into()).await {
        Ok(_) | Err(OwnerError::Exists) => Ok(()),
        Err(error) => Err(not_stored(&error)),
    }
}

fn fault(error: &dyn std::error::Error) -> Failure {
    Failure::unreachable(chain(error))
}
