//! `rescind token …`

mod create;
mod import;

#[cfg(test)]
pub(super) use create::{created, rotated};

use super::shown::{add, add_bound, list_of, one_of};
use crate::{
    cli::{
        Presented, Reason, State, TokenCommand, TokenListArgs, TokenRevokeArgs, TokenUpdateArgs,
    },
    client::Client,
    failure::Failure,
    output::{Answer, Column, Output, field},
};
use clap::ValueEnum as _;
use rescind_core::Timestamp;
use serde_json::{Value, json};

const PATH: [&str; 2] = ["v1", "tokens"];

const COLUMNS: [Column; 16] = [
    Column::new("id", "id"),
    Column::new("owner", "owner_id"),
    Column::new("kind", "kind"),
    Column::new("label", "label"),
    Column::new("scopes", "scopes"),
    Column::new("state", "state"),
    Column::wide("issued", "issued_at"),
    Column::new("expires", "expires_at"),
    Column::new("last used", "last_used_at"),
    Column::wide("allowed networks", "allowed_networks"),
    Column::wide("rotated from", "rotated_from"),
    Column::wide("superseded by", "superseded_by"),
    Column::wide("revoked", "revoked_at"),
    Column::wide("revoked by", "revoked_by"),
    Column::wide("reason", "revocation_reason"),
    Column::wide("revoked with all before", "revoked_with_all_before"),
];

pub(crate) async fn run(
    command: TokenCommand,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    match command {
        TokenCommand::Create(args) => create::create(&args, client, output).await,
        TokenCommand::Get(token) => {
            let reply = client.get(&["v1", "tokens", token.id.as_str()], &[]).await?;
            Ok(one_of(reply.body, &COLUMNS))
        }
        TokenCommand::List(args) => list(&args, client).await,
        TokenCommand::Update(args) => update(&args, client).await,
        TokenCommand::Rotate(args) => create::rotate(&args, client, output).await,
        TokenCommand::Revoke(args) => revoke(&args, client, output).await,
        TokenCommand::RevokePresented { presented, reason } => {
            revoke_presented(&presented, &reason, client, output).await
        }
        TokenCommand::Import(args) => import::run(&args, client).await,
    }
}

async fn list(args: &TokenListArgs, client: &Client) -> Result<Answer, Failure> {
    let state = if args.all { State::All } else { args.state }.to_possible_value();
    let before = args.issued_before.map(Timestamp::to_rfc3339_millis);
    let after = args.issued_after.map(Timestamp::to_rfc3339_millis);
    let asked = [
        ("state", state.as_ref().map(|state| state.get_name())),
        ("owner_id", args.owner.as_ref().map(|owner| owner.as_str())),
        ("tenant_id", args.tenant.as_ref().map(|tenant| tenant.as_str())),
        ("kind", args.kind.map(|kind| kind.as_str())),
        ("scope", args.scope.as_deref()),
        ("issued_before", before.as_deref()),
        ("issued_after", after.as_deref()),
    ];
    let query: Vec<_> = asked.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    Ok(list_of(client.list(&PATH, &query, &args.paging).await?, &COLUMNS))
}

async fn update(args: &TokenUpdateArgs, client: &Client) -> Result<Answer, Failure> {
    let mut body = json!({});
    add(&mut body, "label", args.label.as_deref());
    let scopes = args.scopes.as_ref().map(|scopes| scopes.iter());
    add_bound(&mut body, "scopes", scopes, false);
    add(&mut body, "expires_at", args.expires_at.map(Timestamp::to_rfc3339_millis));
    let networks = args.networks.networks.as_ref().map(|networks| networks.iter());
    add_bound(&mut body, "allowed_networks", networks, args.networks.any_network);
    if body == json!({}) {
        return Err(Failure::usage("nothing to change"));
    }
    let token = client.patch(&["v1", "tokens", args.token.id.as_str()], &body).await?;
    Ok(one_of(token, &COLUMNS))
}

async fn revoke(
    args: &TokenRevokeArgs,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    let path = ["v1", "tokens", args.token.id.as_str(), "revoke"];
    let mut body = json!({});
    add_reason(&mut body, &args.reason);
    Ok(revoked(client.revoke(&path, &body, output).await?))
}

async fn revoke_presented(
    presented: &Presented,
    reason: &Reason,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    let token = presented.read()?;
    let mut body = json!({"token": token.as_str()});
    add_reason(&mut body, reason);
    Ok(revoked(client.revoke(&["v1", "tokens", "revoke"], &body, output).await?))
}

fn add_reason(body: &mut Value, reason: &Reason) {
    add(body, "reason", reason.reason.map(|reason| reason.as_str()));
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
            field(&answer, "took_ms")
        )
    };
    Answer::line(answer, line).id(id)
}
