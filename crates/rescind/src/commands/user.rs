//! `rescind user …`

use super::{add, fields_of, table_of};
use crate::{
    cli::{UserCommand, UserCreateArgs},
    client::Client,
    failure::Failure,
    input,
    output::Answer,
};
use serde_json::{Value, json};

const FIELDS: [(&str, &str); 7] = [
    ("id", "id"),
    ("e-mail", "email"),
    ("first name", "first_name"),
    ("last name", "last_name"),
    ("tenant", "tenant_id"),
    ("suspended", "suspended"),
    ("created", "created_at"),
];

pub(crate) async fn run(command: UserCommand, client: &Client) -> Result<Answer, Failure> {
    match command {
        UserCommand::Create(args) => create(args, client).await,
        UserCommand::List => {
            let list = client.list(&["v1", "users"], &[]).await?;
            let columns = &["ID", "E-MAIL", "TENANT", "SUSPENDED", "CREATED"];
            let fields = ["id", "email", "tenant_id", "suspended", "created_at"];
            Ok(table_of(list, columns, &fields))
        }
        UserCommand::Suspend { user } => act(&user, "suspend", client).await,
        UserCommand::Resume { user } => act(&user, "resume", client).await,
    }
}

async fn create(args: UserCreateArgs, client: &Client) -> Result<Answer, Failure> {
    let password = input::new_password()?;
    let mut body = json!({"email": args.email, "password": password.as_str()});
    add(&mut body, "first_name", args.first_name);
    add(&mut body, "last_name", args.last_name);
    add(&mut body, "tenant_id", args.tenant);
    Ok(show(client.post(&["v1", "users"], &body).await?))
}

async fn act(user: &str, action: &str, client: &Client) -> Result<Answer, Failure> {
    Ok(show(client.post(&["v1", "users", user, action], &json!({})).await?))
}

fn show(user: Value) -> Answer {
    fields_of(user, &FIELDS)
}
