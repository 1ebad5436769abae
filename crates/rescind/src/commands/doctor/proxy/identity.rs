//! What the API is told about who asks: Rescind's word, and nobody else's.

use super::probe::{Probe, Proxy, Seen};
use super::report::Report;

/// Nobody is called so.
const VALUE: &str = "forged-by-rescind-doctor";

/// What a client may call itself.
pub(super) const FORGED: [(&str, &str); 9] = [
    ("x-rescind-subject", VALUE),
    ("x-rescind-token-id", VALUE),
    ("x-rescind-token-kind", VALUE),
    ("x-rescind-scopes", VALUE),
    ("x-rescind-tenant", VALUE),
    ("x-rescind-profile-id", VALUE),
    ("x-rescind-account", VALUE),
    ("x-rescind-email", VALUE),
    ("x-rescind-body", VALUE),
];

/// The same to a program that takes everything but letters and digits for a dash (CGI, WSGI, PHP).
const ALIASES: [(&str, &str); 4] = [
    ("x_rescind_subject", VALUE),
    ("x-rescind_scopes", VALUE),
    ("x.rescind.token.id", VALUE),
    ("x_rescind_body", VALUE),
];

/// Whatever the token, these say something; and so do some of the others, by its kind.
const ALWAYS: [&str; 4] =
    ["x-rescind-subject", "x-rescind-token-id", "x-rescind-token-kind", "x-rescind-body"];
const OF_USERS: [&str; 2] = ["x-rescind-email", "x-rescind-tenant"];
const OF_PARTNERS: [&str; 1] = ["x-rescind-profile-id"];

const CREDENTIALS: [&str; 2] = ["authorization", "x-api-key"];

const COPY: &str = "have the proxy copy every X-Rescind-* of Rescind's answer (nginx: \
                    auth_request_set and proxy_set_header; Envoy: allowed_upstream_headers; \
                    Caddy: copy_headers; Traefik: authResponseHeadersRegex)";

pub(super) fn arrives(seen: &Seen, report: &mut Report) {
    let of_kind: &[_] = match seen.header("x-rescind-token-kind") {
        "bearer" => &OF_USERS,
        "signing" | "api_key" => &OF_PARTNERS,
        _ => &[],
    };
    let expected = ALWAYS.iter().chain(of_kind);
    let missing: Vec<_> = expected.filter(|name| seen.header(name).is_empty()).copied().collect();
    let twice = seen.header_names.iter().find(|name| {
        name.starts_with("x-rescind-") && seen.header_names.iter().filter(|n| n == name).count() > 1
    });
    match (missing.as_slice(), twice) {
        ([], None) => report.good("identity", format!("of {}", seen.header("x-rescind-subject"))),
        ([], Some(name)) => report.wrong("identity", format!("{name} arrives twice"), COPY),
        (missing, _) => {
            let message = format!("the API is not told {}", missing.join(", "));
            report.wrong("identity", message, COPY);
        }
    }
    match CREDENTIALS.into_iter().find(|name| seen.header_names.iter().any(|n| n == name)) {
        None => report.good("secrecy", "the API does not see the token"),
        Some(name) => {
            let next = "remove it on the way to the API: what it does not have it cannot lose";
            report.warning("secrecy", format!("the API sees the token in {name}"), next);
        }
    }
}

/// `honest` is what arrived without a forgery.
pub(super) async fn cannot_be_forged(
    proxy: &Proxy,
    token: &str,
    honest: &Seen,
    report: &mut Report,
) {
    let check = "forgery";
    match proxy.send(Probe::get().with(token).headers(&FORGED)).await {
        Err(fault) => report.wrong(check, fault, "look into the proxy's log"),
        Ok(reply) => match &reply.seen {
            None => report.good(check, format!("refused with {}", reply.status)),
            Some(seen) => match FORGED.iter().find(|(n, _)| seen.header(n) != honest.header(n)) {
                None => report.good(check, "a client's own X-Rescind-* changes nothing"),
                Some((name, _)) => {
                    let message = format!("the API believes a client's own {name}");
                    report.wrong(check, message, COPY);
                }
            },
        },
    }
    aliases(proxy, token, report).await;
}

async fn aliases(proxy: &Proxy, token: &str, report: &mut Report) {
    let check = "aliases";
    match proxy.send(Probe::get().with(token).headers(&ALIASES)).await {
        Err(fault) => report.wrong(check, fault, "look into the proxy's log"),
        Ok(reply) => {
            let names = reply.seen.iter().flat_map(|seen| &seen.header_names);
            match names.into_iter().find(|name| is_alias(name)) {
                None => report.good(check, "a client's own X_Rescind_* does not arrive"),
                Some(name) => report.wrong(
                    check,
                    format!("a client's own {name} arrives: many programs read it as X-Rescind-*"),
                    "remove names with other characters than letters, digits and dashes (nginx: \
                     underscores_in_headers off; Caddy: request_header -*Rescind*; Traefik: \
                     aliasHeadersStrategy: delete; HAProxy: del-header; Envoy: remove_on_match)",
                ),
            }
        }
    }
}

pub(super) fn is_alias(name: &str) -> bool {
    let dashed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let folded: String = name.chars().map(dashed).collect();
    folded.starts_with("x-rescind-") && folded != name
}

impl Seen {
    /// Empty if it is not there: to an API that is the same.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
