//! `rescind verify -`

use super::add;
use crate::{
    cli::VerifyArgs,
    client::Client,
    failure::{Exit, Failure},
    input,
    output::{Answer, Text, field},
};
use serde_json::{Value, json};

pub(crate) async fn run(args: VerifyArgs, client: &Client) -> Result<Answer, Failure> {
    let token = input::first_line("token")?;
    let mut body = json!({"token": token.as_str()});
    let scopes = args.scopes.as_ref();
    add(&mut body, "scopes", scopes.map(|scopes| scopes.iter().collect::<Vec<_>>()));
    verdict(client.post(&["v1", "verify"], &body).await?)
}

/// Anything but a clear yes or no is a fault: exit code 0 must never mean "could not tell".
pub(super) fn verdict(answer: Value) -> Result<Answer, Failure> {
    let (line, exit) = match answer.get("valid").and_then(Value::as_bool) {
        Some(true) => {
            let until = match field(&answer, "expires_at").as_str() {
                "-" => "until revoked".to_owned(),
                until => format!("until {until}"),
            };
            let (id, owner) = (field(&answer, "token_id"), field(&answer, "owner_id"));
            (format!("valid: token {id} of {owner}, {until}"), Exit::Done)
        }
        Some(false) => (format!("not valid: {}", field(&answer, "reason")), Exit::Refused),
        None => return Err(Failure::unreachable("the server's answer says neither yes nor no")),
    };
    Ok(Answer { exit, ..Answer::new(answer, Text::Line(line)) })
}
