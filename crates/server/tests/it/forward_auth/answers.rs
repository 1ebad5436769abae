//! Yes and no: what a proxy is told, and what it would show to whom.

use super::verifier::{PROFILES, Question, Verifier, Wishes, api_key, bearer};
use crate::gateway::headers::IDENTITY;
use crate::gateway::logs::Log;
use crate::gateway::wire::{Answer, Client, ask};
use crate::gateway::world::{ADMIN, API_KEY, TOKEN, signed};
use rescind_guard::{Guard, clock::SystemClock};
use std::sync::Arc;

/// What a proxy hands on, each exactly once.
pub(super) fn identity(answer: &Answer) -> [String; 9] {
    IDENTITY.map(|name| {
        let values = answer.header(name);
        assert_eq!(values.len(), 1, "{name} in {:?}", answer.headers);
        values[0].to_owned()
    })
}

#[tokio::test]
async fn yes_is_200_without_a_body_and_with_every_identity_header() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        let answer = verifier.ask(&Question::from(profile, bearer(TOKEN))).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{profile}");
        assert_eq!(answer.header("cache-control"), ["no-store"]);
        let email = "zo%C3%AB@example.org";
        let user =
            ["own_user", "tok_reader", "bearer", "read", "ten_acme", "", "", email, "unsigned"];
        assert_eq!(identity(&answer), user, "{profile}");
        let answer = verifier.ask(&Question::from(profile, api_key(API_KEY))).await;
        let partner =
            ["own_partner", "tok_writer", "api_key", "read write", "", "7", "0xAb", "", "unsigned"];
        assert_eq!(identity(&answer), partner, "{profile}");
    }
}

#[tokio::test]
async fn no_is_a_problem_with_what_the_client_must_bring() {
    let verifier = Verifier::start().await;
    let unknown = bearer("api_test_Unknown00000000000000000000000");
    for profile in PROFILES {
        for refused in ["".into(), unknown.clone(), bearer(ADMIN), signed("GET", "/other", b"")] {
            let answer = verifier.ask(&Question::from(profile, refused)).await;
            assert_eq!(answer.status, 401, "{profile}");
            assert_eq!(answer.header("content-type"), ["application/problem+json"]);
            assert_eq!(answer.header("cache-control"), ["no-store"]);
            assert_eq!(answer.header("www-authenticate").len(), 2);
            assert_eq!(answer.header("x-rescind-subject"), [""; 0]);
            assert_eq!(answer.header("link"), [""; 0], "its page is here, and the client is not");
        }
        let lacking = Question { scopes: Some("write"), ..Question::from(profile, bearer(TOKEN)) };
        let answer = verifier.ask(&lacking).await;
        let challenge = r#"Bearer realm="rescind", error="insufficient_scope", scope="write""#;
        assert_eq!(answer.header("www-authenticate"), [challenge]);
        assert_eq!(answer.status, 403, "{profile}");
    }
}

#[tokio::test]
async fn several_credentials_are_refused_in_every_shape_that_proxies_give_them() {
    let verifier = Verifier::start().await;
    let key = api_key(TOKEN);
    let several = [
        format!("{key}{key}"),
        format!("X-API-Key: {TOKEN},{TOKEN}\r\n"),
        format!("X-API-Key: {TOKEN}, {API_KEY}\r\n"),
        format!("{key}{}", bearer(TOKEN)),
        format!("{key}{}", signed("PUT", "/orders/7?a=1&b=%20", b"")),
    ];
    for profile in PROFILES {
        for credentials in &several {
            let answer = verifier.ask(&Question::from(profile, credentials)).await;
            let status = if profile == "nginx" { 403 } else { 400 };
            assert_eq!(answer.status, status, "{profile} {credentials}");
            assert!(!answer.text().contains(TOKEN));
        }
    }
}

#[tokio::test]
async fn nginx_is_told_401_and_403_only_and_beside_it_what_it_would_have_been() {
    let verifier = Verifier::start().await;
    let sealed = Arc::new(Guard::new(Arc::new(SystemClock), Vec::new()));
    let sealed = Verifier::with(Wishes { guard: sealed, ..Wishes::default() }).await;
    let from = |headers: String| Question::from("nginx", headers);
    let coded = format!("{}Content-Encoding: gzip\r\n", signed("PUT", "/orders/7?a=1&b=%20", b""));
    let cases = [
        (&verifier, from(String::new()), 401, "401"),
        (&verifier, Question { scopes: Some("write"), ..from(bearer(TOKEN)) }, 403, "403"),
        (&verifier, Question { target: "/a/../b", ..from(bearer(TOKEN)) }, 403, "400"),
        (&verifier, Question { scopes: Some("a/b"), ..from(bearer(TOKEN)) }, 403, "404"),
        (&verifier, from(coded), 403, "415"),
        (&sealed, from(bearer(TOKEN)), 403, "503"),
    ];
    for (verifier, question, status, told) in cases {
        let answer = verifier.ask(&question).await;
        assert_eq!((answer.status, answer.header("x-rescind-status")), (status, vec![told]));
        assert_eq!(answer.header("retry-after").is_empty(), told != "503");
        let others = Question { profile: "caddy", ..question };
        let answer = verifier.ask(&others).await;
        assert_eq!(answer.status.to_string(), told);
        assert!(answer.header("x-rescind-status").is_empty());
    }
}

#[tokio::test]
async fn revoked_token_is_refused_on_an_open_connection_of_each_proxy() {
    let verifier = Verifier::start().await;
    let mut connections = Vec::new();
    for profile in PROFILES {
        let mut client = Client::connect(verifier.address).await;
        let question = Question::from(profile, bearer(TOKEN)).text();
        assert_eq!(client.ask(&question).await.status, 200);
        connections.push((client, question));
    }
    verifier.revoke_token();
    for (mut client, question) in connections {
        assert_eq!(client.ask(&question).await.status, 401);
    }
}

#[tokio::test]
async fn address_that_is_not_trusted_is_refused_before_anything_it_says_is_read() {
    let trusted_peers = &["192.0.2.0/24", "127.0.0.2"];
    let wishes = Wishes { trusted_peers, allow_preflight: true, ..Wishes::default() };
    let verifier = Verifier::with(wishes).await;
    let (log, _logging) = Log::begin();
    for profile in PROFILES {
        let answer = verifier.ask(&Question::from(profile, bearer(TOKEN))).await;
        assert_eq!(answer.status, 403, "{profile}");
        assert!(answer.text().contains("urn:rescind:problem:untrusted-peer"));
        let nobody =
            Question { scopes: Some("a b"), target: "junk", ..Question::from(profile, "") };
        let nobody = nobody.text().replace("a b", "a%20b").replace("X-", "Y-");
        assert_eq!(ask(verifier.address, nobody).await.status, 403);
    }
    assert!(log.text().contains("verify.trusted_peers"));
}

#[tokio::test]
async fn no_secret_of_a_question_is_logged() {
    let (log, _logging) = Log::begin();
    let verifier = Verifier::start().await;
    let signed = signed("PUT", "/orders?q=queried", b"in the body");
    let credentials =
        [bearer(TOKEN), format!("{}{}", api_key(TOKEN), api_key(TOKEN)), signed.clone()];
    for profile in PROFILES {
        for headers in &credentials {
            let headers = format!("{headers}Cookie: a=cookie\r\n");
            let question = Question::from(profile, headers);
            verifier.ask(&Question { target: "/orders?q=queried", ..question.clone() }).await;
            let coming = Question { body: "in the body", ..question };
            verifier.ask(&coming).await;
            ask(verifier.address, coming.text_telling("")).await;
        }
    }
    let log = log.text();
    assert!(log.contains("refused") && log.contains("set up wrongly"), "{log}");
    let signature = signed.lines().last().unwrap().split_once(": ").unwrap().1;
    for secret in [TOKEN, signature, "cookie", "queried", "in the body"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
