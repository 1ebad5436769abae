//! Both generators against a server whose faults are known.

use crate::{load, revoke, write};
use clap::Parser;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

const STALL: Duration = Duration::from_millis(200);

/// Answers GET by 204, and by 401 once DELETE was answered and `late` is over. The first GET takes
/// `stall`.
fn server(stall: Duration, late: Duration) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let revoked = Arc::new(OnceLock::new());
    thread::spawn(move || {
        for stream in socket.incoming() {
            let revoked = Arc::clone(&revoked);
            thread::spawn(move || connection(stream.unwrap(), stall, late, &revoked));
        }
    });
    address
}

fn connection(mut stream: TcpStream, stall: Duration, late: Duration, revoked: &OnceLock<Instant>) {
    let mut stall = Some(stall);
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    while let Some(line) = lines.next() {
        let _ = lines.by_ref().take_while(|line| !line.is_empty()).count();
        if line.starts_with("DELETE") {
            revoked.get_or_init(crate::ask::now);
        } else if let Some(stall) = stall.take() {
            thread::sleep(stall);
        }
        let over = line.starts_with("GET") && revoked.get().is_some_and(|at| at.elapsed() >= late);
        let status = if over { 401 } else { 204 };
        let answer = format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

fn run(words: &str, tokens: &str) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("tokens"), tokens)?;
    std::fs::write(file("get"), "GET / HTTP/1.1\nX-API-Key: {token}\n\n")?;
    std::fs::write(file("delete"), "DELETE / HTTP/1.1\nX-API-Key: {token}\n\n")?;
    let words = words.replace("FOLDER", &folder.path().display().to_string());
    match crate::Command::parse_from(words.split(' ')) {
        crate::Command::Load(options) => load::run(&options),
        crate::Command::Revoke(options) => revoke::run(&options),
        crate::Command::Write(options) => write::run(&options),
        crate::Command::Serve(_) => unreachable!(),
    }
}

fn load(stall: Duration, tokens: &str) -> Value {
    let address = server(stall, Duration::ZERO);
    let files = "--request FOLDER/get --tokens FOLDER/tokens";
    let pace = "--rate 500 --seconds 0.4 --connections 1";
    run(&format!("- load --address {address} {files} {pace}"), tokens).unwrap()
}

#[test]
fn requests_that_were_due_while_the_server_stood_still_count_their_wait() {
    let found = load(STALL, "a 204");
    assert_eq!((&found["answers"], &found["wrong"]), (&200.into(), &0.into()));
    assert!(found["max_us"].as_f64().unwrap() >= 200e3, "{found}");
    // Half of them were due while the first was not answered; it alone would be one in 200.
    assert!(found["p99_us"].as_f64().unwrap() >= 150e3, "{found}");
}

#[test]
fn answers_that_are_not_those_of_their_tokens_are_counted() {
    assert_eq!(load(Duration::ZERO, "a 204\nb 401")["wrong"], 100);
    assert_eq!(load(Duration::ZERO, "a 204 - valid")["wrong"], 200);
}

fn revoke(late: Duration) -> Value {
    let address = server(Duration::ZERO, late);
    let files = "--revocation FOLDER/delete --verification FOLDER/get --tokens FOLDER/tokens";
    run(&format!("- revoke --address {address} {files} --watch {address}"), "a 204").unwrap()
}

#[test]
fn token_that_is_accepted_after_its_revocation_is_late_by_that_time() {
    let found = revoke(STALL);
    assert_eq!((&found["revocations"], &found["late"]), (&1.into(), &1.into()));
    let longest = found["longest_late_us"].as_f64().unwrap();
    assert!((100e3..300e3).contains(&longest), "{found}");
}

#[test]
fn token_that_is_refused_at_once_is_not_late() {
    let found = revoke(Duration::ZERO);
    assert_eq!((&found["late"], found["longest_late_us"].as_f64()), (&0.into(), Some(0.0)));
}

#[test]
fn each_token_is_written_once_whatever_the_connections() {
    let address = server(Duration::ZERO, Duration::ZERO);
    let write = |tokens| {
        let files = "--request FOLDER/delete --tokens FOLDER/tokens --connections 2";
        run(&format!("- write --address {address} {files}"), tokens)
    };
    assert_eq!(write("a 204\nb 204\nc 204").unwrap()["writes"], 3);
    assert!(write("a 204\nb 201").is_err(), "an answer that is not right");
}
