//! `rescind doctor proxy`: sends through the operator's own proxy what an attacker would, and says
//! what came out.
//!
//! A proxy that asks Rescind can still be wrong in ways that no request of a well-meaning client
//! shows: it may leave the client's `X-Rescind-Subject` in place, ask about another path than the
//! API gets, or hang on the first body. From outside one sees statuses. What the API was told is
//! seen if an echo stands in its place (`rescind doctor echo`, or the demo API of `rescind dev`);
//! without one the statuses are judged, and what could not be seen is said.
//!
//! Nothing is sent that could change anything: without an echo only `GET` and `OPTIONS` carry the
//! token.

mod access;
mod identity;
mod probe;
mod report;
mod requests;
mod revocation;

#[cfg(test)]
mod tests;

use crate::{
    cli::ProxyArgs, client::Client, context::Context, failure::Failure, input, output::Answer,
};
use probe::{Probe, Proxy};
use report::Report;
use zeroize::Zeroizing;

/// The token for what has to pass.
const TOKEN_VARIABLE: &str = "RESCIND_TOKEN";

/// `named` is what `--context` says.
pub(crate) async fn run(args: &ProxyArgs, named: Option<&str>) -> Result<Answer, Failure> {
    let proxy = Proxy::new(&args.url)?;
    // Before anything is sent: without it there is nobody to revoke the token.
    let operator = match args.revoke {
        true => Some(Client::new(&Context::find(named)?)?),
        false => None,
    };
    let token = token()?;
    if args.revoke && token.is_none() {
        return Err(Failure::usage("--revoke needs the token that is to be revoked")
            .next(format!("put it into {TOKEN_VARIABLE}, or on standard input")));
    }
    let mut report = Report::default();
    proxy.send(Probe::get()).await.map_err(|fault| {
        Failure::unreachable(format!("{} does not answer: {fault}", args.url))
            .next("start the proxy, or correct --url")
    })?;
    if proxy.is_exposed() {
        report.exposed();
    }
    access::without_a_token(&proxy, &mut report).await;
    requests::body_without_a_token(&proxy, &mut report).await;
    match &token {
        Some(token) => with_a_token(&proxy, token, operator, &mut report).await,
        None => report.no_token(),
    }
    Ok(report.into_answer(&args.url))
}

async fn with_a_token(proxy: &Proxy, token: &str, operator: Option<Client>, report: &mut Report) {
    let Some(first) = access::with_the_token(proxy, token, report).await else { return };
    access::several_credentials(proxy, token, report).await;
    match &first.seen {
        Some(seen) => {
            identity::arrives(seen, report);
            identity::cannot_be_forged(proxy, token, seen, report).await;
            requests::body(proxy, token, report).await;
        }
        None => report.no_echo(),
    }
    requests::paths(proxy, token, report).await;
    if let Some(operator) = operator {
        revocation::is_seen_at_once(proxy, token, &operator, report).await;
    }
}

fn token() -> Result<Option<Zeroizing<String>>, Failure> {
    match std::env::var(TOKEN_VARIABLE) {
        Ok(token) if !token.is_empty() => Ok(Some(Zeroizing::new(token))),
        _ => input::perhaps_secret("token"),
    }
}
