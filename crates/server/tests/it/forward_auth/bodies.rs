//! Bodies that come along, that do not, and that are announced and never come.

use super::answers::identity;
use super::verifier::{BODY_BYTES_MAX, PROFILES, Question, Verifier, Wishes, bearer};
use crate::gateway::logs::Log;
use crate::gateway::wire::{Client, ask, in_time};
use crate::gateway::world::{KEY_ID, SHORT, TOKEN, digest_signed, signed};
use std::time::Duration;

const WITHOUT_BODIES: [&str; 2] = ["nginx", "caddy"];
const WITH_BODIES: [&str; 3] = ["traefik", "haproxy", "envoy"];
const TARGET: &str = "/orders/7?a=1&b=%20";

fn proof(answer: &crate::gateway::wire::Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    identity(answer)[8].clone()
}

#[tokio::test]
async fn announced_body_that_never_comes_is_not_waited_for() {
    let patient = Wishes { body_timeout: Duration::from_secs(60), ..Wishes::default() };
    let verifier = Verifier::with(patient).await;
    for (profile, credential, status) in [
        ("nginx", bearer(TOKEN), 200),
        ("caddy", bearer(TOKEN), 200),
        ("nginx", String::new(), 401),
        ("nginx", signed("PUT", TARGET, b""), 200),
        ("nginx", signed("PUT", TARGET, b"hello"), 401),
    ] {
        for announced in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"] {
            let (log, _logging) = Log::begin();
            let question = Question::from(profile, format!("{credential}{announced}"));
            for version in ["1.0", "1.1"] {
                if version == "1.0" && announced.starts_with('T') {
                    continue;
                }
                let mut client = Client::connect(verifier.address).await;
                client.send(question.text().replace("HTTP/1.1", &format!("HTTP/{version}"))).await;
                let answer = client.answer().await;
                assert_eq!(answer.status, status, "{profile} {announced}");
                assert_eq!(answer.header("connection"), ["close"]);
                assert!(client.is_closed().await);
            }
            let hint =
                if profile == "nginx" { "proxy_pass_request_body off" } else { "forward_auth" };
            assert!(log.text().contains(hint), "{}", log.text());
        }
    }
}

#[tokio::test]
async fn connection_without_an_announced_body_stays_open() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        let (log, _logging) = Log::begin();
        let mut client = Client::connect(verifier.address).await;
        let question = Question::from(profile, format!("{}Content-Length: 0\r\n", bearer(TOKEN)));
        for _ in 0..3 {
            assert_eq!(client.ask(question.text()).await.status, 200, "{profile}");
        }
        assert!(!log.text().contains("announced"));
    }
}

#[tokio::test]
async fn signature_over_a_body_holds_where_the_body_comes_along() {
    let verifier = Verifier::start().await;
    let headers = signed("PUT", TARGET, b"hello");
    for profile in WITH_BODIES {
        let question = Question::from(profile, &headers);
        let whole = Question { body: "hello", ..question.clone() };
        assert_eq!(proof(&verifier.ask(&whole).await), "verified", "{profile}");
        let chunks = "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n";
        let chunked = Question::from(profile, format!("{headers}{chunks}")).text();
        assert_eq!(proof(&ask(verifier.address, chunked).await), "verified", "{profile}");
        for body in ["", "Hello", "hello!", "hell"] {
            let other = Question { body, ..question.clone() };
            assert_eq!(verifier.ask(&other).await.status, 401, "{profile} {body}");
        }
    }
    for profile in WITHOUT_BODIES {
        let question = Question::from(profile, &headers);
        assert_eq!(verifier.ask(&question).await.status, 401, "{profile}");
        // Even if one came.
        assert_eq!(verifier.ask(&Question { body: "hello", ..question }).await.status, 401);
    }
}

#[tokio::test]
async fn body_that_was_not_seen_is_never_called_verified() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        let empty = Question::from(profile, signed("PUT", TARGET, b""));
        assert_eq!(proof(&verifier.ask(&empty).await), "empty", "{profile}");
        let digest = Question::from(profile, digest_signed("PUT", TARGET, b"hello"));
        assert_eq!(proof(&verifier.ask(&digest).await), "digest", "{profile}");
    }
    for profile in WITH_BODIES {
        let digest = Question::from(profile, digest_signed("PUT", TARGET, b"hello"));
        let seen = Question { body: "hello", ..digest.clone() };
        assert_eq!(proof(&verifier.ask(&seen).await), "verified", "{profile}");
        let other = Question { body: "Hello", ..digest };
        assert_eq!(verifier.ask(&other).await.status, 401, "{profile}");
        let empty = Question::from(profile, signed("PUT", TARGET, b""));
        let added = Question { body: "hello", ..empty };
        assert_eq!(verifier.ask(&added).await.status, 401, "{profile}");
    }
}

#[tokio::test]
async fn digest_that_is_signed_covers_target_method_and_digest() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        let headers = digest_signed("PUT", TARGET, b"hello");
        let question = Question::from(profile, &headers);
        let other_digest = digest_signed("PUT", TARGET, b"Hello");
        let other_digest = other_digest.lines().last().unwrap();
        let own_digest = headers.lines().last().unwrap();
        for refused in [
            Question { target: "/orders", ..question.clone() },
            Question { method: "POST", ..question.clone() },
            Question::from(profile, headers.replace(own_digest, other_digest)),
            Question::from(profile, headers.replace(own_digest, "X-A: b")),
            Question::from(profile, headers.replace("lmts-covers: content-digest\r\n", "")),
        ] {
            assert_eq!(verifier.ask(&refused).await.status, 401, "{profile}");
        }
    }
}

#[tokio::test]
async fn longest_signed_body_is_read_and_one_byte_more_is_too_large() {
    let verifier = Verifier::start().await;
    let longest = "b".repeat(BODY_BYTES_MAX.try_into().unwrap());
    let longer = format!("{longest}b");
    for profile in WITH_BODIES {
        for (body, status) in [(&longest, 200), (&longer, 413)] {
            let headers = signed("PUT", TARGET, body.as_bytes());
            let question = Question { body, ..Question::from(profile, headers) };
            assert_eq!(verifier.ask(&question).await.status, status, "{profile}");
        }
    }
}

#[tokio::test]
async fn dripping_or_broken_signed_body_is_given_up_and_a_coded_one_refused() {
    let verifier = Verifier::start().await;
    let headers = signed("PUT", TARGET, b"hello");
    for profile in WITH_BODIES {
        let slow = Question::from(profile, format!("{headers}Content-Length: 5\r\n"));
        assert_eq!(verifier.ask(&slow).await.status, 408, "{profile}");
        let coded = format!("{headers}Content-Encoding: gzip\r\n");
        let coded = Question { body: "hello", ..Question::from(profile, coded) };
        assert_eq!(verifier.ask(&coded).await.status, 415, "{profile}");
    }
}

#[tokio::test]
async fn beginning_of_a_body_is_not_taken_for_the_body() {
    let verifier = Verifier::start().await;
    let headers = signed("PUT", TARGET, b"hello");
    for (partial, status) in [("false", 200), ("true", 413), ("", 413), ("false, true", 413)] {
        let headers = format!("{headers}X-Envoy-Auth-Partial-Body: {partial}\r\n");
        let question = Question { body: "hello", ..Question::from("envoy", headers) };
        assert_eq!(verifier.ask(&question).await.status, status, "{partial}");
    }
}

#[tokio::test]
async fn body_that_nobody_needs_is_not_waited_for_and_costs_no_connection() {
    let patient = Wishes { body_timeout: Duration::from_secs(60), ..Wishes::default() };
    let verifier = Verifier::with(patient).await;
    let unknown_key = signed("PUT", TARGET, b"").replace(KEY_ID, "tok_nobody");
    // More than socket buffers hold.
    let length = 16 * 1024 * 1024;
    for profile in WITH_BODIES {
        for (credential, status) in
            [(bearer(TOKEN), 200), (String::new(), 401), (unknown_key.clone(), 401)]
        {
            let headers = format!("{credential}Content-Length: {length}\r\n");
            let question = Question::from(profile, headers).text();
            let mut client = Client::connect(verifier.address).await;
            client.send(&question).await;
            let answer = in_time(client.answer()).await;
            assert_eq!(answer.status, status, "{profile}");
            client.send(vec![b'b'; length]).await;
            let next = client.ask(Question::from(profile, bearer(TOKEN)).text()).await;
            assert_eq!(next.status, 200, "{profile}");
        }
    }
}

#[tokio::test]
async fn body_that_stops_coming_holds_a_connection_for_so_long_only() {
    let verifier = Verifier::start().await;
    for profile in WITH_BODIES {
        let headers = format!("{}Content-Length: 5\r\n", bearer(TOKEN));
        let mut client = Client::connect(verifier.address).await;
        assert_eq!(client.ask(Question::from(profile, headers).text()).await.status, 200);
        let closed = tokio::time::timeout(SHORT * 10, client.is_closed()).await;
        assert_eq!(closed, Ok(true), "{profile}");
    }
}
