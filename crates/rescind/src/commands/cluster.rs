//! `rescind cluster`: every node, and how far each one is.

use super::shown::list_of;
use crate::{
    client::{Client, List},
    failure::Failure,
    output::{Answer, Column, field},
};
use serde_json::Value;

const NODES: [Column; 5] = [
    Column::new("node", "node"),
    Column::new("applied", "applied"),
    Column::new("behind", "behind"),
    Column::new("lease in ms", "lease_ms"),
    Column::new("renewals", "renewals"),
];

/// Of the node that was asked.
fn direct(direct: &Value) -> String {
    let [rung, hearing, others] = ["rung", "hearing", "others"].map(|name| field(direct, name));
    format!("this node rings {rung} of {others} others directly, and {hearing} hear it directly")
}

pub(crate) async fn cluster(client: &Client) -> Result<Answer, Failure> {
    let mut cluster = client.get(&["v1", "cluster"], &[]).await?.body;
    let Some(Value::Array(items)) = cluster.get_mut("nodes").map(Value::take) else {
        return Err(client.stranger());
    };
    let alone = items.is_empty();
    let direct = cluster.get("direct").filter(|direct| direct.is_object()).map(direct);
    let answer = list_of(List { items, next: None }, &NODES);
    let answer = direct.into_iter().fold(answer, Answer::note);
    Ok(if alone { answer.note("this is the only node: its lease cannot lapse") } else { answer })
}
