//! `rescind token …`

use super::{add, fields_of, table_of};
use crate::{
    cli::{TokenCommand, TokenCreateArgs, TokenListArgs, TokenRevokeArgs},
    client::Client,
    failure::Failure,
    output::{Answer, Text, field},
};
use serde_json::{Value, json};

const PATH: [&str; 2] = ["v1", "tokens"];

const FIELDS: [(&str, &str); 12] = [
    ("id", "id"),
    ("owner", "owner_id"),
    ("kind", "kind"),
    ("label", "label"),
    ("scopes", "scopes"),
    ("state", "state"),
    ("issued", "issued_at"),
    ("expires", "expires_at"),
    ("last used", "last_used_at"),
    ("revoked", "revoked_at"),
    ("revoked by", "revoked_by"),
    ("reason", "revocation_reason"),
];

pub(crate) async fn run(command: TokenCommand, client: &Client) -> Result<Answer, Failure> {
    match command {
        TokenCommand::Create(args) => Ok(created(client.post(&PATH, &creation(&args)).await?)),
        TokenCommand::List(args) => list(&args, client).await,
        TokenCommand::Show { id } => {
            let reply = client.get(&["v1", "tokens", id.as_str()], &[]).await?;
            Ok(fields_of(reply.body, &FIELDS))
        }
        TokenCommand::Revoke(args) => revoke(&args, client).await,
    }
}

fn creation(args: &TokenCreateArgs) -> Value {
    let mut body = json!({"owner_id": args.owner.as_str(), "kind": args.kind.as_str()});
    add(&mut body, "label", args.label.as_deref());
    let scopes = args.scopes.as_ref();
    add(&mut body, "scopes", scopes.map(|scopes| scopes.iter().collect::<Vec<_>>()));
    add(&mut body, "expires_in_seconds", args.expires_in.map(|lifetime| lifetime.as_secs()));
    body
}

/// The secret alone goes to standard output, so that it can go straight into a file.
pub(super) fn created(answer: Value) -> Answer {
    let secret = ["token", "secret"].into_iter().find(|name| answer.get(name).is_some());
    let secret = secret.map(|name| field(&answer, name)).unwrap_or_default();
    let mut about = format!("token {} of {}", field(&answer, "id"), field(&answer, "owner_id"));
    if let Some(expires) = answer.get("expires_at").and_then(Value::as_str) {
        about.push_str(&format!(", valid until {expires}"));
    }
    Answer::new(answer, Text::Line(secret))
        .note(about)
        .note("this is its secret; it is not shown again")
}

async fn list(args: &TokenListArgs, client: &Client) -> Result<Answer, Failure> {
    let mut query = vec![("state", if args.all { "all" } else { "active" })];
    query.extend(args.owner.as_ref().map(|owner| ("owner_id", owner.as_str())));
    let list = client.list(&PATH, &query).await?;
    let columns = &["ID", "OWNER", "KIND", "LABEL", "SCOPES", "STATE", "EXPIRES", "LAST USED"];
    let fields =
        ["id", "owner_id", "kind", "label", "scopes", "state", "expires_at", "last_used_at"];
    Ok(table_of(list, columns, &fields))
}

async fn revoke(args: &TokenRevokeArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({});
    add(&mut body, "reason", args.reason.map(|reason| reason.as_str()));
    Ok(revoked(client.post(&["v1", "tokens", args.id.as_str(), "revoke"], &body).await?))
}

pub(super) fn revoked(answer: Value) -> Answer {
    let record = answer.get("token").cloned().unwrap_or_default();
    let id = field(&record, "id");
    let line = if answer.get("already_revoked") == Some(&Value::Bool(true)) {
        format!("{id} was already revoked, at {}", field(&record, "revoked_at"))
    } else {
        format!(
            "{id} is revoked, everywhere (epoch {}, {} ms)",
            field(&answer, "epoch"),
            field(&answer, "milliseconds")
        )
    };
    Answer::new(answer, Text::Line(line))
}
