//! `rescind verify -`

use super::shown::add;
use crate::{
    cli::VerifyArgs,
    client::Client,
    failure::{Exit, Failure},
    input,
    output::{Answer, Column, Text, field},
};
use serde_json::{Value, json};

/// Questions in one request, at most, as the server takes them.
const BATCH_ITEMS_MAX: usize = 100;

const PATH: [&str; 2] = ["v1", "verify"];

const COLUMNS: [Column; 8] = [
    Column::new("line", "line"),
    Column::new("state", "state"),
    Column::new("token", "token_id"),
    Column::new("owner", "owner_id"),
    Column::wide("kind", "kind"),
    Column::wide("scopes", "scopes"),
    Column::wide("body", "body"),
    Column::new("expires", "expires_at"),
];

pub(crate) async fn run(args: VerifyArgs, client: &Client) -> Result<Answer, Failure> {
    if args.batch {
        return batch(&args, client).await;
    }
    let token = args.presented.read()?;
    verdict(client.post(&PATH, &question(json!({"token": token.as_str()}), &args)).await?)
}

/// Anything but a clear yes or no is a fault: exit code 0 must never mean "could not tell".
pub(super) fn verdict(answer: Value) -> Result<Answer, Failure> {
    let (id, owner) = (field(&answer, "token_id"), field(&answer, "owner_id"));
    if is_valid(&answer)? {
        let until = match field(&answer, "expires_at").as_str() {
            "-" => "until revoked".to_owned(),
            until => format!("until {until}"),
        };
        let line = format!("valid: token {id} of {owner}, {until}");
        return Ok(Answer::line(answer, line).id(id));
    }
    let line = format!("not valid: {}", field(&answer, "reason"));
    Ok(Answer { exit: Exit::Refused, ids: Some(vec![]), ..Answer::line(answer, line) })
}

async fn batch(args: &VerifyArgs, client: &Client) -> Result<Answer, Failure> {
    let mut items = Vec::new();
    for line in input::lines() {
        let (number, line) = line?;
        let item = match line.starts_with('{') {
            true => serde_json::from_str(&line)
                .map_err(|_| Failure::usage(format!("line {number} is not a JSON object")))?,
            false => json!({"token": line.trim()}),
        };
        items.push((number, question(item, args)));
    }
    if items.is_empty() {
        return Err(Failure::usage("there is no token on standard input"));
    }
    let mut results = Vec::new();
    for chunk in items.chunks(BATCH_ITEMS_MAX) {
        let asked: Vec<_> = chunk.iter().map(|(_, item)| item).collect();
        let mut answer = client.post(&PATH, &json!({"items": asked})).await?;
        match answer.get_mut("results").map(Value::take) {
            Some(Value::Array(answers)) if answers.len() == chunk.len() => {
                results.extend(chunk.iter().map(|(line, _)| *line).zip(answers));
            }
            _ => return Err(unclear()),
        }
    }
    verdicts(results)
}

/// Exit code 0 only if all of them are valid.
pub(super) fn verdicts(results: Vec<(u64, Value)>) -> Result<Answer, Failure> {
    let (mut rows, mut ids) = (Vec::new(), Vec::new());
    for (line, result) in &results {
        let mut row = result.clone();
        let state = if is_valid(result)? {
            ids.push(field(result, "token_id"));
            "valid".to_owned()
        } else {
            format!("not valid: {}", field(result, "reason"))
        };
        add(&mut row, "line", Some(*line));
        add(&mut row, "state", Some(state));
        rows.push(row);
    }
    let exit = if ids.len() == rows.len() { Exit::Done } else { Exit::Refused };
    let note = format!("{} of {} are valid", ids.len(), rows.len());
    let results: Vec<_> = results.into_iter().map(|(_, result)| result).collect();
    let answer = Answer::new(json!({"results": results}), Text::Table { columns: &COLUMNS, rows });
    Ok(Answer { exit, ids: Some(ids), ..answer.note(note) })
}

/// With what the command line asks of each.
fn question(mut item: Value, args: &VerifyArgs) -> Value {
    let scopes = args.scopes.as_ref();
    add(&mut item, "scopes", scopes.map(|scopes| scopes.iter().collect::<Vec<_>>()));
    add(&mut item, "client_address", args.client_address.map(|address| address.to_string()));
    item
}

fn is_valid(answer: &Value) -> Result<bool, Failure> {
    answer.get("valid").and_then(Value::as_bool).ok_or_else(unclear)
}

fn unclear() -> Failure {
    Failure::unreachable("the server's answer says neither yes nor no")
        .next("`rescind doctor` shows which version it has")
}
