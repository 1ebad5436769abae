//! Which request is decided about: the one that the profile's own headers tell of, byte for byte,
//! and no other. A signature shows which it was.

use super::verifier::{PROFILES, Question, Verifier, bearer, told};
use crate::gateway::wire::ask;
use crate::gateway::world::{API_KEY, TOKEN, signed};

/// Every line in which some profile tells of a request, but for those that `profile` reads itself.
fn lines_of_others(profile: &str, method: &str, target: &str) -> String {
    let own = told(profile, method, target, "203.0.113.9");
    let others = ["nginx", "caddy", "haproxy"].map(|p| told(p, method, target, "203.0.113.9"));
    let more = format!(
        "X-Original-URL: {target}\r\nX-Rewrite-URL: {target}\r\nX-Forwarded-Path: {target}\r\n\
         X-Envoy-Original-Path: {target}\r\nX-HTTP-Method-Override: {method}\r\n\
         Forwarded: for=203.0.113.9\r\n"
    );
    let all = others.concat() + &more;
    all.split_inclusive("\r\n").filter(|line| !own.contains(line)).collect()
}

#[tokio::test]
async fn headers_of_other_proxies_change_nothing() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        let asked = |method, target, headers: String| Question {
            method,
            target,
            ..Question::from(profile, headers)
        };
        let signed = signed("PUT", "/orders?x=1", b"");
        let evil = lines_of_others(profile, "DELETE", "/admin/../x");
        assert!(evil.lines().count() >= 9, "{evil}");
        let right = asked("PUT", "/orders?x=1", format!("{evil}{signed}"));
        assert_eq!(verifier.ask(&right).await.status, 200, "{profile}");
        let after = right.text_telling(&told(profile, "PUT", "/orders?x=1", right.client));
        assert_eq!(ask(verifier.address, after).await.status, 200, "{profile}");
        let kind = lines_of_others(profile, "PUT", "/orders?x=1");
        let wrong = asked("DELETE", "/admin", format!("{kind}{signed}"));
        assert_eq!(verifier.ask(&wrong).await.status, 401, "{profile}");
        let ambiguous = asked("PUT", "/a/../orders?x=1", format!("{kind}{signed}"));
        let status = if profile == "nginx" { 403 } else { 400 };
        assert_eq!(verifier.ask(&ambiguous).await.status, status, "{profile}");
    }
}

#[tokio::test]
async fn own_headers_are_needed_exactly_once_whatever_else_is_there() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        let question = Question::from(profile, bearer(TOKEN));
        let own = told(profile, question.method, question.target, question.client);
        assert_eq!(ask(verifier.address, question.text_telling(&own)).await.status, 200);
        let others = lines_of_others(profile, question.method, question.target);
        let status = if profile == "nginx" { 403 } else { 400 };
        for line in own.split_inclusive("\r\n") {
            let name = line.split_once(':').unwrap().0;
            let without = format!("{}{others}", own.replace(line, ""));
            let answer = ask(verifier.address, question.text_telling(&without)).await;
            // Envoy leaves the client's address out unless told otherwise.
            let needed = if profile == "envoy" { 200 } else { status };
            assert_eq!(answer.status, needed, "{profile} without {name}");
            let empty = own.replace(line, &format!("{name}:\r\n"));
            let latin = own.replace(line, &format!("{name}: /\u{e9}\r\n"));
            for faulty in [format!("{own}{line}"), empty, latin] {
                let answer = ask(verifier.address, question.text_telling(&faulty)).await;
                assert_eq!(answer.status, status, "{profile} {faulty}");
            }
        }
    }
}

#[tokio::test]
async fn original_is_taken_byte_for_byte() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        for target in ["/", "/orders?", "/caf%c3%a9?x=%2c&y=%2C&/../", "/a%20b/?q=a+b,c", "/a,b"] {
            for method in ["PUT", "GET", "QUERY", "patch"] {
                let question = Question::from(profile, signed(method, target, b""));
                let question = Question { method, target, ..question };
                assert_eq!(verifier.ask(&question).await.status, 200, "{profile} {target}");
            }
            let headers = signed("GET", target, b"");
            let other = format!("{target}&");
            for (method, target) in [("PUT", target), ("GET", &other)] {
                let question = Question { method, target, ..Question::from(profile, &headers) };
                assert_eq!(verifier.ask(&question).await.status, 401, "{profile} {target}");
            }
        }
    }
}

#[tokio::test]
async fn target_that_can_be_read_in_two_ways_is_refused_and_said_to_be() {
    let verifier = Verifier::start().await;
    let ambiguous = [
        "//admin",
        "/./admin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/x/..%2fadmin",
        "/admin%2f",
        "/admin;x",
        "/x%5c..%5cadmin",
        "/admin%00",
        "/%2561dmin",
        "/%6",
        "/admin%3f",
    ];
    for profile in PROFILES {
        for target in ambiguous {
            let question = Question { target, ..Question::from(profile, bearer(API_KEY)) };
            let answer = verifier.ask(&question).await;
            let status = if profile == "nginx" { 403 } else { 400 };
            assert_eq!(answer.status, status, "{profile} {target}");
            let problem = answer.text();
            assert!(problem.contains("urn:rescind:problem:invalid-request"), "{problem}");
            assert!(problem.contains("the path has"), "{problem}");
        }
        let rest = &["*", "admin", "http://x/admin", "x:80", "/a b", "/a#b", "/a\\b"];
        for target in rest.iter().filter(|_| profile != "envoy") {
            let question = Question { target, ..Question::from(profile, bearer(API_KEY)) };
            let answer = verifier.ask(&question).await;
            assert!(matches!(answer.status, 400 | 403), "{profile} {target}");
        }
        for method in ["CONNECT", "GET POST", "G(T"].iter().filter(|_| profile != "envoy") {
            let question = Question { method, ..Question::from(profile, bearer(API_KEY)) };
            assert!(matches!(verifier.ask(&question).await.status, 400 | 403), "{method}");
        }
    }
}
