//! Against servers that behave as ours never does. The well-behaved one is tested end to end.

use super::*;
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
    let list = client.list(&["v1", "users"], &[("state", "all")]).await.unwrap();
    assert_eq!((list.items.len(), list.next), (3, None));
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("GET /v1/users?state=all&limit=100 "), "{asked:?}");
    assert!(asked[1].starts_with("GET /v1/users?state=all&limit=100&after=b "), "{asked:?}");
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let page = answer("200 OK", r#"{"items":[1],"next":"b"}"#);
    let (client, _asked) = server(vec![page.clone(), page]);
    let failure = client.list(&["v1"], &[]).await.unwrap_err();
    assert_eq!(failure.message, "the server's list does not end");
}
