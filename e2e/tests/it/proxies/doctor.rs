//! `rescind doctor proxy`, through real proxies, set up well and badly.
//!
//! A check that has never found anything proves nothing, so each has a page with a mistake in it
//! that it must find, and no other check may be needed for that.

use anyhow::{Context as _, ensure};
use rescind_e2e::admin::Admin;
use rescind_e2e::page::{Page, Places};
use rescind_e2e::proxy::{Program, Proxy};
use rescind_e2e::server::{Home, Server};
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

/// The check that finds it, and what stands on the page in the place of what.
type Mistake = (&'static str, &'static str, &'static str);

/// A server, and `rescind doctor echo` as the API behind a proxy.
struct Surgery {
    home: Home,
    server: Server,
    token: String,
    /// Killed when dropped.
    _echo: Child,
    places: Places,
}

struct Diagnosis {
    exit: Option<i32>,
    report: Value,
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_with_what_is_documented() -> anyhow::Result<()> {
    let surgery = Surgery::open().await?;
    for program in Program::ALL {
        let found = surgery.look_at(program, &program.page()?, &[]).await?;
        let good = found.exit == Some(0) && found.all().iter().all(|check| check["state"] == "ok");
        ensure!(good, "{program:?}: {:#}", found.report);
        for check in ["no token", "identity", "forgery", "aliases", "paths", "body", "preflight"] {
            ensure!(found.state(check) == "ok", "{program:?}: {check} was not looked at");
        }
    }
    Ok(())
}

#[tokio::test]
async fn doctor_finds_mistakes_in_nginx() -> anyhow::Result<()> {
    let surgery = Surgery::open().await?;
    let mistakes = [
        // The identity headers are left to the client.
        ("forgery", "proxy_set_header X-Rescind-Tenant     $rescind_tenant;", ""),
        ("identity", "proxy_set_header X-Rescind-Subject    $rescind_subject;", ""),
        ("aliases", "listen 127.0.0.1:9080;", "listen 127.0.0.1:9080; underscores_in_headers on;"),
        ("no token", "auth_request /_rescind;", "auth_request off;"),
        ("no token", "server 127.0.0.1:8081;", "server 127.0.0.1:1;"),
        ("secrecy", "proxy_set_header X-API-Key      \"\";", ""),
        ("two X-API-Key", "include rescind-request.conf;", FIRST_LINE_ONLY),
        ("paths", "X-Original-URI    $request_uri", "X-Original-URI    $uri"),
    ];
    surgery.finds(Program::Nginx, &mistakes).await
}

/// nginx's variable for a header of two lines joins them; a map that takes what stands before the
/// comma is how some made one token of them.
const FIRST_LINE_ONLY: &str = "include rescind-request.conf; if ($http_x_api_key ~ \"^([^, ]+)\") \
                               { set $first $1; } proxy_set_header X-API-Key $first;";

#[tokio::test]
async fn doctor_finds_mistakes_in_envoy_over_http() -> anyhow::Result<()> {
    let surgery = Surgery::open().await?;
    let mistakes = [
        ("identity", "allowed_upstream_headers: {patterns: [{prefix: x-rescind-}]}", "{}"),
        ("token", "- {exact: x-api-key}", ""),
        ("no token", "port_value: 8081", "port_value: 1"),
        (
            "aliases",
            "- remove_on_match: {key_matcher: {safe_regex: {regex: \"[a-z0-9-]*[^a-z0-9:-].*\"}}}",
            "",
        ),
        ("secrecy", "authorization, x-api-key, lmts-api-key,", "authorization, lmts-api-key,"),
    ];
    surgery.finds(Program::EnvoyHttp, &mistakes).await?;
    let open = Program::EnvoyHttp.page()?.edited("port_value: 8081", "port_value: 1")?;
    let open = open.edited("failure_mode_allow: false", "failure_mode_allow: true")?;
    let found = surgery.look_at(Program::EnvoyHttp, &open, &[]).await?;
    ensure!(found.state("no token") == "wrong", "{:#}", found.report);
    ensure!(found.report.to_string().contains("the API is open"), "{:#}", found.report);
    Ok(())
}

#[tokio::test]
async fn doctor_finds_mistakes_in_the_other_proxies() -> anyhow::Result<()> {
    let surgery = Surgery::open().await?;
    let caddy = [
        ("identity", "X-Rescind-Email X-Rescind-Body", "X-Rescind-Email"),
        ("secrecy", "request_header -X-API-Key", ""),
    ];
    surgery.finds(Program::Caddy, &caddy).await?;
    let traefik = [
        (
            "identity",
            "authResponseHeadersRegex: ^X-Rescind-",
            "authResponseHeaders: [X-Rescind-Subject]",
        ),
        ("aliases", "aliasHeadersStrategy: delete", "aliasHeadersStrategy: keep"),
    ];
    surgery.finds(Program::Traefik, &traefik).await?;
    let haproxy = [
        ("aliases", "http-request del-header [^A-Za-z0-9-] -m reg", ""),
        ("two X-API-Key", "table.insert(asked[name], value)", "asked[name] = { value }"),
    ];
    surgery.finds(Program::Haproxy, &haproxy).await
}

#[tokio::test]
async fn doctor_revokes_and_sees_it_refused_at_once() -> anyhow::Result<()> {
    let surgery = Surgery::open().await?;
    let page = Program::Nginx.page()?;
    let found = surgery.look_at(Program::Nginx, &page, &["--revoke"]).await?;
    ensure!(found.state("revocation") == "ok" && found.exit == Some(0), "{:#}", found.report);

    let surgery = Surgery::open().await?;
    let kept =
        page.edited("access_log off;", "access_log off; proxy_cache_path c keys_zone=c:1m;")?;
    let kept = kept.edited("proxy_cache off;", CACHED)?;
    let found = surgery.look_at(Program::Nginx, &kept, &["--revoke"]).await?;
    ensure!(found.state("revocation") == "wrong" && found.exit == Some(1), "{:#}", found.report);
    Ok(())
}

/// A cache in front of the verifier, against its own word.
const CACHED: &str = "proxy_cache c; proxy_cache_key $http_x_api_key$request_uri; \
                      proxy_cache_valid 200 1m; proxy_ignore_headers Cache-Control;";

#[tokio::test]
async fn doctor_says_what_it_could_not_see() -> anyhow::Result<()> {
    let surgery = Surgery::open().await?;
    let proxy = surgery.proxy(Program::Nginx, &Program::Nginx.page()?).await?;
    let found = surgery.ask(&proxy, "", &[]).await?;
    ensure!(found.exit == Some(0) && found.state("token") == "warning", "{:#}", found.report);
    drop(proxy);
    let found = surgery.ask_at("http://127.0.0.1:1/", "", &[]).await?;
    ensure!(found.exit == Some(3), "{:?} {:#}", found.exit, found.report);
    Ok(())
}

impl Surgery {
    async fn open() -> anyhow::Result<Self> {
        let home = Home::new()?;
        let server = home.start().await?;
        let mut admin = Admin::connect(&server).await?;
        let owner = admin.user_id(&server.facts().email).await?;
        let token = admin.create_bearer(&owner).await?.text;
        let mut echo = home.command(&["doctor", "echo", "--json", "--listen", "127.0.0.1:0"])?;
        let mut echo = echo.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = echo.stdout.take().context("no stdout")?;
        BufReader::new(stdout).read_line(&mut line).await?;
        let url = serde_json::from_str::<Value>(&line)?["url"].as_str().context(line)?.to_owned();
        let api = url.trim_start_matches("http://").parse()?;
        let verify = server.verify()?;
        let places = Places { web: verify, verify, grpc: server.grpc()?, api };
        Ok(Self { home, server, token, _echo: echo, places })
    }

    /// Each mistake is made alone, and each is found by its check.
    async fn finds(&self, program: Program, mistakes: &[Mistake]) -> anyhow::Result<()> {
        let mut faults = Vec::new();
        for (check, from, to) in mistakes {
            let page = program.page()?.edited(from, to)?;
            let found = self.look_at(program, &page, &[]).await.context(*from)?;
            // The API could do without the token: that is a warning.
            let (state, exit) = if *check == "secrecy" { ("warning", 0) } else { ("wrong", 1) };
            let advised = found.all().iter().all(|c| c["state"] == "ok" || c["next"].is_string());
            if found.state(check) != state || found.exit != Some(exit) || !advised {
                faults.push(format!("{check}, {from}: {:?} {:#}", found.exit, found.report));
            }
        }
        ensure!(faults.is_empty(), "{}", faults.join("\n"));
        Ok(())
    }

    async fn look_at(
        &self,
        program: Program,
        page: &Page,
        more: &[&str],
    ) -> anyhow::Result<Diagnosis> {
        let proxy = self.proxy(program, page).await?;
        self.ask(&proxy, &self.token, more).await
    }

    async fn proxy(&self, program: Program, page: &Page) -> anyhow::Result<Proxy> {
        Proxy::start_as_it_is(program, page, self.places).await
    }

    async fn ask(&self, proxy: &Proxy, token: &str, more: &[&str]) -> anyhow::Result<Diagnosis> {
        self.ask_at(&format!("http://{}/v1", proxy.address()), token, more).await
    }

    async fn ask_at(&self, url: &str, token: &str, more: &[&str]) -> anyhow::Result<Diagnosis> {
        let mut command = self.home.command(&["doctor", "proxy", "--json", "--url", url])?;
        command.args(more);
        command.env("RESCIND_ADMIN_URL", &self.server.facts().admin_url);
        command.env("RESCIND_ADMIN_TOKEN", &self.server.facts().admin_token);
        let output = self.home.run(command, token).await?;
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        let leaked = !token.is_empty() && String::from_utf8_lossy(&said).contains(token);
        ensure!(!leaked, "it prints the token");
        let report = serde_json::from_slice(&output.stdout).unwrap_or(json!(null));
        Ok(Diagnosis { exit: output.status.code(), report })
    }
}

impl Diagnosis {
    fn all(&self) -> &[Value] {
        self.report["checks"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The worst of a check's findings.
    fn state(&self, check: &str) -> &str {
        let states: Vec<_> = self.all().iter().filter(|c| c["check"] == check).collect();
        let has = |state: &str| states.iter().any(|c| c["state"] == state);
        ["wrong", "warning", "ok"].into_iter().find(|state| has(state)).unwrap_or("missing")
    }
}
