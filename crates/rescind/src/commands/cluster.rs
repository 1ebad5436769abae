//! `rescind cluster`: every node, and how far each one is.

use super::shown::list_of;
use crate::{
    client::{Client, List},
    failure::Failure,
    output::{Answer, Column},
};
use serde_json::Value;

const NODES: [Column; 5] = [
    Column::new("node", "node"),
    Column::new("applied", "applied"),
    Column::new("behind", "behind"),
    Column::new("lease in ms", "lease_ms"),
    Column::new("renewals", "renewals"),
];

pub(crate) async fn cluster(client: &Client) -> Result<Answer, Failure> {
    let mut cluster = client.get(&["v1", "cluster"], &[]).await?.body;
    let Some(Value::Array(items)) = cluster.get_mut("nodes").map(Value::take) else {
        return Err(client.stranger());
    };
    let alone = items.is_empty();
    let answer = list_of(List { items, next: None }, &NODES);
    Ok(if alone { answer.note("this is the only node: its lease cannot lapse") } else { answer })
}
