//! `rescind whoami`, `rescind status`, and what the server says of itself.

use super::shown::{list_of, one_of};
use crate::{
    cli::ProblemArgs,
    client::{Client, List},
    failure::Failure,
    output::{Answer, Column, Text},
};
use serde_json::{Value, json};

const WHOAMI: [Column; 5] = [
    Column::new("token", "token_id"),
    Column::new("operator", "owner_id"),
    Column::new("name", "name"),
    Column::new("tenant", "tenant_id"),
    Column::new("scopes", "scopes"),
];

const STATUS: [Column; 7] = [
    Column::new("version", "version"),
    Column::new("epoch", "epoch"),
    Column::new("active tokens", "active_tokens"),
    Column::new("owners", "owners"),
    Column::new("store", "store"),
    Column::new("sealed", "sealed"),
    Column::new("up for", "uptime"),
];

pub(crate) async fn whoami(client: &Client) -> Result<Answer, Failure> {
    Ok(one_of(client.get(&["v1", "whoami"], &[]).await?.body, &WHOAMI))
}

pub(crate) async fn status(client: &Client) -> Result<Answer, Failure> {
    let status = client.get(&["v1", "status"], &[]).await?.body;
    let of = readable(&status);
    Ok(Answer::new(status, Text::Fields { columns: &STATUS, of }))
}

const PROBLEM: [Column; 4] = [
    Column::new("name", "name"),
    Column::new("status", "status"),
    Column::new("title", "title"),
    Column::new("meaning", "meaning"),
];

pub(crate) async fn problem(args: &ProblemArgs, client: &Client) -> Result<Answer, Failure> {
    if let Some(name) = &args.name {
        return Ok(one_of(client.get(&["v1", "problems", name], &[]).await?.body, &PROBLEM));
    }
    let mut all = client.get(&["v1", "problems"], &[]).await?.body;
    let Some(Value::Array(items)) = all.get_mut("items").map(Value::take) else {
        return Err(client.stranger());
    };
    Ok(list_of(List { items, next: None }, &PROBLEM))
}

pub(crate) async fn openapi(client: &Client) -> Result<Answer, Failure> {
    let description = client.get(&["v1", "openapi.json"], &[]).await?.body;
    let text = format!("{description:#}");
    Ok(Answer::line(description, text))
}

/// With the store in one cell, and the uptime in words.
fn readable(status: &Value) -> Value {
    let mut shown = status.clone();
    let store = |name: &str| status.pointer(&format!("/store/{name}")).and_then(Value::as_str);
    let seconds = status.get("uptime_seconds").and_then(Value::as_u64).unwrap_or_default();
    let uptime = humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string();
    if let Some(shown) = shown.as_object_mut() {
        let parts: Vec<_> = ["kind", "path"].into_iter().filter_map(store).collect();
        shown.insert("store".into(), json!(parts.join(" in ")));
        shown.insert("uptime".into(), json!(uptime));
    }
    shown
}
