//! `rescind user …`

use super::shown::{add, add_bound, created_of, list_of, one_of};
use crate::{
    cli::{UserCommand, UserCreateArgs, UserListArgs, UserPasswordArgs, UserUpdateArgs},
    client::Client,
    failure::Failure,
    input,
    output::{Answer, Column, field},
};
use serde_json::{Value, json};

const PATH: [&str; 2] = ["v1", "users"];

const COLUMNS: [Column; 9] = [
    Column::new("id", "id"),
    Column::new("e-mail", "email"),
    Column::wide("first name", "first_name"),
    Column::wide("last name", "last_name"),
    Column::new("tenant", "tenant_id"),
    Column::new("suspended", "suspended"),
    Column::wide("allowed scopes", "allowed_scopes"),
    Column::wide("allowed networks", "allowed_networks"),
    Column::new("created", "created_at"),
];

pub(crate) async fn run(command: UserCommand, client: &Client) -> Result<Answer, Failure> {
    match command {
        UserCommand::Create(args) => create(args, client).await,
        UserCommand::Get(who) => Ok(show(client.get(&at(&who.user), &[]).await?.body)),
        UserCommand::List(args) => list(&args, client).await,
        UserCommand::Update(args) => update(args, client).await,
        UserCommand::Suspend(who) => {
            let user = act(&who.user, "suspend", client).await?;
            let next = format!("end it with `rescind user resume {}`", field(&user, "id"));
            Ok(show(user).next(next))
        }
        UserCommand::Resume(who) => Ok(show(act(&who.user, "resume", client).await?)),
        UserCommand::Password(args) => password(&args, client).await,
    }
}

async fn create(args: UserCreateArgs, client: &Client) -> Result<Answer, Failure> {
    let password = input::new_password()?;
    let mut body = json!({"email": args.email, "password": password.as_str()});
    add(&mut body, "first_name", args.first_name);
    add(&mut body, "last_name", args.last_name);
    add(&mut body, "tenant_id", args.tenant.as_ref().map(|tenant| tenant.as_str()));
    let key = args.creation.idempotency_key.as_deref();
    let created = client.create(&PATH, &body, key).await?;
    let next = format!("`rescind token create --owner {}` issues a token", id(&created.body));
    Ok(created_of(created, &COLUMNS).next(next))
}

async fn list(args: &UserListArgs, client: &Client) -> Result<Answer, Failure> {
    let tenant = args.tenant.as_ref().map(|tenant| ("tenant_id", tenant.as_str()));
    let query: Vec<_> = tenant.into_iter().collect();
    Ok(list_of(client.list(&PATH, &query, &args.paging).await?, &COLUMNS))
}

async fn update(args: UserUpdateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({});
    add(&mut body, "first_name", args.first_name);
    add(&mut body, "last_name", args.last_name);
    let scopes = args.scopes.scopes.as_ref().map(|scopes| scopes.iter());
    add_bound(&mut body, "allowed_scopes", scopes, args.scopes.any_scope);
    let networks = args.networks.networks.as_ref().map(|networks| networks.iter());
    add_bound(&mut body, "allowed_networks", networks, args.networks.any_network);
    if body == json!({}) {
        return Err(Failure::usage("nothing to change"));
    }
    Ok(show(client.patch(&at(&args.who.user), &body).await?))
}

async fn password(args: &UserPasswordArgs, client: &Client) -> Result<Answer, Failure> {
    let password = input::new_password()?;
    let revoke = !args.keep_tokens;
    let body = json!({"password": password.as_str(), "revoke_tokens": revoke});
    let user = client.put(&["v1", "users", &args.who.user, "password"], &body).await?;
    Ok(show(user).note(if revoke {
        "the password is set, and all tokens that there were are revoked"
    } else {
        "the password is set; tokens that were made with the old one stay valid"
    }))
}

async fn act(user: &str, action: &str, client: &Client) -> Result<Value, Failure> {
    client.post(&["v1", "users", user, action], &json!({})).await
}

fn at(user: &str) -> [&str; 3] {
    ["v1", "users", user]
}

fn id(user: &Value) -> String {
    field(user, "id")
}

fn show(user: Value) -> Answer {
    one_of(user, &COLUMNS)
}
