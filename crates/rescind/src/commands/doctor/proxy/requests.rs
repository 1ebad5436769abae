//! The request itself: that what is verified is what the API gets.

use super::probe::{Probe, Proxy};
use super::report::Report;

/// Paths that programs read in two ways.
const AMBIGUOUS: [&str; 6] = [
    "/a/../rescind-doctor",
    "/a/%2e%2e/rescind-doctor",
    "/a%2f..%2frescind-doctor",
    "/a%2Frescind-doctor",
    "//rescind-doctor",
    "/a;b/rescind-doctor",
];
/// What makes them so.
const MARKS: [&str; 5] = ["..", "%2e", "%2f", "//", ";"];

const BODY: &[u8] = &[b'x'; 2 * 1024];

const HANGS: &str = "nginx announces the body and does not send it: in the location that asks, set \
                     `proxy_pass_request_body off;` and `proxy_set_header Content-Length \"\";`";

/// It does not reach the API, so it can be tried with any.
pub(super) async fn body_without_a_token(proxy: &Proxy, report: &mut Report) {
    let check = "body";
    match proxy.send(Probe::post(BODY)).await {
        Err(fault) => report.wrong(check, fault, HANGS),
        Ok(reply) if reply.passed() => {
            let next = "protect every method of this path";
            report.wrong(check, format!("a POST passes without a token ({})", reply.status), next);
        }
        Ok(reply) => {
            report.good(check, format!("a POST without a token is refused with {}", reply.status));
        }
    }
}

pub(super) async fn body(proxy: &Proxy, token: &str, report: &mut Report) {
    let check = "body";
    match proxy.send(Probe::post(BODY).with(token)).await {
        Err(fault) => report.wrong(check, fault, HANGS),
        Ok(reply) => match &reply.seen {
            Some(seen) if seen.body_bytes == BODY.len() && seen.method == "POST" => {
                report.good(check, "a body arrives whole");
            }
            Some(seen) => {
                let message = format!("{} of {} bytes arrive", seen.body_bytes, BODY.len());
                report.wrong(check, message, "look for what changes or drops bodies on the way");
            }
            None => {
                let message = format!("a POST with the token is refused with {}", reply.status);
                report.wrong(check, message, "raise the limits of bodies (Traefik: maxBodySize)");
            }
        },
    }
}

/// Rescind refuses them as they are. Where one passes, it was asked about another.
pub(super) async fn paths(proxy: &Proxy, token: &str, report: &mut Report) {
    let check = "paths";
    let mut unseen = None;
    for path in AMBIGUOUS {
        match proxy.send(Probe::get().at(path).with(token)).await {
            Err(fault) => return report.wrong(check, fault, "look into the proxy's log"),
            Ok(reply) => match &reply.seen {
                Some(seen) if is_ambiguous(&seen.target) => {
                    let message = format!(
                        "{path} reaches the API as {}, unlike what was verified",
                        seen.target
                    );
                    let next =
                        "ask about the raw target (nginx: $request_uri), and pass on the same";
                    return report.wrong(check, message, next);
                }
                Some(_) => {}
                None if reply.passed() => unseen = Some(path),
                None => {}
            },
        }
    }
    match unseen {
        None => report.good(check, "what can be read in two ways is refused, or made clear first"),
        Some(path) => report.warning(
            check,
            format!("{path} passes; whether it was made clear first could not be seen"),
            "put `rescind doctor echo` in the place of the API for this check",
        ),
    }
}

pub(super) fn is_ambiguous(target: &str) -> bool {
    let target = target.to_ascii_lowercase();
    MARKS.iter().any(|mark| target.contains(mark))
}
