//! `rescind token import`, from another system's file to tokens that hold.

use crate::caller::{Dev, text};
use crate::process::Home;
use crate::session::Session;
use serde_json::json;
use std::fs;

#[tokio::test]
async fn tokens_of_another_system_are_taken_over() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    let owner = text(&session.json("user list", "").await["items"][0], "id");
    session.stands_for(&owner, "OWNER");
    let token = "legacy-5f1c8a4e9d2b7063";
    let line = |field: &str, value: &str| {
        json!({"owner_id": owner, "kind": "bearer", "label": "legacy", field: value}).to_string()
    };
    let sha256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
    let lines = format!("{}\n{}\n", line("token", token), line("sha256", sha256));
    session.run_with("token import", &lines).await.well();
    session.run_with("token import -o json", &lines).await.well();
    session.run_with("verify -", token).await.well();
    // That digest's text.
    session.run_with("verify -", "password").await.well();
    let csv = format!(
        "owner_id,kind,scopes,token\n{owner},bearer,trading reports,legacy-000000000000001\n"
    );
    fs::write(home.path("old.csv"), csv).unwrap();
    session.run("token import old.csv -o id").await.well();
    session.run_with("verify - --scopes trading,reports", "legacy-000000000000001").await.well();
    let nobody =
        r#"{"owner_id":"user_0000000000000000","kind":"bearer","token":"legacy-000000000000002"}"#;
    let ran = session
        .run_with(
            "token import -",
            &format!("{nobody}\n{}", line("token", "legacy-000000000000003")),
        )
        .await;
    assert_eq!(ran.exit, 1);
    session.run_with("verify -", "legacy-000000000000003").await.well();
    let ran = session
        .run_with(
            "token import",
            &format!("{}\nlegacy-000000000000004\n", line("token", "legacy-000000000000005")),
        )
        .await;
    assert_eq!(ran.exit, 2);
    session.run_with("verify -", "legacy-000000000000005").await.well();
    let short = session.run_with("token import", &line("token", "too-short")).await;
    assert!(short.exit == 1 && !short.talk.contains("too-short"), "{short:?}");
    assert_eq!(session.run("token import missing.jsonl").await.exit, 2);
    insta::assert_snapshot!(session.transcript());
    dev.process.stop().await;
}

#[tokio::test]
async fn thousands_of_tokens_are_imported_in_pieces() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let session = Session::new(&home);
    let owner = text(&session.json("user list", "").await["items"][0], "id");
    let line =
        |n: usize| json!({"owner_id": owner, "kind": "bearer", "token": format!("old-{n:020}")});
    let lines: String = (0..2_500).map(|n| format!("{}\n", line(n))).collect();
    let done = session.json("token import", &lines).await;
    assert_eq!(done["imported"], json!(2_500), "{done}");
    let again = session.json("token import", &lines).await;
    assert_eq!((&again["imported"], &again["existing"]), (&json!(0), &json!(2_500)));
    for n in [0, 999, 1_000, 2_499] {
        home.run("verify -", &format!("old-{n:020}")).await.well();
    }
    dev.process.stop().await;
}
