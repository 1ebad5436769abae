//! Every command against a running `rescind dev`, word for word. What holds beyond the words is
//! asserted beside them.

use crate::caller::{Dev, shown, text};
use crate::process::Home;
use crate::session::Session;
use serde_json::json;
use std::fs;

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn owners_are_created_changed_and_suspended() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    let ada = "ada@example.com";
    let create = format!("user create --email {ada} --first-name Ada --tenant acme");
    session.run_with(&create, &format!("{PASSWORD}\n")).await.well();
    assert_eq!(session.run_with(&create, PASSWORD).await.exit, 1);
    session.run_with("user create --email bob@example.com --tenant acme -o id", PASSWORD).await;
    session.run(&format!("user get {ada}")).await.well();
    session.run("user list --tenant acme").await.well();
    session.run("user list --tenant acme -o wide").await.well();
    session.run("user list --tenant acme --limit 1").await.well();
    session.run("user list --tenant nobody").await.well();
    let line = "--last-name Lovelace --scopes trading --networks 10.0.0.0/8,2001:db8::/32";
    session.run(&format!("user update {ada} {line}")).await.well();
    session.run(&format!("user update {ada} --any-scope --any-network -o json")).await.well();
    assert_eq!(session.run(&format!("user update {ada}")).await.exit, 2);
    session.run(&format!("user suspend {ada}")).await.well();
    session.run(&format!("user resume {ada}")).await.well();
    session.run_with(&format!("user password {ada}"), "another correct horse\n").await.well();
    session.run_with(&format!("user password {ada} --keep-tokens"), PASSWORD).await.well();
    assert_eq!(session.run_with(&format!("user password {ada}"), "").await.exit, 2);
    assert_eq!(session.run("user get nobody@example.com").await.exit, 1);

    let other = "--subject did:example:other";
    session.run(&format!("partner create {other} --tenant acme --scopes trading")).await.well();
    session.run(&format!("partner get {other}")).await.well();
    session.run("partner list").await.well();
    session.run("partner list --subject did:rescind:demo -o wide").await.well();
    session.run(&format!("partner update {other} --token-management false")).await.well();
    session.run(&format!("partner suspend {other}")).await.well();
    session.run(&format!("partner resume {other}")).await.well();
    assert_eq!(session.run("partner get --subject nobody").await.exit, 1);

    session.run("operator create --name deploy --tenant acme").await.well();
    let made = session.json("operator create --name night-shift", "").await;
    let night = text(&made, "id");
    session.run("operator list").await.well();
    session.run(&format!("operator update {night} --networks 192.0.2.7")).await.well();
    // Nobody can be asked here.
    assert_eq!(session.run(&format!("operator suspend {night}")).await.exit, 2);
    session.run(&format!("operator get {night}")).await.well();
    session.run(&format!("operator suspend {night} --yes")).await.well();
    session.run(&format!("operator resume {night}")).await.well();
    insta::assert_snapshot!(session.transcript());
    dev.process.stop().await;
}

#[tokio::test]
async fn tokens_are_issued_narrowed_rotated_and_revoked() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    let users = session.json("user list", "").await;
    let owner = text(&users["items"][0], "id");
    let create = format!("token create --owner {owner} --label ci --scopes trading,withdrawal");
    let made = session.run(&format!("{create} --expires-in 30d")).await.well();
    let token = made.out.trim().to_owned();
    assert_eq!(session.run(&format!("{create} -o id")).await.exit, 2);
    let list = session.json("token list --kind bearer", "").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "one was made and lost: {list}");
    let id = text(&list["items"][0], "id");
    session.run(&format!("token get {id}")).await.well();
    // An operator's token is used all the time, and when that shows is not certain.
    session.run("token list --kind bearer").await.well();
    session.run("token list --kind bearer -o wide").await.well();
    session.run("token list --scope withdrawal -o id").await.well();
    session.run("token list --scope nothing").await.well();
    session.run("token list --issued-after 2200-01-01T00:00:00Z").await.well();

    let narrow = "--label deploy --scopes trading --networks 127.0.0.0/8";
    session.run(&format!("token update {id} {narrow}")).await.well();
    assert_eq!(session.run(&format!("token update {id} --scopes withdrawal")).await.exit, 1);
    session.run(&format!("token update {id} --any-network -o json")).await.well();
    session.run_with("verify -", &token).await.well();
    assert_eq!(session.run_with("verify - --scopes withdrawal", &token).await.exit, 1);

    let line = format!("token rotate {id} --overlap 1h --overlap-starts first-use -o json");
    let rotated = session.run(&line).await.well().json();
    let (second, text_of_second) = (text(&rotated, "id"), text(&rotated, "token"));
    assert_eq!(rotated["rotated_from"], json!(id));
    assert_eq!(session.run(&format!("token rotate {id}")).await.exit, 1);
    let third = session.run(&format!("token rotate {second}")).await.well();
    assert_eq!(shown(&dev.at("/v1/orders"), &text_of_second).await, 401);
    assert_eq!(shown(&dev.at("/v1/orders"), third.out.trim()).await, 200);

    let batch = format!("{token}\n\n{text_of_second}\nnonsense\n{}", third.out);
    assert_eq!(session.run_with("verify - --batch", &batch).await.exit, 1);
    assert_eq!(session.run_with("verify - --batch -o id", &third.out).await.exit, 0);
    session.run_with("verify - --batch -o json", &third.out).await.well();

    let line = format!("token revoke {id} --reason key_compromise");
    session.run(&line).await.well();
    session.run(&line).await.well();
    session.run_with("token revoke-presented --reason key_compromise", &third.out).await.well();
    assert_eq!(session.run_with("token revoke-presented", "nonsense").await.exit, 1);
    assert_eq!(shown(&dev.at("/v1/orders"), third.out.trim()).await, 401);
    session.run("token list --kind bearer").await.well();
    session.run("token list --kind bearer --state revoked -o id").await.well();
    assert_eq!(session.run("token get token_0000000000000000").await.exit, 1);
    assert_eq!(session.run("token create --owner user_0000000000000000").await.exit, 1);
    insta::assert_snapshot!(session.transcript());
    dev.process.stop().await;
}

#[tokio::test]
async fn all_tokens_of_a_set_are_revoked_only_by_a_yes() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    let user = text(&session.json("user list", "").await["items"][0], "id");
    let tenant = text(&session.json("user list", "").await["items"][0], "tenant_id");
    let tokens = [dev.token().await, dev.token().await];
    let all_work = async |expected: u16| {
        for token in &tokens {
            assert_eq!(shown(&dev.at("/v1/orders"), token).await, expected);
        }
    };
    assert_eq!(session.run(&format!("revoke-all --owner {user}")).await.exit, 2);
    assert_eq!(session.run(&format!("revoke-all --tenant {tenant}")).await.exit, 2);
    assert_eq!(session.run("revoke-all --everything").await.exit, 2);
    all_work(200).await;
    // Nothing was issued before that.
    let line = format!("revoke-all --owner {user} --issued-before 2020-01-01T00:00:00Z --yes");
    session.run(&line).await.well();
    all_work(200).await;
    let line = format!("revoke-all --owner {user} --reason key_compromise --yes");
    session.run(&line).await.well();
    all_work(401).await;
    let later = dev.token().await;
    assert_eq!(shown(&dev.at("/v1/orders"), &later).await, 200);
    session.run(&format!("revoke-all --tenant {tenant} --yes -o json")).await.well();
    assert_eq!(shown(&dev.at("/v1/orders"), &later).await, 401);
    let last = dev.token().await;
    session.run("revoke-all --everything -y").await.well();
    assert_eq!(shown(&dev.at("/v1/orders"), &last).await, 401);
    // Operators keep theirs.
    session.run("token list -o id").await.well();
    assert_eq!(session.run("revoke-all --owner user_0000000000000000 --yes").await.exit, 1);
    insta::assert_snapshot!(session.transcript());
    dev.process.stop().await;
}

#[tokio::test]
async fn operators_see_and_do_what_their_token_says() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    session.run("whoami").await.well();
    session.run("whoami -o id").await.well();
    session.run("problem last-admin").await.well();
    assert_eq!(session.run("problem urn:rescind:problem:nothing").await.exit, 1);
    session.run("problem -o id").await.well();
    let status = session.json("status", "").await;
    assert_eq!((&status["sealed"], &status["owners"]), (&json!(false), &json!(3)), "{status}");
    let owner = text(&session.json("operator create --name auditor", "").await, "id");
    let line = format!("token create --owner {owner} --kind admin --scopes read");
    let reader = session.run(&line).await.well();
    let own = session.json("whoami", "").await;
    let last = session.run(&format!("token revoke {}", text(&own, "token_id"))).await;
    assert_eq!(last.exit, 1, "the last administrator is gone: {last:?}");
    insta::assert_snapshot!("an_administrator", session.transcript());

    let mut session = Session::with_token(&home, &dev, reader.out.trim());
    session.run("whoami").await.well();
    session.run("user list").await.well();
    assert_eq!(session.run("audit list").await.exit, 1);
    assert_eq!(session.run(&format!("token create --owner {owner}")).await.exit, 1);
    session.run("context show").await.well();
    insta::assert_snapshot!("a_reader", session.transcript());
    let mut session = Session::with_token(&home, &dev, "rescind_admin_nonsense");
    assert_eq!(session.run("token list").await.exit, 1);
    assert_eq!(session.run("token list -o json").await.exit, 1);
    insta::assert_snapshot!("a_stranger", session.transcript());
    dev.process.stop().await;
}

#[tokio::test]
async fn the_audit_trail_is_read_exported_and_verified() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    let anchor = session.run("audit anchor").await.well().out.trim().to_owned();
    let line = "user create --email ada@example.com --tenant acme -o id";
    let user = session.run_with(line, PASSWORD).await.well().out.trim().to_owned();
    session.run("audit list").await.well();
    session.run(&format!("audit list --subject {user} -o wide")).await.well();
    session.run("audit list --action owner.created --limit 1").await.well();
    session.run("audit list --until 2020-01-01T00:00:00Z").await.well();
    session.run("audit list --actor system:bootstrap -o id").await.well();
    session.run(&format!("audit verify --anchor {anchor}")).await.well();
    session.run("audit verify -o json").await.well();
    session.run("audit export --to trail.jsonl").await.well();
    assert_eq!(session.run("audit export --to trail.jsonl").await.exit, 2);
    session.run(&format!("audit verify --file trail.jsonl --anchor {anchor}")).await.well();
    let exported = session.run("audit export").await.well().out;
    let kept = fs::read_to_string(home.path("trail.jsonl")).unwrap();
    assert_eq!(exported, kept);
    // Somebody else's anchor, and one from after an end that was cut off.
    let (seq, _) = anchor.split_once(':').unwrap();
    let ran = session.run(&format!("audit verify --anchor {seq}:{}", "ab".repeat(32))).await;
    assert_eq!(ran.exit, 1);
    let ran = session.run(&format!("audit verify --anchor 999:{}", "ab".repeat(32))).await;
    assert_eq!(ran.exit, 1);
    insta::assert_snapshot!(session.transcript());
    dev.process.stop().await;
}

#[tokio::test]
async fn a_creation_that_is_repeated_makes_one() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let mut session = Session::new(&home);
    let users = session.json("user list", "").await;
    let owner = text(&users["items"][0], "id");
    let line = format!("token create --owner {owner} --idempotency-key deploy-42");
    let first = session.run(&line).await.well();
    let second = session.run(&line).await;
    assert_eq!((second.exit, second.out.as_str()), (1, ""), "{second:?}");
    let json = session.run(&format!("{line} -o json")).await;
    let same: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.exit, same.get("token")), (1, None));
    let other = session.run(&format!("{line} --label other")).await;
    assert_eq!(other.exit, 1, "{other:?}");
    let tokens = session.json(&format!("token list --owner {owner}"), "").await;
    assert_eq!(tokens["items"].as_array().unwrap().len(), 1, "{tokens}");
    assert_eq!(text(&tokens["items"][0], "id"), text(&same, "id"));
    home.run("verify -", &first.out).await.well();
    let line = "operator create --name ci --idempotency-key op-1";
    session.run(line).await.well();
    session.run(line).await.well();
    insta::assert_snapshot!(session.transcript());
    dev.process.stop().await;
}
