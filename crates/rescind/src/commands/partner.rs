//! `rescind partner …`

use super::{add, fields_of, table_of};
use crate::{
    cli::{Capabilities, PartnerCommand, PartnerCreateArgs, PartnerName, PartnerSetArgs},
    client::Client,
    failure::Failure,
    output::{Answer, field},
};
use serde_json::{Value, json};

const PATH: [&str; 2] = ["v1", "partners"];

const FIELDS: [(&str, &str); 9] = [
    ("id", "id"),
    ("subject", "subject"),
    ("issuer", "issuer"),
    ("profile", "profile_id"),
    ("account", "account"),
    ("token management", "token_management"),
    ("allowed scopes", "allowed_scopes"),
    ("suspended", "suspended"),
    ("created", "created_at"),
];

pub(crate) async fn run(command: PartnerCommand, client: &Client) -> Result<Answer, Failure> {
    match command {
        PartnerCommand::Create(args) => create(args, client).await,
        PartnerCommand::List => {
            let columns = &["ID", "SUBJECT", "PROFILE", "TOKEN MANAGEMENT", "SCOPES", "SUSPENDED"];
            let fields =
                ["id", "subject", "profile_id", "token_management", "allowed_scopes", "suspended"];
            Ok(table_of(client.list(&PATH, &[]).await?, columns, &fields))
        }
        PartnerCommand::Set(args) => set(args, client).await,
    }
}

async fn create(args: PartnerCreateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({"subject": args.who.subject});
    add(&mut body, "issuer", args.who.issuer);
    add(&mut body, "account", args.account);
    add_capabilities(&mut body, &args.capabilities);
    Ok(show(client.post(&PATH, &body).await?))
}

async fn set(args: PartnerSetArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({});
    add_capabilities(&mut body, &args.capabilities);
    add(&mut body, "suspended", args.suspended);
    if body == json!({}) {
        return Err(Failure::usage("nothing to set")
            .next("give --token-management, --scopes or --suspended"));
    }
    let id = find(&args.who, client).await?;
    Ok(show(client.patch(&["v1", "partners", &id], &body).await?))
}

/// The one partner that is meant.
async fn find(who: &PartnerName, client: &Client) -> Result<String, Failure> {
    let mut query = vec![("subject", who.subject.as_str())];
    query.extend(who.issuer.as_deref().map(|issuer| ("issuer", issuer)));
    let found = client.list(&PATH, &query).await?.items;
    match found.as_slice() {
        [one] => Ok(field(one, "id")),
        [] => Err(Failure::refused(format!("there is no partner `{}`", who.subject))
            .next("create it with `rescind partner create`")),
        several => {
            let issuers: Vec<_> = several.iter().map(|one| field(one, "issuer")).collect();
            Err(Failure::refused(format!("several issuers know `{}`", who.subject))
                .next(format!("choose with --issuer: {}", issuers.join(", "))))
        }
    }
}

fn add_capabilities(body: &mut Value, capabilities: &Capabilities) {
    add(body, "token_management", capabilities.token_management);
    let scopes = capabilities.scopes.as_ref();
    add(body, "allowed_scopes", scopes.map(|scopes| scopes.iter().collect::<Vec<_>>()));
}

fn show(partner: Value) -> Answer {
    fields_of(partner, &FIELDS)
}
