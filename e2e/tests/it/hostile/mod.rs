//! Bad input: every way that we know to say something wrong, on every listener and in every
//! contract.
//!
//! Each case is the exact bytes of a request. Each is answered with a clear error in the shape
//! that the asked contract promises, or the connection is closed where HTTP leaves nothing to
//! answer; nothing is ever a 5xx, a hang or a change. All tokens, owners and the audit log are
//! compared before and after.

mod bodies;
mod credentials;
mod framing;
mod paths;
mod slow;

use crate::several::met_all;
use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::credential::{Bearer, Signer};
use rescind_e2e::server::{Home, Server};
use rescind_e2e::several::Setup;
use rescind_e2e::wire::{Answer, Connection, Request};
use std::net::SocketAddr;
use std::time::Duration;

/// Refusing takes no time; this allows for a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// For the last bytes of a connection that the server ends.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug)]
enum Listener {
    Public,
    Verify,
    Admin,
}

/// What an error's body must look like.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Wizcommerce,
    Limitless,
    Problem,
    /// HTTP itself is broken, so that no contract was reached.
    Any,
}

#[derive(Clone, Copy, PartialEq)]
enum Afterwards {
    Anything,
    /// As below; and it may close without an answer, for this is not our language.
    ClosedPerhapsAtOnce,
    /// Nobody knows where the next request begins: only closing is safe.
    Closed,
}

struct Case {
    name: String,
    listener: Listener,
    bytes: Vec<u8>,
    statuses: &'static [u16],
    shape: Shape,
    afterwards: Afterwards,
}

/// Valid credentials, to be bent.
struct World {
    bearer: Bearer,
    signer: Signer,
    identity: String,
    email: String,
    password: String,
    admin_token: String,
}

#[tokio::test]
async fn bad_credentials_are_refused_in_the_contracts_shape() -> anyhow::Result<()> {
    run(credentials::cases).await
}

#[tokio::test]
async fn bad_bodies_are_refused_in_the_contracts_shape() -> anyhow::Result<()> {
    run(bodies::cases).await
}

#[tokio::test]
async fn odd_methods_and_paths_are_refused() -> anyhow::Result<()> {
    run(paths::cases).await
}

#[tokio::test]
async fn ambiguous_framing_ends_the_connection() -> anyhow::Result<()> {
    run(framing::cases).await
}

/// What is read from a body ends in another store there, which takes other texts and numbers.
#[tokio::test]
async fn bad_bodies_are_refused_in_the_contracts_shape_by_three_nodes() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_several(Setup::raw(3)).await?;
    run_on(&home, server, bodies::cases).await
}

async fn run(cases: fn(&World) -> anyhow::Result<Vec<Case>>) -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_raw().await?;
    run_on(&home, server, cases).await
}

/// Tells all faults at once: a table is repaired in one go.
async fn run_on(
    home: &Home,
    mut server: Server,
    cases: fn(&World) -> anyhow::Result<Vec<Case>>,
) -> anyhow::Result<()> {
    let world = World::new(&server).await?;
    let before = Admin::connect(&server).await?.state().await?;
    let mut faults = Vec::new();
    for case in cases(&world)? {
        if let Err(fault) = case.run(&server).await {
            faults.push(format!("{:?}: {}: {fault:#}", case.listener, case.name));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert!(server.is_running()?, "it ended\n{}", home.log_tail());
    assert_eq!(before, Admin::connect(&server).await?.state().await?);
    let log = String::from_utf8_lossy(&home.log()?).into_owned();
    assert!(!log.contains("panicked"), "{}", home.log_tail());
    if server.several().is_some() {
        met_all(&server)?;
    }
    Ok(())
}

impl World {
    async fn new(server: &Server) -> anyhow::Result<Self> {
        let mut admin = Admin::connect(server).await?;
        let facts = server.facts().clone();
        let owner = admin.user_id(&facts.email).await?;
        let derive = Request::post("/auth/api-tokens/derive")
            .header("identity", &format!("Bearer {}", facts.identity_token))
            .json_text("{}");
        let derived = server.connect().await?.ask(&derive).await?.expect_status(201)?;
        Ok(Self {
            bearer: admin.create_bearer(&owner).await?,
            signer: Signer::read(&derived)?,
            identity: facts.identity_token,
            email: facts.email,
            password: facts.password,
            admin_token: facts.admin_token,
        })
    }

    fn with_identity(&self, request: Request) -> Request {
        request.header("identity", &format!("Bearer {}", self.identity))
    }

    fn as_admin(&self, request: Request) -> Request {
        request.header("Authorization", &format!("Bearer {}", self.admin_token))
    }
}

impl Case {
    /// To the public listener, where everything is refused by the gateway or a contract.
    fn public(name: impl Into<String>, shape: Shape, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            listener: Listener::Public,
            bytes: bytes.into(),
            statuses: &[400, 401],
            shape,
            afterwards: Afterwards::Anything,
        }
    }

    fn on(mut self, listener: Listener) -> Self {
        self.listener = listener;
        self
    }

    fn is(mut self, statuses: &'static [u16]) -> Self {
        self.statuses = statuses;
        self
    }

    fn then(mut self, afterwards: Afterwards) -> Self {
        self.afterwards = afterwards;
        self
    }

    async fn run(&self, server: &Server) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.listener.of(server)?).await?;
        // A server that has heard enough may close while we still speak.
        let sent = connection.send(&self.bytes).await;
        let method = if self.bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
        let answer = connection.answer_to(method, ANSWER_WITHIN).await;
        if answer.is_err() && self.afterwards == Afterwards::ClosedPerhapsAtOnce {
            connection.until_closed(CLOSE_WITHIN).await?;
            return Ok(());
        }
        let answer = answer.with_context(|| format!("sent: {sent:?}"))?;
        ensure!(
            self.statuses.contains(&answer.status),
            "{:?} expected, {}",
            self.statuses,
            brief(&answer)
        );
        if answer.status >= 400 && method != "HEAD" {
            self.shape.check(&answer).with_context(|| brief(&answer))?;
        }
        if self.afterwards != Afterwards::Anything {
            let rest = connection.until_closed(CLOSE_WITHIN).await?;
            ensure!(rest.is_empty(), "a second answer: {}", String::from_utf8_lossy(&rest));
        }
        Ok(())
    }
}

impl Listener {
    fn of(self, server: &Server) -> anyhow::Result<SocketAddr> {
        match self {
            Self::Public => server.public(),
            Self::Verify => server.verify(),
            Self::Admin => server.admin(),
        }
    }
}

impl Shape {
    fn check(self, answer: &Answer) -> anyhow::Result<()> {
        let content_type = answer.header("content-type").unwrap_or_default().to_owned();
        let body = match self {
            Self::Any => return Ok(()),
            _ => answer.json()?,
        };
        let is_text = |field: &str| body[field].as_str().is_some_and(|text| !text.is_empty());
        let (fits, expected_type) = match self {
            Self::Wizcommerce => {
                let details = body["details"].as_array().context("no details")?;
                let good =
                    details.iter().all(|d| d["field"].is_string() && d["reason"].is_string());
                (is_text("code") && is_text("message") && good, "application/json")
            }
            Self::Limitless => {
                let texts = is_text("message") && is_text("error");
                (texts && body["statusCode"] == answer.status, "application/json")
            }
            Self::Problem => {
                let texts = is_text("type") && is_text("title");
                (texts && body["status"] == answer.status, "application/problem+json")
            }
            Self::Any => (true, ""),
        };
        ensure!(fits, "not the shape of {self:?}");
        ensure!(content_type.starts_with(expected_type), "content type {content_type:?}");
        let challenged = answer.headers.iter().any(|(name, _)| name == "www-authenticate");
        ensure!(answer.status != 401 || challenged, "401 without WWW-Authenticate");
        Ok(())
    }
}

fn brief(answer: &Answer) -> String {
    answer.text().chars().take(200).collect()
}

/// A request whose head is exactly these lines.
fn raw(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = lines.join("\r\n").into_bytes();
    bytes.extend(b"\r\n\r\n");
    bytes.extend(body);
    bytes
}
