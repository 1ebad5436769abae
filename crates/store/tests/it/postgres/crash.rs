//! Real processes that die: what was answered is there afterwards, at most one write more, and the
//! right to write is free again.

use super::scene::{Memory, Node, options};
use crate::sqlite::scene::{at, bearer, by, id, revocation, user};
use rescind_core::{TokenState, audit::Walk};
use rescind_store::{
    AuditFilter, ReadStore, SharedStore, WriteStore, conformance::postgres::Database,
    postgres::PostgresStore,
};
use std::{
    env,
    os::unix::process::ExitStatusExt,
    process::{Command, Output},
    sync::Arc,
};

/// In which the process that is to die finds its database.
const DATABASE: &str = "RESCIND_TEST_DATABASE";
const TOKENS: usize = 2;
const SIGABRT: i32 = 6;

/// A test for each named point, and how many writes beyond the answered ones a death there leaves.
/// Each death has a database of its own, whose end is a checkpoint: all of them in one test would
/// take minutes on a busy disk.
macro_rules! deaths_that_keep_what_was_answered {
    ($($point:ident: $beyond:literal;)*) => {
        mod death_keeps_what_was_answered {
            $(
                #[tokio::test]
                async fn $point() {
                    super::every_death_keeps_what_was_answered(stringify!($point), $beyond).await;
                }
            )*
        }
    };
}

deaths_that_keep_what_was_answered! {
    before_begin: 0;
    after_begin: 0;
    before_commit: 0;
    after_commit: 1;
    after_publish: 1;
    before_answer: 1;
}

async fn every_death_keeps_what_was_answered(point: &str, beyond: usize) {
    let mut deaths = 0;
    loop {
        let database = Database::create().await;
        let passage = format!("{point}:{}", deaths + 1);
        let output = child(&database).env("RESCIND_CRASH_POINT", &passage).output().unwrap();
        let answered = answered(&output);
        if output.status.success() {
            assert_eq!(answered.len(), 1 + 2 * TOKENS, "{output:?}");
            break;
        }
        assert_eq!(output.status.signal(), Some(SIGABRT), "{passage}: {output:?}");
        kept(&database, &answered, beyond, &passage).await;
        deaths += 1;
    }
    // One more than the answered writes: recording a use passes the points too.
    assert_eq!(deaths, 2 + 2 * TOKENS, "{point}");
}

#[tokio::test]
#[ignore = "is the process that the test above starts"]
async fn writes_until_it_dies() {
    let connection = env::var(DATABASE).expect("started by another test");
    let store = PostgresStore::open(options(connection, Arc::new(Memory::default()))).await;
    let store = store.unwrap();
    store.load().await.unwrap();
    store.create_owner(user("u"), by(0)).await.unwrap();
    println!("answered owner u");
    for n in 0..TOKENS {
        let name = format!("t{n}");
        store.issue(bearer(&name, "u"), by(1)).await.unwrap();
        println!("answered issue {name}");
        if n == 0 {
            store.record_use(vec![(id(&name), at(5))]).await.unwrap();
        }
        store.revoke(revocation(&name), by(2)).await.unwrap();
        println!("answered revoke {name}");
    }
    store.close().await.unwrap();
}

async fn kept(database: &Database, answered: &[String], beyond: usize, context: &str) {
    let Node { store, memory } = Node::of(database).await;
    for line in answered {
        let (what, name) = line.split_once(' ').unwrap();
        let token = store.token(&id(name)).await.unwrap();
        match what {
            "owner" => assert!(store.user_by_email("u@example.com").await.unwrap().is_some()),
            "issue" => assert!(token.is_some(), "{context}: {line}"),
            _ => {
                assert_ne!(token.unwrap().record.state, TokenState::Active, "{context}: {line}");
                assert!(!memory.held().tokens.contains_key(&id(name)), "{context}: {line}");
            }
        }
    }
    let all = AuditFilter { limit: u32::MAX, ..AuditFilter::default() };
    let entries = store.audit(&all).await.unwrap();
    let mut walk = Walk::default();
    entries.iter().for_each(|row| walk.step(&row.entry, &row.hash).unwrap());
    let revoked = entries.iter().filter(|row| row.entry.action == "token.revoked").count();
    assert_eq!(store.epoch().await.unwrap(), revoked as u64, "{context}");
    // The one write that is no mutation leaves no entry.
    let more = entries.len() - answered.len();
    assert!(more == beyond || (more == 0 && answered.len() == 2), "{context}: {more} more");
    store.create_owner(user("after"), by(3)).await.unwrap();
}

/// This very binary, to run one of its tests.
fn child(database: &Database) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["postgres::crash::writes_until_it_dies", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, database.connection());
    command
}

fn answered(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| line.split_once("answered "))
        .map(|(_, what)| what.into())
        .collect()
}
