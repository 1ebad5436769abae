//! `rescind operator …`

use super::confirm::confirmed;
use super::shown::{add, add_bound, created_of, list_of, one_of};
use crate::{
    cli::{OperatorCommand, OperatorCreateArgs, OperatorUpdateArgs},
    client::Client,
    failure::Failure,
    output::{Answer, Column, Output, field},
};
use serde_json::{Value, json};

const PATH: [&str; 2] = ["v1", "operators"];

const COLUMNS: [Column; 6] = [
    Column::new("id", "id"),
    Column::new("name", "name"),
    Column::new("tenant", "tenant_id"),
    Column::new("suspended", "suspended"),
    Column::wide("allowed networks", "allowed_networks"),
    Column::new("created", "created_at"),
];

pub(crate) async fn run(
    command: OperatorCommand,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    match command {
        OperatorCommand::Create(args) => create(args, client).await,
        OperatorCommand::Get(who) => Ok(show(get(who.id.as_str(), client).await?)),
        OperatorCommand::List(paging) => {
            Ok(list_of(client.list(&PATH, &[], &paging).await?, &COLUMNS))
        }
        OperatorCommand::Update(args) => update(&args, client).await,
        OperatorCommand::Suspend { who, confirm } => {
            let id = who.id.as_str();
            if !confirm.yes {
                let name = field(&get(id, client).await?, "name");
                let what = format!(
                    "This refuses every admin token of the operator {name} ({id}) until it is \
                     resumed."
                );
                confirmed(&what, output)?;
            }
            let next = format!("end it with `rescind operator resume {id}`");
            Ok(show(act(id, "suspend", client).await?).next(next))
        }
        OperatorCommand::Resume(who) => Ok(show(act(who.id.as_str(), "resume", client).await?)),
    }
}

async fn create(args: OperatorCreateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({"name": args.name});
    add(&mut body, "tenant_id", args.tenant.as_ref().map(|tenant| tenant.as_str()));
    let key = args.creation.idempotency_key.as_deref();
    let created = client.create(&PATH, &body, key).await?;
    let id = field(&created.body, "id");
    let next = format!("`rescind token create --owner {id} --kind admin --scopes read` lets it in");
    Ok(created_of(created, &COLUMNS).next(next))
}

async fn update(args: &OperatorUpdateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({});
    let networks = args.networks.networks.as_ref().map(|networks| networks.iter());
    add_bound(&mut body, "allowed_networks", networks, args.networks.any_network);
    if body == json!({}) {
        return Err(Failure::usage("nothing to change"));
    }
    Ok(show(client.patch(&["v1", "operators", args.who.id.as_str()], &body).await?))
}

async fn get(id: &str, client: &Client) -> Result<Value, Failure> {
    Ok(client.get(&["v1", "operators", id], &[]).await?.body)
}

async fn act(id: &str, action: &str, client: &Client) -> Result<Value, Failure> {
    client.post(&["v1", "operators", id, action], &json!({})).await
}

fn show(operator: Value) -> Answer {
    one_of(operator, &COLUMNS)
}
