//! The promise itself: a token that was revoked is refused from the next request on. A cache in
//! between breaks it, and nothing else shows that there is one.

use super::probe::{Probe, Proxy};
use super::report::Report;
use crate::client::Client;
use serde_json::json;

const PATH: [&str; 3] = ["v1", "tokens", "revoke"];

pub(super) async fn is_seen_at_once(
    proxy: &Proxy,
    token: &str,
    operator: &Client,
    report: &mut Report,
) {
    let check = "revocation";
    if let Err(failure) = operator.post(&PATH, &json!({"token": token})).await {
        let next = failure.next.unwrap_or_else(|| "revoke the token by hand".into());
        return report.wrong(check, failure.message, next);
    }
    match proxy.send(Probe::get().with(token)).await {
        Ok(reply) if reply.passed() => report.wrong(
            check,
            "the token is revoked, and still passes",
            "let nothing keep Rescind's answers (nginx: proxy_cache; ingress: auth-cache-key)",
        ),
        Ok(reply) => report.good(check, format!("seen on the next request ({})", reply.status)),
        Err(fault) => report.wrong(check, fault, "look into the proxy's log"),
    }
}
