//! Where the original request came from, as a token that is bound to a network shows.

use super::verifier::{PROFILES, Question, Verifier, bearer, told};
use crate::gateway::wire::ask;
use crate::gateway::world::{BOUND, TOKEN};

async fn status(verifier: &Verifier, profile: &str, client: &str) -> u16 {
    let question = Question { client, ..Question::from(profile, bearer(BOUND)) };
    verifier.ask(&question).await.status
}

#[tokio::test]
async fn token_is_bound_to_the_client_and_not_to_the_proxy() {
    let verifier = Verifier::start().await;
    for profile in PROFILES {
        for (client, expected) in [
            ("198.51.100.7", 200),
            ("::ffff:198.51.100.7", 200),
            ("198.51.101.7", 401),
            ("2001:db8::7", 401),
        ] {
            assert_eq!(status(&verifier, profile, client).await, expected, "{profile} {client}");
        }
        let free = Question { client: "203.0.113.9", ..Question::from(profile, bearer(TOKEN)) };
        assert_eq!(verifier.ask(&free).await.status, 200);
    }
}

#[tokio::test]
async fn of_a_list_the_rightmost_address_that_is_no_proxy_is_the_client() {
    let verifier = Verifier::start().await;
    for profile in ["caddy", "traefik", "envoy"] {
        for (list, expected) in [
            ("203.0.113.9, 198.51.100.7", 200),
            ("198.51.100.7, 192.0.2.9, 127.0.0.1", 200),
            ("198.51.100.7, 203.0.113.9", 401),
            ("198.51.100.7, junk", 401),
            ("127.0.0.1", 401),
            ("192.0.2.9, 127.0.0.1", 401),
        ] {
            assert_eq!(status(&verifier, profile, list).await, expected, "{profile} {list}");
        }
    }
}

#[tokio::test]
async fn one_address_is_one_address() {
    let verifier = Verifier::start().await;
    for (profile, refused) in [("nginx", 403), ("haproxy", 400)] {
        for client in ["203.0.113.9, 198.51.100.7", "198.51.100.7, 198.51.100.7", "unknown", "x"] {
            assert_eq!(status(&verifier, profile, client).await, refused, "{profile} {client}");
        }
        let spoofed = format!("{}X-Forwarded-For: 198.51.100.7\r\n", bearer(BOUND));
        let question = Question { client: "203.0.113.9", ..Question::from(profile, spoofed) };
        assert_eq!(verifier.ask(&question).await.status, 401, "{profile}");
    }
    for profile in ["caddy", "traefik", "envoy"] {
        let spoofed = format!("{}X-Real-IP: 198.51.100.7\r\n", bearer(BOUND));
        let question = Question { client: "203.0.113.9", ..Question::from(profile, spoofed) };
        assert_eq!(verifier.ask(&question).await.status, 401, "{profile}");
    }
}

#[tokio::test]
async fn client_that_envoy_does_not_name_is_unknown() {
    let verifier = Verifier::start().await;
    for (token, expected) in [(TOKEN, 200), (BOUND, 401)] {
        let question = Question::from("envoy", bearer(token));
        for told in ["", "X-Real-IP: 198.51.100.7\r\n", "Forwarded: for=198.51.100.7\r\n"] {
            let answer = ask(verifier.address, question.text_telling(told)).await;
            assert_eq!(answer.status, expected, "{told}");
        }
    }
    let twice = told("envoy", "", "", "203.0.113.9") + &told("envoy", "", "", "198.51.100.7");
    let question = Question::from("envoy", bearer(BOUND)).text_telling(&twice);
    assert_eq!(ask(verifier.address, question).await.status, 400);
}
