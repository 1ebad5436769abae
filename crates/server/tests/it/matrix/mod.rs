//! Who may do what: every operation of every listener, asked of the running server by everybody.
//!
//! The outcome is a table, `matrix.txt`, that is read in reviews: a cell that changes is a change of
//! who may do what. Each cell is asked anew, of things that the operation would work on (ones of its
//! own, if it may change them), so that a refusal is because of who asks.
//! `UPDATE_GOLDEN=1 cargo nextest run -p rescind-server matrix` writes it.

mod callers;
mod rows;
pub mod things;

use crate::admin_openapi::operations;
use crate::server::Server;
use callers::Caller;
use futures_util::{StreamExt, stream};
use rescind_server::admin::openapi;
use rows::{Listener, Row, rows};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::{fs, path::Path};
use things::Things;

/// Questions asked at the same time: fewer than passwords may be hashed.
const AT_ONCE: usize = 5;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/matrix/matrix.txt");

#[tokio::test]
async fn everybody_may_do_what_the_table_says_and_nothing_else() {
    let server = Server::start().await;
    let mut table = heading();
    for row in rows() {
        let _ = write!(table, "{:<6} {:<53}", row.method, row.name());
        let things = Things::make(&server).await;
        let at_once = if row.reaches_far() { 1 } else { AT_ONCE };
        let cells = stream::iter(Caller::ALL).map(|caller| cell(&server, &row, &things, caller));
        for cell in cells.buffered(at_once).collect::<Vec<_>>().await {
            let _ = write!(table, " {cell:>4}");
        }
        table.push('\n');
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &table).unwrap();
    }
    let golden = fs::read_to_string(Path::new(GOLDEN)).unwrap_or_default();
    for (was, is) in golden.lines().zip(table.lines()) {
        assert_eq!(was, is, "who may do what has changed; UPDATE_GOLDEN=1 writes it down");
    }
    assert_eq!(golden.lines().count(), table.lines().count());
}

#[test]
fn every_documented_operation_has_a_row() {
    let rows: BTreeSet<_> = rows()
        .into_iter()
        .filter(|row| row.listener == Listener::Admin)
        .map(|row| (row.method.to_owned(), row.path.to_owned()))
        .collect();
    let documented: BTreeSet<_> = operations(&openapi::document())
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    assert_eq!(rows, documented);
}

/// What the document says about scopes, against what was found out by asking.
#[test]
fn documented_scopes_are_those_that_let_callers_in() {
    let golden = fs::read_to_string(GOLDEN).unwrap();
    let operations = operations(&openapi::document());
    let (rows, mut seen) = (rows(), BTreeSet::new());
    for (row, line) in rows.iter().zip(golden.lines().skip(heading().lines().count())) {
        // The first one is what the operation is for; the others may need more.
        if row.listener != Listener::Admin || !seen.insert((row.method, row.path)) {
            continue;
        }
        let found =
            operations.iter().find(|(method, path, _)| method == row.method && path == row.path);
        let (_, _, operation) = found.unwrap();
        let cells: Vec<_> = line[60..].split_whitespace().collect();
        for (caller, cell) in Caller::ALL.into_iter().zip(cells) {
            let Some(scope) = caller.only_scope() else { continue };
            let needed = &operation["x-required-scope"];
            let let_in = needed.is_null() || needed == scope;
            assert_eq!(cell != "403s", let_in, "{} {} with {scope}", row.method, row.path);
        }
    }
}

/// A status; of 403 also why: the scope (s), or not allowed though the scope is there (n).
async fn cell(server: &Server, row: &Row, shared: &Things, caller: Caller) -> String {
    let own = if row.method == "GET" { None } else { Some(Things::make(server).await) };
    let things = own.as_ref().unwrap_or(shared);
    let request = row.request(server, things);
    let asked = caller.presented(server, row, things, request).await;
    let answer = server.send(asked).await;
    let status = answer.status.as_u16();
    match answer.json["type"].as_str() {
        Some("urn:rescind:problem:insufficient-scope") => format!("{status}s"),
        Some("urn:rescind:problem:not-allowed") => format!("{status}n"),
        _ => status.to_string(),
    }
}

fn heading() -> String {
    let mut out = String::from(
        "Who may do what: made by asking the running server. See mod.rs.\n\
         403s: the token lacks the scope. 403n: it has it, and this is still not allowed.\n\n",
    );
    for caller in Caller::ALL {
        let _ = writeln!(out, "{:<5} {}", caller.short(), caller.long());
    }
    let _ = write!(out, "\n{:<60}", "");
    for caller in Caller::ALL {
        let _ = write!(out, " {:>4}", caller.short());
    }
    out.push('\n');
    out
}
