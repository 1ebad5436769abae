//! Issuing and rotating: the two that show a secret, once.

use super::{PATH, add};
use crate::commands::shown::{add_bound, told};
use crate::{
    cli::{OverlapStart, TokenCreateArgs, TokenRotateArgs},
    client::{Client, Created},
    failure::{Exit, Failure},
    output::{Answer, Output, field},
};
use serde_json::{Value, json};

pub(super) async fn create(
    args: &TokenCreateArgs,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    output.must_show_secrets()?;
    let mut body = json!({"owner_id": args.owner.as_str(), "kind": args.kind.as_str()});
    add(&mut body, "label", args.label.as_deref());
    let scopes = args.scopes.as_ref().map(|scopes| scopes.iter());
    add_bound(&mut body, "scopes", scopes, false);
    add(&mut body, "expires_in_seconds", args.expires_in.map(|lifetime| lifetime.as_secs()));
    let networks = args.networks.as_ref().map(|networks| networks.iter());
    add_bound(&mut body, "allowed_networks", networks, false);
    let key = args.creation.idempotency_key.as_deref();
    Ok(created(client.create(&PATH, &body, key).await?))
}

pub(super) async fn rotate(
    args: &TokenRotateArgs,
    client: &Client,
    output: Output,
) -> Result<Answer, Failure> {
    output.must_show_secrets()?;
    let starts = match args.overlap_starts {
        OverlapStart::Now => "now",
        OverlapStart::FirstUse => "first_use",
    };
    let mut body = json!({"overlap_seconds": args.overlap.as_secs(), "overlap_starts": starts});
    add(&mut body, "expires_in_seconds", args.expires_in.map(|lifetime| lifetime.as_secs()));
    let path = ["v1", "tokens", args.token.id.as_str(), "rotate"];
    let key = args.creation.idempotency_key.as_deref();
    Ok(rotated(client.create(&path, &body, key).await?))
}

/// The secret alone goes to standard output, so that it can go straight into a file.
pub(crate) fn created(created: Created) -> Answer {
    let Created { body, replayed, retried } = created;
    let id = field(&body, "id");
    let mut about = format!("token {id} of {}", field(&body, "owner_id"));
    if let Some(expires) = body.get("expires_at").and_then(Value::as_str) {
        about.push_str(&format!(", valid until {expires}"));
    }
    let secret = ["token", "secret"].into_iter().find_map(|name| body.get(name)?.as_str());
    let secret = secret.map(ToOwned::to_owned);
    let answer = Answer::line(body, secret.clone().unwrap_or_default()).id(&id).note(about);
    let answer = told(answer, replayed, retried);
    match secret {
        Some(_) => answer
            .note("this is its secret; it is not shown again")
            .next(format!("`rescind token revoke {id}` ends it")),
        // It was shown then, or was lost on its way.
        None => Answer { exit: Exit::Refused, ..answer }
            .note("its secret cannot be shown again")
            .next(format!("`rescind token rotate {id}` makes one with a new secret")),
    }
}

/// As a creation, and what becomes of the old one.
pub(crate) fn rotated(rotation: Created) -> Answer {
    let previous = rotation.body.get("previous").cloned().unwrap_or_default();
    let old = field(&previous, "id");
    let answer = created(rotation);
    let until = field(&previous, "expires_at");
    match field(&previous, "state").as_str() {
        "revoked" => answer.note(format!("the old one, {old}, is revoked")),
        _ => {
            let answer = answer.note(match until.as_str() {
                "-" => format!("the old one, {old}, stays valid until the overlap is over"),
                until => format!("the old one, {old}, stays valid until {until} at the latest"),
            });
            match answer.exit {
                Exit::Done => answer.next(format!(
                    "`rescind token revoke {old} --reason superseded` ends the old one now"
                )),
                _ => answer,
            }
        }
    }
}
