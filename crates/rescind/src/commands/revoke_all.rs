//! `rescind revoke-all`: one write, however many tokens it ends. Before it, a person hears how many
//! those are.

use super::confirm::confirmed;
use super::shown::add;
use crate::{
    cli::{Paging, RevokeAllArgs},
    client::Client,
    failure::{Exit, Failure},
    output::{Answer, Output, field},
};
use rescind_core::Timestamp;
use serde_json::{Value, json};

/// Beyond this the number says no more than "many".
const COUNTED: Paging = Paging { limit: 1_000, after: None };

pub(crate) async fn run(
    args: &RevokeAllArgs,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    if !args.confirm.yes {
        confirmed(&warning(args, client).await?, output)?;
    }
    let mut body = level(args);
    add(&mut body, "issued_before", args.issued_before.map(Timestamp::to_rfc3339_millis));
    add(&mut body, "reason", args.reason.map(|reason| reason.as_str()));
    Ok(revoked(client.revoke(&["v1", "revocations"], &body, output).await?))
}

pub(super) fn revoked(answer: Value) -> Answer {
    let whose = match field(&answer, "level").as_str() {
        "everything" => "all tokens of users and partners".to_owned(),
        level => format!("all tokens of {level} {}", field(&answer, "subject")),
    };
    let line = format!(
        "{whose} issued before {} are revoked, everywhere (epoch {}, {} ms)",
        field(&answer, "not_before"),
        field(&answer, "epoch"),
        field(&answer, "took_ms")
    );
    let id = match field(&answer, "subject").as_str() {
        "-" => "everything".to_owned(),
        subject => subject.to_owned(),
    };
    Answer::line(answer, line).id(id).next("`rescind token list` shows what is left")
}

async fn warning(args: &RevokeAllArgs, client: &Client) -> Result<String, Failure> {
    let whose = match (&args.owner, &args.tenant) {
        (Some(owner), _) => format!("all tokens of {owner}"),
        (_, Some(tenant)) => format!("all tokens of tenant {tenant}, its operators included,"),
        _ => "all tokens of all users and partners (operators keep theirs)".to_owned(),
    };
    let when = match args.issued_before {
        Some(before) => format!("that were issued before {before}"),
        None => "that there are now".to_owned(),
    };
    let many = how_many(args, client).await?;
    Ok(format!(
        "This revokes {whose} {when}: {many}. At once, everywhere, and for ever. Tokens that are \
         issued afterwards are valid."
    ))
}

async fn how_many(args: &RevokeAllArgs, client: &Client) -> Result<String, Failure> {
    let before = args.issued_before.map(Timestamp::to_rfc3339_millis);
    let asked = [
        ("state", Some("active")),
        ("owner_id", args.owner.as_ref().map(|owner| owner.as_str())),
        ("tenant_id", args.tenant.as_ref().map(|tenant| tenant.as_str())),
        ("issued_before", before.as_deref()),
    ];
    let query: Vec<_> = asked.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
    let list = match client.list(&["v1", "tokens"], &query, &COUNTED).await {
        Ok(list) => list,
        // One may be allowed to revoke and not to look.
        Err(failure) if failure.exit == Exit::Refused => {
            return Ok("how many is not known, as this admin token cannot list them".into());
        }
        Err(failure) => return Err(failure),
    };
    let is_spared = |token: &&Value| args.everything && field(token, "kind") == "admin";
    let count = list.items.len() - list.items.iter().filter(is_spared).count();
    Ok(match (count, list.next) {
        (count, Some(_)) => format!("more than {count}"),
        (1, None) => "1 token".into(),
        (count, None) => format!("{count} tokens"),
    })
}

fn level(args: &RevokeAllArgs) -> Value {
    match (&args.owner, &args.tenant) {
        (Some(owner), _) => json!({"owner_id": owner.as_str()}),
        (_, Some(tenant)) => json!({"tenant_id": tenant.as_str()}),
        _ => json!({"everything": true}),
    }
}
