//! Several servers on one command line, before any of them is asked.

use crate::caller::Dev;
use crate::process::Home;
use crate::session::Session;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn servers_are_named_chosen_and_forgotten() {
    let home = Home::new();
    let mut session = Session::new(&home);
    for (line, input) in [
        ("context list", ""),
        ("context show", ""),
        ("context add prod --url https://admin.example", "rescind_admin_s3cret\n"),
        ("context add prod --url https://other.example", "rescind_admin_other\n"),
        ("context add prod --url https://admin.example:8443 --replace", "rescind_admin_newer\n"),
        ("context add test --url http://127.0.0.1:9 -o json", "rescind_admin_test\n"),
        ("context add odd --url admin.example", "rescind_admin_x\n"),
        ("context add odd --url https://ada:pw@admin.example", "rescind_admin_x\n"),
        ("context add odd --url https://admin.example", ""),
        ("context list", ""),
        ("context list -o id", ""),
        ("context list -o json", ""),
        ("context show", ""),
        ("context show --context test", ""),
        ("context show --context nowhere", ""),
        ("context use test", ""),
        ("context show -o json", ""),
        ("token list", ""),
        ("context remove test", ""),
        ("context show", ""),
        ("context use test", ""),
        ("context use prod", ""),
        ("context remove prod -o id", ""),
        ("context remove prod", ""),
    ] {
        session.run_with(line, input).await;
    }
    let transcript = session.transcript();
    assert!(!transcript.lines().any(|line| !line.starts_with('<') && line.contains("s3cret")));
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn what_is_kept_is_private() {
    let home = Home::new();
    let line = "context add prod --url https://admin.example";
    home.run(line, "rescind_admin_s3cret\n").await.well();
    let mode = |name: &str| fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("config/rescind/contexts.json"), 0o600);
    assert_eq!(mode("config/rescind"), 0o700);
    fs::set_permissions(
        home.path("config/rescind/contexts.json"),
        fs::Permissions::from_mode(0o640),
    )
    .unwrap();
    let ran = home.run("context show", "").await;
    assert_eq!(ran.exit, 2, "{ran:?}");
    assert!(ran.talk.contains("other users can open it"), "{ran:?}");
}

#[tokio::test]
async fn the_environment_is_shown_as_what_it_is() {
    let home = Home::new();
    home.run("context add prod --url https://admin.example", "x\n").await.well();
    let show = |variables: &'static [(&str, &str)]| {
        let mut command = home.rescind(["context", "show", "-o", "json"]);
        command.envs(variables.iter().copied());
        crate::process::run(command, "")
    };
    let env = show(&[("RESCIND_ADMIN_URL", "http://[::1]:1"), ("RESCIND_ADMIN_TOKEN", "t")]).await;
    assert_eq!(env.well().json()["from"], "the environment");
    let named = show(&[
        ("RESCIND_ADMIN_URL", "http://[::1]:1"),
        ("RESCIND_ADMIN_TOKEN", "t"),
        ("RESCIND_CONTEXT", "prod"),
    ]);
    assert_eq!(named.await.well().json()["from"], "context prod");
    let half = show(&[("RESCIND_ADMIN_URL", "http://evil.example")]).await;
    assert_eq!((half.exit, half.out.as_str()), (2, ""), "{half:?}");
}

#[tokio::test]
async fn a_demo_is_known_by_name_and_pushes_no_other_server_aside() {
    let home = Home::new();
    let in_use = async || home.run("context show -o json", "").await.well().json()["from"].clone();
    let dev = Dev::start(&home).await;
    assert_eq!(in_use().await, "context dev");
    dev.process.stop().await;
    home.run("context add prod --url https://admin.example --use", "x\n").await.well();
    let dev = Dev::start(&home).await;
    assert_eq!(in_use().await, "context prod");
    home.run("token list --context dev", "").await.well();
    home.run("context remove prod", "").await.well();
    dev.process.stop().await;
    // Nobody else is in use.
    let dev = Dev::start(&home).await;
    assert_eq!(in_use().await, "context dev");
    home.run("token list", "").await.well();
    dev.process.stop().await;
}

#[tokio::test]
async fn the_one_context_of_earlier_versions_is_taken_over() {
    let home = Home::new();
    let former = home.path("config/rescind/context.json");
    fs::create_dir_all(former.parent().unwrap()).unwrap();
    let text = r#"{"admin_url":"http://127.0.0.1:9/","admin_token":"rescind_admin_s3cret"}"#;
    crate::site::write_private(&former, text);
    let list = home.run("context list -o id", "").await.well();
    assert_eq!((list.out.as_str(), former.exists()), ("default\n", true));
    home.run("context add prod --url https://admin.example", "x\n").await.well();
    assert!(!former.exists());
    let list = home.run("context list -o json", "").await.well().json();
    assert_eq!(list["items"][0]["name"], "default");
    assert_eq!(list["items"][0]["in_use"], true);
}
