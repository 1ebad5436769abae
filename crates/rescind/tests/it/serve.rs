//! `rescind serve`: the configuration is the whole of it, and what it does not say is not done.

use crate::caller::{http, json_of, shown, status, text};
use crate::process::{names_in, run};
use crate::signer::Signer;
use crate::site::{EMAIL, PASSWORD, Site, keygen, write_private};
use crate::upstream::Upstream;
use reqwest::Method;
use serde_json::json;
use std::fs;

#[tokio::test]
async fn a_configuration_as_in_production_serves_both_contracts_and_the_gateway() {
    let site = Site::new(Upstream::start().await.address).await;
    let served = site.serve().await;
    site.create_user(&served).await;
    let (_, made) = served.log_in(&http(), PASSWORD).await;
    let token = text(&made, "access_token");
    assert!(token.starts_with("acme_live_"));
    let at = |path: &str| format!("{}{path}", served.public);
    assert_eq!(status(http().get(at("/status"))).await, 200);
    assert_eq!(status(http().get(at("/v1/orders"))).await, 401);
    assert_eq!(shown(&at("/v1/orders"), &token).await, 200);
    assert_eq!(shown(&at("/reports/2026"), &token).await, 403);

    let identity = format!("Bearer {}", site.identity("issuer").await);
    let derive = http().post(at("/auth/api-tokens/derive")).header("identity", identity);
    let (derivation, derived) = json_of(derive.json(&json!({}))).await;
    assert_eq!(derivation, 201, "{derived}");
    let (id, secret) = (text(&derived, "tokenId"), text(&derived, "secret"));
    let signer = Signer { prefix: "acme", id, secret };
    let sign = |method, target: &str| signer.sign(&http(), method, &served.public, target).request;
    assert_eq!(status(sign(Method::GET, "/v1/orders?page=1")).await, 200);
    let revoke = sign(Method::DELETE, &format!("/auth/api-tokens/{}", signer.id));
    assert_eq!(json_of(revoke).await.0, 200);
    assert_eq!(status(sign(Method::GET, "/v1/orders?page=1")).await, 401);
    served.process.stop().await;
}

#[tokio::test]
async fn flags_go_over_the_environment_and_the_environment_over_the_file() {
    let site = Site::new(Upstream::start().await.address).await;
    let prefix_of = async |variable: Option<&str>, flag: Option<&str>| {
        let mut command = site.command();
        if let Some(prefix) = variable {
            command.env("RESCIND_TOKENS__BEARER_PREFIX", prefix);
        }
        if let Some(prefix) = flag {
            command.arg("--set").arg(format!("tokens.bearer_prefix={prefix}"));
        }
        let served = site.serve_by(command).await;
        let user = format!("user create --email {} --json", EMAIL);
        // There is one already from the second run on.
        site.operate(&served, &user, PASSWORD).await;
        let (_, made) = served.log_in(&http(), PASSWORD).await;
        served.process.stop().await;
        let token = text(&made, "access_token");
        token.rsplit_once('_').unwrap().0.to_owned()
    };
    assert_eq!(prefix_of(None, None).await, "acme_live");
    assert_eq!(prefix_of(Some("by_variable_"), None).await, "by_variable");
    assert_eq!(prefix_of(Some("by_variable_"), Some("by_flag_")).await, "by_flag");
}

#[tokio::test]
async fn unknown_keys_are_refused_wherever_they_stand() {
    let mut site = Site::new(Upstream::start().await.address).await;
    let meant = "did you mean `gateway.upstream`?";
    let flag = site.refused(&["--set", "gateway.upstraem=http://127.0.0.1:1"]).await;
    let mut command = site.command();
    command.env("RESCIND_GATEWAY__UPSTRAEM", "http://127.0.0.1:1");
    let variable = run(command, "").await;
    site.config = site.config.replace("upstream =", "upstraem =");
    let file = site.refused(&[]).await;
    for (ran, origin) in
        [(flag, "--set gateway"), (variable, "RESCIND_GATEWAY__UPSTREAM"), (file, "rescind.toml")]
    {
        assert_eq!((ran.exit, &*ran.out), (2, ""), "{ran:?}");
        assert!(ran.talk.contains("gateway.upstraem: unknown key"), "{ran:?}");
        assert!(ran.talk.contains(meant) && ran.talk.contains(origin), "{ran:?}");
    }
    assert!(!site.home.path("store").exists(), "something was made");
}

#[tokio::test]
async fn a_sealing_key_that_is_missing_is_asked_for() {
    let site = Site::new(Upstream::start().await.address).await;
    let never_said = site.refused(&["--set", "sealing.key_files="]).await;
    assert_eq!(never_said.exit, 2, "{never_said:?}");
    assert!(never_said.talk.contains("rescind keygen sealing-key"), "{never_said:?}");

    let key = site.home.path("sealing.key");
    let text = fs::read_to_string(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let missing = site.refused(&[]).await;
    assert_eq!(missing.exit, 3, "{missing:?}");
    assert!(missing.talk.contains("sealing.key_files: cannot read"), "{missing:?}");
    assert!(missing.talk.contains(key.to_str().unwrap()), "{missing:?}");

    write_private(&key, text.trim().get(..40).unwrap());
    let damaged = site.refused(&[]).await;
    assert_eq!(damaged.exit, 3, "{damaged:?}");
    assert!(damaged.talk.contains("sealing.key_files"), "{damaged:?}");
    let piece = text.get(20..40).unwrap();
    assert!(!damaged.talk.contains(piece), "the key is shown: {damaged:?}");
}

#[tokio::test]
async fn secrets_sealed_with_another_key_do_not_open() {
    let site = Site::new(Upstream::start().await.address).await;
    let served = site.serve().await;
    let partner =
        site.operate(&served, "partner create --subject partner-1 --json", "").await.well().json();
    let line = format!("token create --owner {} --kind signing", text(&partner, "id"));
    site.operate(&served, &line, "").await.well();
    served.process.stop().await;
    keygen(&site.home, "sealing-key", &site.home.path("new.key")).await;

    let new_only = format!("sealing.key_files={}", site.home.path("new.key").display());
    let ran = site.refused(&["--set", &new_only]).await;
    assert_eq!(ran.exit, 3, "{ran:?}");
    assert!(ran.talk.contains("which is missing; add its file to sealing.key_files"), "{ran:?}");
    // The new one seals, the old one still opens.
    let both = format!("{new_only},{}", site.home.path("sealing.key").display());
    let mut command = site.command();
    command.args(["--set", &both]);
    site.serve_by(command).await.process.stop().await;
}

#[tokio::test]
async fn a_revoked_bootstrap_token_stays_revoked() {
    let site = Site::new(Upstream::start().await.address).await;
    let served = site.serve().await;
    let tokens = site.operate(&served, "token list --json", "").await.well().json();
    let id = text(&tokens["items"][0], "id");
    assert_eq!(tokens["items"][0]["label"], json!("bootstrap"));
    served.process.stop().await;

    // It is the same one after a restart, and it is made once.
    let served = site.serve().await;
    let tokens = site.operate(&served, "token list --json", "").await.well().json();
    assert_eq!(
        (tokens["items"].as_array().unwrap().len(), text(&tokens["items"][0], "id")),
        (1, id.clone())
    );
    // The last one that can administer would stay.
    let owner = text(&tokens["items"][0], "owner_id");
    let line = format!("token create --owner {owner} --kind admin --scopes admin");
    site.operate(&served, &line, "").await.well();
    site.operate(&served, &format!("token revoke {id}"), "").await.well();
    let refused = site.operate(&served, "token list", "").await;
    assert_eq!(refused.exit, 1, "{refused:?}");
    served.process.stop().await;

    let served = site.serve().await;
    let refused = site.operate(&served, "token list", "").await;
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(refused.talk.contains("next: check the admin token"), "{refused:?}");
    served.process.stop().await;
    // Another one in the file lets the operator in again.
    let mut site = site;
    site.admin_token = keygen(&site.home, "admin-token", &site.home.path("admin.token")).await;
    let served = site.serve().await;
    site.operate(&served, "token list", "").await.well();
    served.process.stop().await;
}

#[tokio::test]
async fn secrets_come_from_systemd_credentials() {
    let mut site = Site::new(Upstream::start().await.address).await;
    let credentials = site.home.path("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(site.home.path("admin.token"), credentials.join("admin-token")).unwrap();
    fs::rename(site.home.path("sealing.key"), credentials.join("sealing-key")).unwrap();
    site.config = site
        .config
        .replace("DIR/admin.token", "credential:admin-token")
        .replace("DIR/sealing.key", "credential:sealing-key");
    let mut command = site.command();
    command.env("CREDENTIALS_DIRECTORY", &credentials);
    let served = site.serve_by(command).await;
    site.operate(&served, "token list", "").await.well();
    served.process.stop().await;

    let outside = site.refused(&[]).await;
    assert_eq!(outside.exit, 3, "{outside:?}");
    assert!(outside.talk.contains("CREDENTIALS_DIRECTORY is not set"), "{outside:?}");
    assert_eq!(names_in(&credentials), ["admin-token", "sealing-key"]);
}
