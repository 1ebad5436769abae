//! The log of a server in production: JSON on every line, and no secret on any, however much is
//! logged. It is the refusals that tend to quote what they refuse, so most of what is done here is
//! wrong.

use crate::caller::{http, json_of, text};
use crate::signer::Signer;
use crate::site::{PASSWORD, Served, Site, lines_of};
use crate::upstream::Upstream;
use reqwest::{Method, Url};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;

/// No 16 bytes of a secret may be there: a shortened token is half a token.
const PIECE_BYTES: usize = 16;
const WRONG_PASSWORD: &str = "tr0ub4dor & 3, the wrong password";
const FORGED: &str = "acme_live_ForgedForgedForgedForgedForged0000000";

#[tokio::test]
async fn the_log_is_json_without_any_secret_at_every_level() {
    for (level, telling) in [(None, "INFO"), (Some("debug"), "DEBUG"), (Some("trace"), "TRACE")] {
        let site = Site::new(Upstream::start().await.address).await;
        let mut command = site.command();
        if let Some(level) = level {
            command.env("RESCIND_LOG", level);
        }
        let mut served = site.serve_by(command).await;
        let secrets = use_everything(&site, &mut served).await;
        served.process.signal(Signal::TERM);
        assert_eq!(served.process.ended().await.code(), Some(0));

        let log = served.process.log();
        let lines = lines_of(&log);
        assert!(lines.iter().all(is_complete), "{log}");
        assert!(lines.iter().any(|line| line["level"] == telling), "{level:?}: {log}");
        assert_eq!(served.process.out(), "", "{level:?}");
        assert!(secrets.len() >= 15, "{}", secrets.len());
        for secret in &secrets {
            assert!(secret.len() >= PIECE_BYTES, "too short to search for: {secret}");
            let found = secret.as_bytes().windows(PIECE_BYTES).find(|piece| holds(&log, piece));
            assert_eq!(found.map(String::from_utf8_lossy), None, "{level:?}, of {secret}");
        }
    }
}

fn is_complete(line: &Value) -> bool {
    ["timestamp", "level", "message", "target"].iter().all(|name| line[*name].is_string())
}

fn holds(log: &str, piece: &[u8]) -> bool {
    log.as_bytes().windows(piece.len()).any(|window| window == piece)
}

/// Returns every secret that was shown, told, or made up on the way.
async fn use_everything(site: &Site, served: &mut Served) -> Vec<String> {
    site.create_user(served).await;
    let mut secrets = vec![PASSWORD.into(), WRONG_PASSWORD.into(), site.admin_token.clone()];
    let key = fs::read_to_string(site.home.path("sealing.key")).unwrap();
    secrets.push(key.trim().rsplit(':').next().unwrap().to_owned());
    secrets.push(use_bearer_tokens(served).await);
    use_identities(site, served, &mut secrets).await;
    let commands = use_command_line(site, served).await;
    secrets.extend([commands, FORGED.to_owned()]);
    misplace(served, &secrets).await;
    // A faulty configuration quotes what is wrong with it.
    let smuggled = format!("[\"{}\"", site.admin_token);
    fs::write(site.config_file(), format!("admin = {smuggled}")).unwrap();
    served.process.signal(Signal::HUP);
    served.process.logs(|log| log.contains("not reloaded")).await;
    secrets
}

async fn use_bearer_tokens(served: &Served) -> String {
    let http = http();
    let (status, _) = served.log_in(&http, WRONG_PASSWORD).await;
    assert_eq!(status, 401);
    let token = text(&served.log_in(&http, PASSWORD).await.1, "access_token");
    let orders = format!("{}/v1/orders?api_key={token}", served.public);
    for (name, value) in [
        ("X-API-Key", token.clone()),
        ("Authorization", format!("Bearer {token}")),
        ("Authorization", format!("Basic {token}")),
        ("X-API-Key", FORGED.to_owned()),
        ("X-API-Key", format!("{token}, {token}")),
    ] {
        http.get(&orders).header(name, value).send().await.unwrap();
    }
    let verify = format!("{}/v1/verify", served.verify);
    for question in [json!({"token": token}), json!({"token": [token]}), json!({"tokn": token})] {
        json_of(http.post(&verify).json(&question)).await;
    }
    let revoke = http.delete(format!("{}/auth/token", served.public)).header("X-API-Key", &token);
    assert_eq!(json_of(revoke).await.0, 200);
    http.get(&orders).header("X-API-Key", &token).send().await.unwrap();
    token
}

async fn use_identities(site: &Site, served: &Served, secrets: &mut Vec<String>) {
    let (http, at) = (http(), |path: &str| format!("{}{path}", served.public));
    for kind in ["expired", "wrong-aud", "wrong-iss", "wrong-key", "valid"] {
        let line = format!("dev identity --subject partner-1 --data issuer --kind {kind}");
        let identity = site.home.run(&line, "").await.well().out.trim().to_owned();
        let url = at("/auth/api-tokens/capabilities");
        json_of(http.get(url).header("identity", format!("Bearer {identity}"))).await;
        secrets.push(identity);
    }
    let identity = format!("Bearer {}", secrets.last().unwrap());
    let derive = http.post(at("/auth/api-tokens/derive")).header("identity", &identity);
    let derived = json_of(derive.json(&json!({"label": "secrecy"}))).await.1;
    let (id, secret) = (text(&derived, "tokenId"), text(&derived, "secret"));
    let forged = "Zm9yZ2VkIGZvcmdlZCBmb3JnZWQgZm9yZ2Vk".to_owned();
    for secret in [secret.clone(), forged.clone()] {
        let signer = Signer { prefix: "acme", id: id.clone(), secret };
        let signed = signer.sign(&http, Method::GET, &served.public, "/v1/orders?page=1");
        signed.request.send().await.unwrap();
        secrets.push(signed.signature);
    }
    let key = http.post(at("/auth/api-keys")).header("identity", &identity);
    secrets.extend([secret, forged, text(&json_of(key).await.1, "apiKey")]);
}

async fn use_command_line(site: &Site, served: &Served) -> String {
    let users = site.operate(served, "user list --json", "").await.well().json();
    let line = format!("token create --owner {} --json", text(&users["items"][0], "id"));
    let made = site.operate(served, &line, "").await.well().json();
    let token = text(&made, "token");
    site.operate(served, "verify -", &token).await.well();
    site.operate(served, &format!("token revoke {}", text(&made, "id")), "").await.well();
    site.operate(served, "verify -", &token).await;
    site.operate(served, "user create --email second@example.com", WRONG_PASSWORD).await.well();
    token
}

/// People paste secrets into the wrong place.
async fn misplace(served: &Served, secrets: &[String]) {
    let http = http();
    for secret in secrets {
        for base in [&served.public, &served.verify, &served.admin] {
            let url = format!("{base}/v1/orders");
            for request in [
                http.get(Url::parse_with_params(&url, [("token", secret)]).unwrap()),
                http.get(&url).bearer_auth(secret),
                http.get(&url).header("acme-api-key", secret).header("identity", secret),
                http.post(format!("{base}/v1/verify")).json(secret),
                http.post(format!("{base}/auth/token")).json(&json!({"email": secret})),
                http.post(format!("{base}/v1/users")).json(&json!({secret.as_str(): secret})),
            ] {
                request.send().await.unwrap();
            }
        }
    }
}
