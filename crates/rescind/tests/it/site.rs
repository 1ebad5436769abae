//! A place where `rescind serve` runs as in production: a configuration file, secrets in files of
//! their own, an identity issuer, and JSON in the log.

use crate::caller::{Dev, json_of};
use crate::process::{Home, Process, Ran, run};
use reqwest::Client;
use serde_json::{Value, json};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::process::Command;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const EMAIL: &str = "ada@example.com";

pub(crate) struct Site {
    pub(crate) home: Home,
    pub(crate) admin_token: String,
    /// The configuration's text; `DIR` in it is the home directory.
    pub(crate) config: String,
}

/// A running server, and where it listens.
pub(crate) struct Served {
    pub(crate) process: Process,
    pub(crate) public: String,
    pub(crate) verify: String,
    pub(crate) admin: String,
}

impl Site {
    pub(crate) async fn new(upstream: SocketAddr) -> Self {
        let home = Home::new();
        let admin_token = keygen(&home, "admin-token", &home.path("admin.token")).await;
        keygen(&home, "sealing-key", &home.path("sealing.key")).await;
        make_issuer(&home, "issuer").await;
        let config = CONFIG.replace("UPSTREAM", &format!("http://{upstream}"));
        Self { home, admin_token, config }
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.home.path("rescind.toml")
    }

    pub(crate) fn write_config(&self) {
        let home = self.home.path("");
        let text = self.config.replace("DIR", home.to_str().unwrap().trim_end_matches('/'));
        fs::write(self.config_file(), text).unwrap();
    }

    /// `rescind serve` with the configuration as it is now.
    pub(crate) fn command(&self) -> Command {
        self.write_config();
        let mut command = self.home.rescind(["serve", "--config"]);
        command.arg(self.config_file());
        command
    }

    pub(crate) async fn serve(&self) -> Served {
        self.serve_by(self.command()).await
    }

    pub(crate) async fn serve_by(&self, command: Command) -> Served {
        let mut process = self.home.start("serve", command);
        let log = process.logs(|log| find_line(log, "ready").is_some()).await;
        let ready = find_line(&log, "ready").unwrap();
        let url = |listener: &str| format!("http://{}", ready[listener].as_str().unwrap());
        let (public, verify, admin) = (url("public"), url("verify"), url("admin"));
        Served { process, public, verify, admin }
    }

    /// A start that fails.
    pub(crate) async fn refused(&self, more: &[&str]) -> Ran {
        let mut command = self.command();
        command.args(more);
        run(command, "").await
    }

    /// The command line, as an operator of this server.
    pub(crate) async fn operate(&self, served: &Served, line: &str, input: &str) -> Ran {
        let mut command = self.home.rescind(line.split_whitespace());
        command.env("RESCIND_ADMIN_URL", &served.admin);
        command.env("RESCIND_ADMIN_TOKEN", &self.admin_token);
        run(command, input).await
    }

    pub(crate) async fn create_user(&self, served: &Served) {
        self.operate(served, &format!("user create --email {EMAIL}"), PASSWORD).await.well();
    }

    /// An identity token of the issuer in the directory `issuer`.
    pub(crate) async fn identity(&self, issuer: &str) -> String {
        let line = format!("dev identity --subject partner-1 --data {issuer}");
        self.home.run(&line, "").await.well().out.trim().to_owned()
    }
}

impl Served {
    /// What a login answers.
    pub(crate) async fn log_in(&self, http: &Client, password: &str) -> (u16, Value) {
        let login = json!({"email": EMAIL, "password": password});
        json_of(http.post(format!("{}/auth/token", self.public)).json(&login)).await
    }
}

/// The log's lines. A line that is not JSON fails the test.
pub(crate) fn lines_of(log: &str) -> Vec<Value> {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    log.lines().map(read).collect()
}

/// The first whole line with this message.
pub(crate) fn find_line(log: &str, message: &str) -> Option<Value> {
    let whole = log.get(..=log.rfind('\n')?)?;
    lines_of(whole).into_iter().find(|line| line["message"] == message)
}

/// Writes a new secret to a file as the documentation advises, and returns it.
pub(crate) async fn keygen(home: &Home, kind: &str, file: &Path) -> String {
    let ran = home.run(&format!("keygen {kind}"), "").await.well();
    write_private(file, &ran.out);
    ran.out.trim().to_owned()
}

pub(crate) fn write_private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Has `rescind dev` make an issuer with a key of its own.
pub(crate) async fn make_issuer(home: &Home, name: &str) {
    let dev = Dev::start_with(home, &["--data", name]).await;
    dev.process.stop().await;
}

const CONFIG: &str = r#"
[public]
listen = "127.0.0.1:0"
connections_max = 512
header_timeout = "10s"
body_timeout = "10s"

[verify]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"
bootstrap_token_file = "DIR/admin.token"

[store]
path = "DIR/store"

[sealing]
key_files = ["DIR/sealing.key"]

[tokens]
bearer_prefix = "acme_live_"

[wizcommerce]
token_lifetime = "30d"

[limitless]
header_prefix = "acme"
scopes = ["trading", "reports"]
default_scopes = ["trading"]

[[identity.issuers]]
issuer = "https://issuer.rescind.localhost"
audience = "rescind-dev"
jwks_file = "DIR/issuer/jwks.json"

[gateway]
upstream = "UPSTREAM"

[[gateway.routes]]
path = "/status"
public = true

[[gateway.routes]]
path = "/reports"
scopes = ["reports"]

[login]
per_address_per_minute = 1000
per_email_per_minute = 1000

[log]
level = "info"
format = "json"
"#;
