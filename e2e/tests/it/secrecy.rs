//! No token, secret, signature, identity or password is ever written to the log, or in clear to
//! the disk.
//!
//! The log is set to its most talkative. Everything is done that a client or an operator can do,
//! in good and in bad order, because it is the error paths that tend to quote their input.

use crate::several::met_all;
use anyhow::ensure;
use regex::bytes::Regex;
use rescind_e2e::admin::{Admin, text};
use rescind_e2e::clock::timestamp_text;
use rescind_e2e::credential::{Bearer, Signer};
use rescind_e2e::server::{Home, Server};
use rescind_e2e::several::Setup;
use rescind_e2e::wire::{Connection, Request};
use serde_json::json;
use std::path::Path;

/// Whatever name the log level goes by.
const TALKATIVE: [(&str, &str); 2] = [("RUST_LOG", "trace"), ("RESCIND_LOG", "trace")];

/// Stored as it is: who does not find it looks in the wrong place.
const PUBLIC: &str = "secrecy@example.com";

/// A random text of this length cannot be in a log by accident.
const TELLING_BYTES: usize = 12;

#[tokio::test]
async fn no_secret_is_ever_logged_or_stored_in_clear() -> anyhow::Result<()> {
    let home = Home::new()?;
    let server = home.start_with(&TALKATIVE).await?;
    nothing_is_logged_or_stored(&home, server).await
}

/// Another store, which writes to files, and to a log, of its own.
#[tokio::test]
async fn no_secret_is_ever_logged_or_stored_in_clear_by_three_nodes() -> anyhow::Result<()> {
    let home = Home::new()?;
    let setup = Setup { environment: &TALKATIVE, ..Setup::of(3) };
    let server = home.start_several(setup).await?;
    nothing_is_logged_or_stored(&home, server).await
}

async fn nothing_is_logged_or_stored(home: &Home, server: Server) -> anyhow::Result<()> {
    let mut secrets = vec![
        server.facts().admin_token.clone(),
        server.facts().password.clone(),
        server.facts().identity_token.clone(),
    ];
    use_bearer_tokens(&server, &mut secrets).await?;
    use_signed_requests(home, &server, &mut secrets).await?;
    use_legacy_keys(&server, &mut secrets).await?;
    use_admin(&server, &mut secrets).await?;
    misplace(&server, &secrets.clone()).await?;
    let shown_by_dev = server.facts().clone();
    let postgres = server.several().map(|several| several.postgres());
    if postgres.is_some() {
        met_all(&server)?;
    }
    ensure!(server.terminate().await?.success(), "SIGTERM did not end it well");

    let log = home.log()?;
    ensure!(log.len() > 2_000, "no log was written, so nothing was proven:\n{}", home.log_tail());
    ensure!(secrets.iter().all(|s| s.len() >= TELLING_BYTES), "too short to search for");
    let all = any_of(&secrets)?;
    ensure!(!all.is_match(&log), "the log has {}", beginning(&all, &log));
    if let Some(postgres) = &postgres {
        postgres.psql("rescind", "CHECKPOINT")?;
        nothing_is_stored(postgres.folder(), &all, PUBLIC)?;
    }
    // `rescind dev` keeps what its next run shows again; clients' tokens are never among it.
    secrets.retain(|s| ![&shown_by_dev.admin_token, &shown_by_dev.password].contains(&s));
    // What several nodes store is not there; their demo user has been.
    let public = if postgres.is_some() { &shown_by_dev.email } else { PUBLIC };
    nothing_is_stored(&home.data(), &any_of(&secrets)?, public)
}

/// In no file, all of which must be where `public` is found.
fn nothing_is_stored(folder: &Path, secrets: &Regex, public: &str) -> anyhow::Result<()> {
    let public = any_of(&[public.to_owned()])?;
    let mut public_is_found = false;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let content = std::fs::read(&path)?;
                public_is_found |= public.is_match(&content);
                let (found, path) = (secrets.is_match(&content), path.display());
                ensure!(!found, "{path} has {}", beginning(secrets, &content));
            }
        }
    }
    ensure!(public_is_found, "{} is not where things are stored", folder.display());
    Ok(())
}

fn any_of(texts: &[String]) -> anyhow::Result<Regex> {
    let escaped: Vec<_> = texts.iter().map(|text| regex::escape(text)).collect();
    Ok(Regex::new(&escaped.join("|"))?)
}

/// Of what was found.
fn beginning(secrets: &Regex, content: &[u8]) -> String {
    let found = secrets.find(content).map(|found| found.as_bytes()).unwrap_or_default();
    String::from_utf8_lossy(found).chars().take(6).chain(['…']).collect()
}

async fn use_bearer_tokens(server: &Server, secrets: &mut Vec<String>) -> anyhow::Result<()> {
    let facts = server.facts();
    let mut public = server.connect().await?;
    let good = json!({"email": facts.email, "password": facts.password});
    let made = public.ask(&Request::post("/auth/token").json(&good)).await?.expect_status(200)?;
    let token = text(&made.json()?, "access_token")?;
    let bearer = Bearer { id: String::new(), text: token.clone() };
    let query = format!("/v1/products?api_key={token}&secret=query-secret-4711");
    public.ask(&bearer.show(Request::get(&query))).await?.expect_status(200)?;
    let authorization = format!("Bearer {token}");
    let other_scheme = Request::get("/v1/products").header("Authorization", &authorization);
    public.ask(&other_scheme).await?.expect_status(200)?;

    let mut verify = Connection::open(server.verify()?).await?;
    for question in [json!({"token": token}), json!({"token": [token]}), json!({"tokens": token})] {
        verify.ask(&Request::post("/v1/verify").json(&question)).await?;
    }
    public.ask(&bearer.show(Request::delete("/auth/token"))).await?.expect_status(200)?;
    public.ask(&bearer.show(Request::delete("/auth/token"))).await?.expect_status(401)?;

    let wrong = "wrong-password-0815";
    for bad in [
        json!({"email": facts.email, "password": wrong}),
        json!({"email": wrong, "password": [wrong]}),
        json!({"password": wrong}),
    ] {
        public.ask(&Request::post("/auth/token").json(&bad)).await?;
    }
    let cut_short = format!(r#"{{"email":"{}","password":"{wrong}""#, facts.email);
    public.ask(&Request::post("/auth/token").json_text(&cut_short)).await?;
    secrets.extend([token, wrong.into(), "query-secret-4711".into()]);
    Ok(())
}

async fn use_signed_requests(
    home: &Home,
    server: &Server,
    secrets: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut public = server.connect().await?;
    for kind in ["valid", "expired", "wrong-aud", "wrong-iss", "wrong-key"] {
        let identity = home.identity("secrecy", kind).await?;
        public.ask(&with_identity(Request::post("/auth/api-tokens/derive"), &identity)).await?;
        secrets.push(identity);
    }
    let derive =
        with_identity(Request::post("/auth/api-tokens/derive"), &server.facts().identity_token);
    let signer = Signer::read(&public.ask(&derive).await?.expect_status(201)?)?;
    let calls = [
        signer.sign(Request::post("/v1/orders?page=1").json_text("{}"))?,
        signer.sign(Request::get("/auth/api-tokens"))?,
        signer.sign_at(Request::get("/v1/orders"), "2001-01-01T00:00:00.000Z")?,
        signer.sign(Request::get("/v1/orders"))?.header("X-API-Key", "both-at-once-credential"),
        signer.revocation_of("no-such-token")?,
        signer.revocation_of(&signer.token_id)?,
        signer.sign(Request::get("/v1/orders"))?,
    ];
    for call in &calls {
        public.ask(call).await?;
        secrets.extend(
            call.headers.iter().filter(|(n, _)| n == "lmts-signature").map(|h| h.1.clone()),
        );
    }
    let forged = Signer { secret: "Zm9yZ2VkIHNlY3JldA==".into(), ..signer.clone() };
    let signature = forged.signature(&timestamp_text(), "GET", "/v1/orders", b"")?;
    public.ask(&forged.sign(Request::get("/v1/orders"))?).await?.expect_status(401)?;
    secrets.extend([signature, signer.secret, "both-at-once-credential".into()]);
    Ok(())
}

async fn use_legacy_keys(server: &Server, secrets: &mut Vec<String>) -> anyhow::Result<()> {
    let identity = &server.facts().identity_token;
    let mut public = server.connect().await?;
    let create = with_identity(Request::post("/auth/api-keys"), identity);
    let made = public.ask(&create).await?.json()?;
    let key = text(&made, "apiKey")?;
    public
        .ask(&Request::get("/v1/products").header("X-API-Key", &key))
        .await?
        .expect_status(200)?;
    public.ask(&with_identity(Request::get("/auth/api-keys"), identity)).await?;
    public.ask(&with_identity(Request::delete("/auth/api-keys"), identity)).await?;
    secrets.push(key);
    Ok(())
}

async fn use_admin(server: &Server, secrets: &mut Vec<String>) -> anyhow::Result<()> {
    let mut admin = Admin::connect(server).await?;
    let password = "a-new-users-password";
    let owner = admin.create_user(PUBLIC, password).await?;
    admin.ask(Request::post("/v1/users").json(&json!({"email": password}))).await?;
    let bearer = admin.create_bearer(&owner).await?;
    admin.revoke(&bearer.id).await?.expect_status(200)?;
    admin.ask(Request::post("/v1/verify").json(&json!({"token": bearer.text}))).await?;
    admin.state().await?;
    secrets.extend([password.to_owned(), bearer.text]);
    Ok(())
}

/// Every secret where it does not belong: people paste tokens into the wrong place.
async fn misplace(server: &Server, secrets: &[String]) -> anyhow::Result<()> {
    for secret in secrets {
        for address in [server.public()?, server.verify()?, server.admin()?] {
            for request in [
                Request::get(&format!("/v1/products?token={secret}")),
                Request::get("/v1/products").header("X-API-Key", secret),
                Request::get("/v1/products").header("Authorization", secret),
                Request::get("/v1/products").header("identity", secret),
                Request::get("/auth/api-tokens")
                    .header("lmts-api-key", secret)
                    .header("lmts-timestamp", secret)
                    .header("lmts-signature", secret),
                Request::post("/auth/token").json_text(secret),
                Request::post("/v1/verify").json_text(&format!("\"{secret}\"")),
            ] {
                // Whatever it answers; what counts is what it writes down.
                Connection::open(address).await?.ask(&request).await?;
            }
        }
    }
    Ok(())
}

fn with_identity(request: Request, identity: &str) -> Request {
    request.header("identity", &format!("Bearer {identity}"))
}
