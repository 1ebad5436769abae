use super::super::State;
use super::access::refused;
use super::identity::{self, is_alias};
use super::probe::{Probe, Proxy, Reply, Seen};
use super::report::Report;
use super::requests::is_ambiguous;
use crate::failure::Exit;
use crate::output::Answer;
use std::collections::BTreeMap;

fn reply(status: u16) -> Reply {
    Reply { status, has_challenge: true, seen: None }
}

fn seen(headers: &[(&str, &str)]) -> Seen {
    let pairs = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Seen {
        method: "GET".into(),
        target: "/".into(),
        headers: BTreeMap::from_iter(pairs),
        header_names: headers.iter().map(|(name, _)| (*name).to_owned()).collect(),
        body_bytes: 0,
    }
}

const WHOLE: [(&str, &str); 6] = [
    ("x-rescind-subject", "usr_1"),
    ("x-rescind-token-id", "tok_1"),
    ("x-rescind-token-kind", "bearer"),
    ("x-rescind-body", "unsigned"),
    ("x-rescind-email", "a@b.example"),
    ("x-rescind-tenant", "ten_1"),
];

fn judged(check: &str, judge: impl FnOnce(&mut Report)) -> Option<State> {
    let mut report = Report::default();
    judge(&mut report);
    report.state_of(check)
}

#[test]
fn refusing_is_good_passing_is_wrong_and_the_rest_is_looked_into() {
    let state = |status| judged("x", |report| refused("x", &reply(status), report));
    assert_eq!(state(401), Some(State::Good));
    for status in [302, 400, 403, 404, 429] {
        assert_eq!(state(status), Some(State::Warning), "{status}");
    }
    for status in [200, 204, 500, 502, 503, 504] {
        assert_eq!(state(status), Some(State::Bad), "{status}");
    }
}

#[test]
fn identity_that_is_missing_or_doubled_is_wrong() {
    let state =
        |headers: &[_]| judged("identity", |report| identity::arrives(&seen(headers), report));
    assert_eq!(state(&WHOLE), Some(State::Good));
    for left_out in 0..WHOLE.len() {
        let mut headers = WHOLE.to_vec();
        headers.remove(left_out);
        // Without its kind nobody knows what else should be there, but the kind is missing itself.
        assert_eq!(state(&headers), Some(State::Bad), "{left_out}");
    }
    let doubled = [WHOLE.as_slice(), &WHOLE[..1]].concat();
    assert_eq!(state(&doubled), Some(State::Bad));
}

#[test]
fn token_that_the_api_sees_is_a_warning() {
    let headers = [WHOLE.as_slice(), &[("x-api-key", "")]].concat();
    let state = judged("secrecy", |report| identity::arrives(&seen(&headers), report));
    assert_eq!(state, Some(State::Warning));
}

#[test]
fn names_that_programs_fold_are_aliases() {
    for name in ["x_rescind_subject", "x-rescind_body", "x.rescind.new", "X-Rescind-Subject"] {
        assert!(is_alias(name), "{name}");
    }
    for name in ["x-rescind-subject", "x-rescinded", "rescind", "x_api_key"] {
        assert!(!is_alias(name), "{name}");
    }
}

#[test]
fn targets_with_two_meanings_are_seen_in_every_case() {
    for target in ["/a/../b", "/a%2Fb", "/%2E%2e/b", "//b", "/a;b"] {
        assert!(is_ambiguous(target), "{target}");
    }
    assert!(!is_ambiguous("/v1/orders?x=%20"));
}

#[test]
fn one_wrong_finding_is_exit_code_1_and_warnings_are_not() {
    let answer = |judge: fn(&mut Report)| -> Answer {
        let mut report = Report::default();
        report.good("a", "well");
        judge(&mut report);
        report.into_answer("http://x")
    };
    assert_eq!(answer(|report| report.no_token()).exit, Exit::Done);
    let wrong = answer(|report| report.wrong("b", "open", "close it"));
    assert_eq!(wrong.exit, Exit::Refused);
    assert_eq!(wrong.json["checks"][1]["next"], "close it");
    assert_eq!(wrong.json["well"], false);
}

#[test]
fn urls_that_cannot_be_looked_at_are_wrong_usage() {
    for url in ["", "/v1", "example.com/v1", "ftp://example.com/", "http://example.com/?a=b"] {
        assert_eq!(Proxy::new(url).unwrap_err().exit, Exit::Usage, "{url}");
    }
    let exposed = |url| Proxy::new(url).unwrap().is_exposed();
    assert!(exposed("http://api.example.com/v1"));
    assert!(!exposed("https://api.example.com/v1") && !exposed("http://127.0.0.1:9080"));
}

#[test]
fn probe_does_not_print_the_token() {
    assert!(!format!("{:?}", Probe::get().with("s3cret")).contains("s3cret"));
}
