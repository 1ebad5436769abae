//! CORS preflights: refused unless the configuration lets them through, and nothing else with them.

use super::answers::identity;
use super::verifier::{PROFILES, Question, Verifier, Wishes, bearer};
use crate::gateway::world::signed;

const PREFLIGHT: &str = "Origin: https://app.example\r\nAccess-Control-Request-Method: PUT\r\n\
                         Access-Control-Request-Headers: authorization\r\n";

fn preflight<'q>(profile: &'q str, headers: impl Into<String>) -> Question<'q> {
    let method = "OPTIONS";
    Question { method, scopes: Some("write"), ..Question::from(profile, headers) }
}

#[tokio::test]
async fn preflight_is_refused_unless_it_is_let_through_and_then_passes_as_nobody() {
    let strict = Verifier::start().await;
    let wishes = Wishes { allow_preflight: true, ..Wishes::default() };
    let lenient = Verifier::with(wishes).await;
    for profile in PROFILES {
        assert_eq!(strict.ask(&preflight(profile, PREFLIGHT)).await.status, 401, "{profile}");
        let answer = lenient.ask(&preflight(profile, PREFLIGHT)).await;
        assert_eq!((answer.status, identity(&answer)), (200, [""; 9].map(String::from)));
    }
}

#[tokio::test]
async fn what_only_looks_like_a_preflight_needs_a_credential() {
    let wishes = Wishes { allow_preflight: true, ..Wishes::default() };
    let verifier = Verifier::with(wishes).await;
    let unknown = bearer("api_test_Unknown00000000000000000000000");
    for profile in PROFILES {
        let others = ["PUT", "GET", "POST", "options"];
        let others = others.map(|method| Question { method, ..preflight(profile, PREFLIGHT) });
        let more = [
            "",
            "Origin: https://app.example\r\n",
            "Access-Control-Request-Method: PUT\r\n",
            &format!("{PREFLIGHT}X-HTTP-Method-Override: DELETE\r\n"),
            &format!("{PREFLIGHT}X_HTTP_Method_Override: DELETE\r\n"),
            &format!("{PREFLIGHT}X-Method-Override: DELETE\r\n"),
            &format!("{PREFLIGHT}X-HTTP-Method: DELETE\r\n"),
            &format!("{PREFLIGHT}{unknown}"),
            &format!("{PREFLIGHT}{}", signed("OPTIONS", "/other", b"")),
        ]
        .map(|headers| preflight(profile, headers));
        let with_body = Question { body: "hello", ..preflight(profile, PREFLIGHT) };
        for question in others.iter().chain(&more).chain([&with_body]) {
            let status = verifier.ask(question).await.status;
            assert_eq!(status, 401, "{}", question.text());
        }
        let ambiguous = Question { target: "/a/../b", ..preflight(profile, PREFLIGHT) };
        let status = if profile == "nginx" { 403 } else { 400 };
        assert_eq!(verifier.ask(&ambiguous).await.status, status, "{profile}");
    }
}
