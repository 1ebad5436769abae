//! An operator's day on the command line, against a running `rescind dev`.

use crate::caller::{Dev, http, json_of, log_in, shown, text};
use crate::process::{Home, Process, Ran, run};
use rescind_guard::{Clock as _, clock::SystemClock};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const PASSWORD: &str = "correct horse battery staple";
/// A list shows a use within this.
const LAST_USED_WITHIN_MILLIS: u64 = 5_000;

/// The command line, and how it finds the server.
struct Operator<'a> {
    home: &'a Home,
    variables: Vec<(&'static str, String)>,
}

impl Operator<'_> {
    async fn run(&self, line: &str, input: &str) -> Ran {
        let mut command = self.home.rescind(line.split_whitespace());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        run(command, input).await
    }

    async fn json(&self, line: &str, input: &str) -> Value {
        self.run(&format!("{line} --json"), input).await.well().json()
    }
}

/// With the context that `rescind dev` saved.
fn by_saved_context(home: &Home) -> Operator<'_> {
    Operator { home, variables: vec![] }
}

#[tokio::test]
async fn a_users_token_lives_from_login_to_revocation() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    a_users_day(&dev, &by_saved_context(&home)).await;
    dev.process.stop().await;
}

#[tokio::test]
async fn the_environment_leads_to_a_server_that_is_not_saved() {
    let home = Home::new();
    let data = home.path("elsewhere").to_str().unwrap().to_owned();
    let dev = Dev::start_with(&home, &["--data", &data]).await;
    assert!(!home.path("config").exists(), "the context of a server elsewhere was saved");
    assert_eq!(home.run("token list", "").await.exit, 2);
    let variables = vec![
        ("RESCIND_ADMIN_URL", dev.fact("admin_url").to_owned()),
        ("RESCIND_ADMIN_TOKEN", dev.fact("admin_token").to_owned()),
    ];
    let operator = Operator { home: &home, variables };
    a_users_day(&dev, &operator).await;

    // Kept, it is found without the environment.
    operator.run("doctor --save", "").await.well();
    let mode = fs::metadata(home.path("config/rescind/contexts.json")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    by_saved_context(&home).run("token list", "").await.well();
    dev.process.stop().await;
}

async fn a_users_day(dev: &Dev, operator: &Operator<'_>) {
    let line = "user create --email ada@example.com --first-name Ada --tenant acme";
    let user = operator.json(line, &format!("{PASSWORD}\n")).await;
    assert_eq!(
        (&user["email"], &user["first_name"], &user["tenant_id"], &user["suspended"]),
        (&json!("ada@example.com"), &json!("Ada"), &json!("acme"), &json!(false))
    );
    let again = operator.run(line, PASSWORD).await;
    assert_eq!(again.exit, 1, "{again:?}");

    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let (status, made) = json_of(http().post(dev.at("/auth/token")).json(&login)).await;
    assert_eq!(status, 200, "{made}");
    let (id, token) = (text(&made, "token_id"), text(&made, "access_token"));
    let owner = text(&user, "id");
    let list = operator.json(&format!("token list --owner {owner}"), "").await;
    assert_eq!((&list["items"][0]["id"], &list["next"]), (&json!(id), &Value::Null), "{list}");
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let shown = operator.run(&format!("token show {id}"), "").await.well();
    assert!(shown.out.contains("\nstate                    active\n"), "{shown:?}");
    assert!(!format!("{list}{}", shown.out).contains(&token), "a secret was listed");

    let valid = operator.run("verify -", &token).await.well();
    assert_eq!(valid.out.split(',').next(), Some(&*format!("valid: token {id} of {owner}")));
    let missing = operator.run("verify - --scopes trading", &token).await;
    assert_eq!((missing.exit, &*missing.out), (1, "not valid: missing_scope\n"));

    let line = format!("token revoke {id} --reason key_compromise");
    let revoked = operator.json(&line, "").await;
    assert_eq!(revoked["already_revoked"], json!(false));
    assert_eq!(revoked["token"]["revocation_reason"], json!("key_compromise"));
    // "unknown": what is revoked is let go of at once, and nothing is kept that could be believed.
    let invalid = operator.run("verify -", &token).await;
    assert_eq!((invalid.exit, &*invalid.out), (1, "not valid: unknown\n"));
    let again = operator.json(&line, "").await;
    assert_eq!(again["already_revoked"], json!(true));
    let all = operator.json(&format!("token list --all --owner {owner}"), "").await;
    assert_eq!(all["items"][0]["state"], json!("revoked"));
    let none = operator.run(&format!("token list --owner {owner}"), "").await.well();
    assert_eq!(none.talk, "none\n");
}

#[tokio::test]
async fn a_suspended_user_is_refused_until_resumed() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let operator = by_saved_context(&home);
    let email = dev.fact("email").to_owned();
    let login = json!({"email": email, "password": dev.fact("password")});
    let token = dev.token().await;

    let user = operator.json(&format!("user suspend {email}"), "").await;
    assert_eq!(user["suspended"], json!(true));
    assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 401);
    let refused = json_of(http().post(dev.at("/auth/token")).json(&login)).await;
    assert_eq!(refused.0, 401, "{refused:?}");
    let invalid = operator.run("verify -", &token).await;
    assert_eq!((invalid.exit, &*invalid.out), (1, "not valid: owner_suspended\n"));

    let line = format!("user resume {}", text(&user, "id"));
    assert_eq!(operator.json(&line, "").await["suspended"], json!(false));
    assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 200);
    dev.token().await;
    let users = operator.json("user list", "").await;
    assert_eq!(users["items"][0]["email"], json!(email));
    assert_eq!(operator.run("user suspend nobody@example.com", "").await.exit, 1);
    dev.process.stop().await;
}

#[tokio::test]
async fn a_partners_scopes_bound_what_its_tokens_may_do() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let operator = by_saved_context(&home);
    let subject = "did:rescind:demo";
    let partners = operator.json("partner list", "").await;
    assert_eq!(partners["items"][0]["subject"], json!(subject));
    let owner = text(&partners["items"][0], "id");
    let line = format!("token create --owner {owner} --kind api_key --scopes trading,withdrawal");
    let key = operator.run(&line, "").await.well();
    assert!(key.talk.contains("it is not shown again"), "{key:?}");
    let key = key.out.trim();
    operator.run("verify - --scopes withdrawal", key).await.well();

    let line = format!("partner set --subject {subject} --scopes trading --token-management false");
    let partner = operator.json(&line, "").await;
    assert_eq!(
        (&partner["allowed_scopes"], &partner["token_management"]),
        (&json!(["trading"]), &json!(false))
    );
    // At once, and for the token that was there before.
    let less = operator.run("verify - --scopes withdrawal", key).await;
    assert_eq!((less.exit, &*less.out), (1, "not valid: missing_scope\n"));
    operator.run("verify - --scopes trading", key).await.well();
    let too_much = format!("token create --owner {owner} --kind signing --scopes withdrawal");
    assert_eq!(operator.run(&too_much, "").await.exit, 1);
    assert_eq!(operator.run("partner set --subject nobody --scopes trading", "").await.exit, 1);

    let line = "partner create --subject did:rescind:other --scopes trading";
    assert_eq!(operator.json(line, "").await["subject"], json!("did:rescind:other"));
    dev.process.stop().await;
}

#[tokio::test]
async fn a_use_shows_in_the_list_within_five_seconds() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let token = dev.token().await;
    let used_at = SystemClock.boottime().as_millis();
    assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 200);
    loop {
        let list = by_saved_context(&home).json("token list", "").await;
        let seen = SystemClock.boottime().as_millis() - used_at;
        let items = list["items"].as_array().unwrap();
        let users = items.iter().find(|token| token["kind"] == "bearer").unwrap();
        if users["last_used_at"].is_string() {
            println!("shown after {seen} ms");
            break;
        }
        assert!(seen < LAST_USED_WITHIN_MILLIS, "still not shown after {seen} ms: {list}");
    }
    let table = by_saved_context(&home).run("token list", "").await.well();
    assert!(table.out.starts_with("ID  ") && table.out.contains("LAST USED"), "{table:?}");
    dev.process.stop().await;
}

#[tokio::test]
async fn a_token_with_a_lifetime_ends_by_itself() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let operator = by_saved_context(&home);
    let users = operator.json("user list", "").await;
    let owner = text(&users["items"][0], "id");
    let made = operator.json(&format!("token create --owner {owner} --expires-in 1s"), "").await;
    let token = text(&made, "token");
    loop {
        let ran = operator.run("verify -", &token).await;
        match ran.exit {
            0 => {}
            _ => break assert_eq!(ran.out, "not valid: expired\n"),
        }
    }
    dev.process.stop().await;
}

#[tokio::test]
async fn a_server_that_has_gone_is_said_to_be_gone() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let token = dev.token().await;
    let Dev { process, .. } = dev;
    Process::kill(process).await;
    // Exit code 1 would mean that the token is not valid.
    let ran = home.run("verify -", &token).await;
    assert_eq!((ran.exit, &*ran.out), (3, ""), "{ran:?}");
    assert!(ran.talk.contains("cannot connect to") && !ran.talk.contains(&token), "{ran:?}");
    let well_again = Dev::start(&home).await;
    let (base, facts) = (well_again.fact("base_url"), &well_again.facts);
    log_in(base, &text(facts, "email"), &text(facts, "password")).await;
    home.run("verify -", &token).await.well();
    well_again.process.stop().await;
}
