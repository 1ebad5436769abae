//! Against servers that behave as ours never does. The well-behaved one is tested end to end.

use super::*;
use crate::cli::{Format, Paging};
use crate::failure::Exit;
use crate::output::Output;
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread::{self, JoinHandle},
};

const TOKEN: &str = "rescind_admin_secret";

/// Answers one request after another with `answers`, and gives back what it was asked.
fn server(answers: Vec<String>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        answers
            .iter()
            .map(|answer| {
                let (mut connection, _) = listener.accept().unwrap();
                let mut bytes = [0; 4096];
                let read = connection.read(&mut bytes).unwrap();
                // A client that has seen enough hangs up.
                let _ = connection.write_all(answer.as_bytes());
                String::from_utf8(bytes[..read].to_vec()).unwrap()
            })
            .collect()
    });
    (client(&url), asked)
}

fn client(url: &str) -> Client {
    Client::new(&Context::new(url, TOKEN, "a test".into()).unwrap()).unwrap()
}

fn paging(limit: u32, after: Option<&str>) -> Paging {
    Paging { limit, after: after.map(Into::into) }
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn requests_carry_the_token_and_each_part_as_one_segment() {
    let (client, asked) = server(vec![answer("200 OK", "{}")]);
    client.get(&["v1", "users", "email:a/b?c@d"], &[("x", "y&z")]).await.unwrap();
    let asked = asked.join().unwrap();
    let line = "GET /v1/users/email:a%2Fb%3Fc@d?x=y%26z HTTP/1.1\r\n";
    assert!(asked[0].starts_with(line), "{asked:?}");
    assert!(asked[0].contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{asked:?}");
    assert!(!format!("{client:?}").contains(TOKEN));
}

#[tokio::test]
async fn problems_are_told_with_the_exit_code_that_fits() {
    for (status, exit) in [
        ("400 Bad Request", Exit::Refused),
        ("401 Unauthorized", Exit::Refused),
        ("403 Forbidden", Exit::Refused),
        ("404 Not Found", Exit::Refused),
        ("409 Conflict", Exit::Refused),
        ("500 Internal Server Error", Exit::Unreachable),
        ("503 Service Unavailable", Exit::Unreachable),
    ] {
        let body = r#"{"type":"about:blank","title":"No","status":1,"detail":"not like this"}"#;
        let (client, _asked) = server(vec![answer(status, body)]);
        let failure = client.get(&["v1"], &[]).await.unwrap_err();
        assert_eq!(
            (failure.exit, failure.message.as_str()),
            (exit, "No: not like this"),
            "{status}"
        );
    }
}

#[tokio::test]
async fn no_server_is_told_apart_from_a_refusal() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = client(&format!("http://{free}")).get(&["v1"], &[]).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(
        failure.message.starts_with(&format!("cannot connect to http://{free}/: ")),
        "{failure:?}"
    );
    assert!(failure.next.unwrap().contains("`rescind dev`"));
}

#[tokio::test]
async fn strangers_are_recognised_and_redirects_not_followed() {
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    far.set_nonblocking(true).unwrap();
    let location = format!("http://{}/", far.local_addr().unwrap());
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let long = "x".repeat(ANSWER_BYTES_MAX + 1);
    for odd in [
        redirect,
        answer("200 OK", "<html>"),
        answer("502 Bad Gateway", "<html>"),
        answer("200 OK", &format!("\"{long}\"")),
    ] {
        let (client, _asked) = server(vec![odd]);
        let failure = client.get(&["v1"], &[]).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Unreachable);
        assert!(failure.message.contains("does not answer as Rescind's"), "{failure:?}");
    }
    assert!(far.accept().is_err(), "the redirect was followed");
}

#[tokio::test]
async fn an_exchange_that_breaks_off_may_have_been_done() {
    let (client, _asked) = server(vec!["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into()]);
    let failure = client.post(&["v1"], &Value::Null).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.next.unwrap().contains("not known"));
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let pages = [r#"{"items":[1,2],"next":"b"}"#, r#"{"items":[3],"next":null}"#];
    let (client, asked) = server(pages.map(|page| answer("200 OK", page)).into());
    let all = paging(1_000, None);
    let list = client.list(&["v1", "users"], &[("state", "all")], &all).await.unwrap();
    assert_eq!((list.items.len(), list.next), (3, None));
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("GET /v1/users?state=all&limit=100 "), "{asked:?}");
    assert!(asked[1].starts_with("GET /v1/users?state=all&limit=100&after=b "), "{asked:?}");
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let page = answer("200 OK", r#"{"items":[1],"next":"b"}"#);
    let (client, _asked) = server(vec![page.clone(), page]);
    let failure = client.list(&["v1"], &[], &paging(1_000, None)).await.unwrap_err();
    assert_eq!(failure.message, "the server's list does not end");
}

#[tokio::test]
async fn no_more_is_asked_for_than_is_wanted() {
    let pages = [r#"{"items":[1,2],"next":"b"}"#, r#"{"items":[3],"next":"c"}"#];
    let (client, asked) = server(pages.map(|page| answer("200 OK", page)).into());
    let list = client.list(&["v1", "users"], &[], &paging(3, Some("a"))).await.unwrap();
    assert_eq!((list.items.len(), list.next.as_deref()), (3, Some("c")));
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("GET /v1/users?limit=3&after=a "), "{asked:?}");
    assert!(asked[1].starts_with("GET /v1/users?limit=1&after=b "), "{asked:?}");
}

const UNAVAILABLE: &str = r#"{"type":"urn:rescind:problem:unavailable","title":"Unavailable"}"#;

fn keys(asked: &[String]) -> Vec<&str> {
    fn key(text: &str) -> Option<&str> {
        text.split("idempotency-key: ").nth(1)?.split('\r').next()
    }
    asked.iter().map(|text| key(text).unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_creation_without_an_answer_is_sent_once_more_with_the_same_key() {
    for fault in [answer("503 Service Unavailable", UNAVAILABLE), "HTTP/1.1 201 Cr".to_owned()] {
        let replay =
            "HTTP/1.1 201 Created\r\nidempotency-replayed: true\r\ncontent-length: 2\r\n\r\n{}";
        let (client, asked) = server(vec![fault, replay.to_owned()]);
        let created = client.create(&["v1", "users"], &Value::Null, None).await.unwrap();
        assert!(created.retried && created.replayed);
        let asked = asked.join().unwrap();
        let keys = keys(&asked);
        assert!(keys[0] == keys[1] && keys[0].len() == 32, "{keys:?}");
    }
}

#[tokio::test]
async fn a_creation_that_fails_twice_says_with_which_key_to_repeat_it() {
    let out = answer("503 Service Unavailable", UNAVAILABLE);
    let (client, asked) = server(vec![out.clone(), out]);
    let failure = client.create(&["v1", "users"], &Value::Null, Some("k-1")).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.next.unwrap().contains("--idempotency-key k-1"));
    assert_eq!(keys(&asked.join().unwrap()), ["k-1", "k-1"]);
}

#[tokio::test]
async fn a_refused_creation_is_not_repeated() {
    let (client, asked) = server(vec![answer("409 Conflict", r#"{"title":"Conflict"}"#)]);
    let failure = client.create(&["v1", "users"], &Value::Null, None).await.unwrap_err();
    assert_eq!((failure.exit, asked.join().unwrap().len()), (Exit::Refused, 1));
    assert_eq!(failure.next.unwrap(), "`rescind user list` shows those that there are");
}

#[tokio::test]
async fn what_is_no_creation_is_never_repeated() {
    let (client, asked) = server(vec![answer("503 Service Unavailable", UNAVAILABLE)]);
    client.post(&["v1", "revocations"], &Value::Null).await.unwrap_err();
    assert_eq!(keys(&asked.join().unwrap()), [""]);
}

#[tokio::test]
async fn each_problem_names_a_command_that_helps() {
    let urn = |name: &str| format!(r#"{{"type":"urn:rescind:problem:{name}","title":"No"}}"#);
    for (status, name, path, next) in [
        ("401 Unauthorized", "unauthorized", ["v1", "users"], "`rescind doctor`"),
        ("403 Forbidden", "insufficient-scope", ["v1", "users"], "`rescind whoami`"),
        ("404 Not Found", "not-found", ["v1", "users"], "`rescind user list`"),
        ("404 Not Found", "not-found", ["v1", "operators"], "`rescind operator list`"),
        ("409 Conflict", "last-admin", ["v1", "tokens"], "`rescind token create --kind admin`"),
        ("422 Unprocessable", "idempotency-key-reused", ["v1", "users"], "--idempotency-key"),
        ("429 Too Many Requests", "too-many-requests", ["v1", "users"], "wait"),
    ] {
        let (client, _asked) = server(vec![answer(status, &urn(name))]);
        let failure = client.get(&path, &[]).await.unwrap_err();
        assert!(failure.next.as_deref().unwrap().contains(next), "{name}: {failure:?}");
    }
}

#[tokio::test]
async fn lines_come_one_by_one_and_a_cut_answer_is_no_end() {
    let (client, _asked) = server(vec![answer("200 OK", "one\n\ntwo")]);
    let mut lines = client.lines(&["v1", "audit", "export"]).await.unwrap();
    let mut seen = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        seen.push(String::from_utf8(line).unwrap());
    }
    assert_eq!(seen, ["one", "", "two"]);

    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\none\ntw".to_owned();
    let (client, _asked) = server(vec![cut]);
    let mut lines = client.lines(&["v1", "audit", "export"]).await.unwrap();
    assert_eq!(lines.next().await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(lines.next().await.unwrap_err().exit, Exit::Unreachable);
}

const PENDING: &str = r#"{"token":{"id":"a"},"already_revoked":false,"epoch":7,"settled":false,
    "status_url":"/v1/revocations/7"}"#;

#[tokio::test]
async fn revocation_is_told_once_it_holds_everywhere() {
    let pending = r#"{"epoch":7,"settled":false,"acknowledged":null,"took_ms":null}"#;
    let settled = r#"{"epoch":7,"settled":true,"acknowledged":2,"waited_out":1,
        "took_ms":41000}"#;
    let (client, asked) = server(vec![
        answer("202 Accepted", PENDING),
        answer("200 OK", pending),
        answer("200 OK", settled),
    ]);
    let output = Output::new(Format::Json);
    let told = client.revoke(&["v1", "tokens", "a", "revoke"], &json!({}), output).await.unwrap();
    let expected = json!({
        "token": {"id": "a"}, "already_revoked": false, "epoch": 7, "acknowledged": 2,
        "waited_out": 1, "took_ms": 41_000,
    });
    assert_eq!(told, expected);
    let asked = asked.join().unwrap();
    assert!(asked.iter().all(|request| request.contains("prefer: wait=20\r\n")), "{asked:?}");
    assert!(asked[1].starts_with("GET /v1/revocations/7 ") && asked[2].starts_with("GET /v1/rev"));
}

/// Whoever asks again is waited for anew.
#[tokio::test]
async fn revocation_that_cannot_be_followed_is_no_success() {
    let problem = r#"{"type":"about:blank","title":"No","status":503,"detail":"away"}"#;
    let answers = vec![answer("202 Accepted", PENDING), answer("503 Service Unavailable", problem)];
    let (client, _asked) = server(answers);
    let output = Output::new(Format::Json);
    let failure = client.revoke(&["v1", "x"], &json!({}), output).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.next.unwrap().contains("revoked for good"));
}
