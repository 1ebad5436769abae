//! What an operator writes into the proxy's configuration, and what a client cannot.

use super::verifier::{PROFILES, Question, Verifier, bearer};
use crate::gateway::wire::ask;
use crate::gateway::world::{API_KEY, TOKEN};

#[tokio::test]
async fn scopes_in_the_path_are_asked_for_all_of_them() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        for (scopes, reader, writer) in [
            ("read", 200, 200),
            ("write", 403, 200),
            ("read,write", 403, 200),
            ("write,read,read", 403, 200),
            ("wr%69te", 403, 200),
            ("read,admin", 403, 403),
            ("*", 403, 403),
        ] {
            for (token, status) in [(TOKEN, reader), (API_KEY, writer)] {
                let question = Question::from(profile, bearer(token));
                let question = Question { scopes: Some(scopes), ..question };
                assert_eq!(verifier.ask(&question).await.status, status, "{profile} {scopes}");
            }
        }
    }
}

#[tokio::test]
async fn query_of_our_own_address_asks_for_nothing_and_takes_nothing_away() {
    let verifier = Verifier::start().await;
    for profile in ["nginx", "caddy", "traefik", "haproxy"] {
        let question = Question::from(profile, bearer(TOKEN));
        let required = Question { scopes: Some("write"), ..question.clone() };
        let queries =
            ["", "?", "?require=write", "?/require/write", "?scopes=&profile=envoy", "?a=%2"];
        for query in queries {
            let put = |question: &Question<'_>| {
                question.text().replace("?a=1&b=%20 HTTP", &format!("{query} HTTP"))
            };
            assert_eq!(ask(verifier.address, put(&question)).await.status, 200, "{query}");
            assert_eq!(ask(verifier.address, put(&required)).await.status, 403, "{query}");
        }
    }
}

#[tokio::test]
async fn client_of_envoy_cannot_choose_what_is_asked_for() {
    let verifier = Verifier::start().await;
    let targets =
        ["/any/orders", "/require/read/x", "/?/any/x", "/v1/forward-auth/nginx", "/orders?/any"];
    for target in targets {
        let question = Question { target, ..Question::from("envoy", bearer(TOKEN)) };
        assert_eq!(verifier.ask(&question).await.status, 200, "{target}");
        let required = Question { scopes: Some("write"), ..question };
        assert_eq!(verifier.ask(&required).await.status, 403, "{target}");
    }
}

#[tokio::test]
async fn path_that_nobody_means_is_refused() {
    let verifier = Verifier::start().await;
    let told = PROFILES.map(|profile| super::verifier::told(profile, "GET", "/", "198.51.100.7"));
    let told =
        [told[0].as_str(), &told[1], told[3].split_inclusive("\r\n").next().unwrap()].concat();
    for path in [
        "",
        "/",
        "/apache",
        "/Nginx",
        "/caddy/",
        "/caddy/any",
        "/caddy/require",
        "/caddy/require/",
        "/caddy/require/read/",
        "/caddy/require/read,",
        "/caddy/require/read/orders",
        "/caddy%2frequire%2fread",
        "/envoy",
        "/envoy/orders",
        "/envoy/any",
        "/envoy/anyone/orders",
        "/envoy/require/read",
        "/envoy/require/read?/orders",
        "/envoy/require//orders",
    ] {
        let head = format!("GET /v1/forward-auth{path} HTTP/1.1\r\nHost: x\r\n{told}");
        let answer = ask(verifier.address, format!("{head}{}\r\n", bearer(API_KEY))).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
    }
}
