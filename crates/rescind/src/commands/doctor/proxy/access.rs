//! Who gets through: nobody without a token, whatever they call themselves; and nobody with two.

use super::identity::FORGED;
use super::probe::{Probe, Proxy, Reply};
use super::report::Report;

/// A token of ours by its looks, which no server has issued.
const UNKNOWN: &str = "rescind_00000000000000000000000000000000";

/// How proxies tell a verifier which request they ask about. Believed from a client, these would
/// make a preflight of it, or a request for something public.
const OTHERS: [(&str, &str); 8] = [
    ("x-original-uri", "/"),
    ("x-original-url", "/"),
    ("x-original-method", "OPTIONS"),
    ("x-forwarded-uri", "/"),
    ("x-forwarded-method", "OPTIONS"),
    ("x-rescind-original-target", "/"),
    ("x-rescind-original-method", "OPTIONS"),
    ("x-http-method-override", "OPTIONS"),
];

const PREFLIGHT: [(&str, &str); 2] =
    [("origin", "https://rescind-doctor.invalid"), ("access-control-request-method", "GET")];

/// How to set each proxy up.
const PAGES: &str = "compare the configuration with docs/proxies";

pub(super) async fn without_a_token(proxy: &Proxy, report: &mut Report) {
    let others = Probe::get().headers(&OTHERS).headers(&PREFLIGHT);
    let probes = [
        ("no token", Probe::get()),
        ("bad token", Probe::get().with("not a token")),
        ("bad token", Probe::get().header("authorization", &format!("Bearer {UNKNOWN}"))),
        ("forged identity", Probe::get().headers(&FORGED)),
        ("forged request", others),
    ];
    for (check, probe) in probes {
        match proxy.send(probe).await {
            Ok(reply) => refused(check, &reply, report),
            Err(fault) => report.wrong(check, fault, "look into the proxy's log"),
        }
    }
    preflight(proxy, report).await;
}

/// What a request without a valid token should meet.
pub(super) fn refused(check: &'static str, reply: &Reply, report: &mut Report) {
    match reply.status {
        401 if reply.has_challenge => report.good(check, "refused with 401"),
        401 => report.warning(check, "refused with 401, without WWW-Authenticate", PAGES),
        200..300 => {
            let message = format!("it passes ({}): the API is open", reply.status);
            report.wrong(check, message, format!("protect this path, or {PAGES}"));
        }
        403 => report.warning(
            check,
            "refused with 403: clients take that for a missing scope",
            "let 401 through (nginx: `error_page 401` must not lead to 403), and see whether \
             Rescind's log names verify.trusted_peers",
        ),
        404 => {
            let next = "give the URL of something that is protected";
            report.warning(check, "answered with 404: nothing may be there to protect", next);
        }
        500 | 502..=504 => report.wrong(
            check,
            format!("the proxy has no answer from Rescind ({})", reply.status),
            "see whether Rescind runs, and whether the proxy reaches its verify listener",
        ),
        status => report.warning(check, format!("refused with {status}, not 401"), PAGES),
    }
}

async fn preflight(proxy: &Proxy, report: &mut Report) {
    let check = "preflight";
    match proxy.send(Probe::options().headers(&PREFLIGHT).headers(&FORGED)).await {
        Err(fault) => return report.wrong(check, fault, "look into the proxy's log"),
        Ok(reply) if !reply.passed() => {
            let message = "refused: browsers cannot call this API from other origins; if they \
                           should, set verify.allow_preflight";
            return report.good(check, message);
        }
        Ok(reply) => {
            match reply.seen.iter().flat_map(|seen| &seen.headers).find(|h| !h.1.is_empty()) {
                Some((name, _)) => {
                    let message = format!("passes without a token, and with a client's own {name}");
                    report.wrong(check, message, PAGES);
                }
                None => report.good(check, "passes without a token, as nobody"),
            }
        }
    }
    let plain = proxy.send(Probe::options()).await;
    if plain.is_ok_and(|reply| reply.seen.is_some()) {
        let next = "let only preflights pass: leave OPTIONS to verify.allow_preflight";
        report.warning(check, "every OPTIONS reaches the API without a token", next);
    }
}

/// `None` if it did not pass: then there is nothing to compare anything with.
pub(super) async fn with_the_token(
    proxy: &Proxy,
    token: &str,
    report: &mut Report,
) -> Option<Reply> {
    let check = "token";
    let reply = match proxy.send(Probe::get().with(token)).await {
        Ok(reply) => reply,
        Err(fault) => {
            report.wrong(check, fault, "look into the proxy's log");
            return None;
        }
    };
    match reply.status {
        400 | 401 => report.wrong(
            check,
            format!("the token is refused ({})", reply.status),
            "see whether it is valid (`rescind verify`), and whether the proxy passes X-API-Key on \
             to Rescind (Envoy: allowed_headers)",
        ),
        403 => report.wrong(
            check,
            "the token is refused with 403",
            "use one that has the scopes of this path",
        ),
        500 | 502..=504 => report.wrong(
            check,
            format!("no answer from the API or from Rescind ({})", reply.status),
            "see whether both run; `rescind doctor echo` can stand in for the API",
        ),
        status => {
            report.good(check, format!("passes ({status})"));
            return Some(reply);
        }
    }
    None
}

/// Which of two tokens is meant, the proxy and Rescind may see differently.
pub(super) async fn several_credentials(proxy: &Proxy, token: &str, report: &mut Report) {
    let bearer = format!("Bearer {token}");
    let ways = [
        ("two X-API-Key", Probe::get().with(token).with(token)),
        ("two in one", Probe::get().with(&format!("{token},{token}"))),
        ("two kinds", Probe::get().with(token).header("authorization", &bearer)),
    ];
    for (check, probe) in ways {
        match proxy.send(probe).await {
            Ok(reply) if reply.passed() => report.wrong(
                check,
                "of two credentials one is believed",
                "let every line of X-API-Key and Authorization reach Rescind as it came",
            ),
            Ok(Reply { status: status @ (400 | 401), .. }) => {
                report.good(check, format!("refused with {status}"));
            }
            Ok(reply) => {
                report.warning(check, format!("refused with {}, not 400", reply.status), PAGES);
            }
            Err(fault) => report.wrong(check, fault, "look into the proxy's log"),
        }
    }
}
