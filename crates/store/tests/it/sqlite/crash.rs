//! Real processes that die: what was answered is there afterwards, and at most one write more.

use super::scene::{Heard, at, bearer, by, id, open, revocation, user};
use rescind_core::{TokenState, audit::Walk};
use rescind_store::{AuditFilter, ReadStore, StoreError, WriteStore};
use std::{
    env,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

/// In which the process that is to die finds its database.
const DATABASE: &str = "RESCIND_TEST_DATABASE";
const TOKENS: usize = 4;
const SIGABRT: i32 = 6;

/// Each named point, and how many writes beyond the answered ones a death there leaves.
const POINTS: [(&str, usize); 6] = [
    ("before_begin", 0),
    ("after_begin", 0),
    ("before_commit", 0),
    ("after_commit", 1),
    ("after_publish", 1),
    ("before_answer", 1),
];

#[tokio::test]
async fn death_at_every_point_keeps_what_was_answered() {
    for (point, beyond) in POINTS {
        let mut deaths = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("rescind.db");
            let passage = format!("{point}:{}", deaths + 1);
            let output = child("writes_until_it_dies", &path)
                .env("RESCIND_CRASH_POINT", &passage)
                .output()
                .unwrap();
            let answered = answered(&output);
            if output.status.success() {
                assert_eq!(answered.len(), 1 + 2 * TOKENS, "{output:?}");
                break;
            }
            assert_eq!(output.status.signal(), Some(SIGABRT), "{passage}: {output:?}");
            kept(&path, &answered, beyond, &passage).await;
            deaths += 1;
        }
        // One more than the answered writes: recording a use passes the points too.
        assert_eq!(deaths, 2 + 2 * TOKENS, "{point}");
    }
}

#[tokio::test]
#[ignore = "is the process that the test above starts"]
async fn writes_until_it_dies() {
    let store = open(&database(), Arc::new(Heard::default())).unwrap();
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

async fn kept(path: &Path, answered: &[String], beyond: usize, context: &str) {
    let store = open(path, Arc::new(Heard::default())).unwrap();
    for line in answered {
        let (what, name) = line.split_once(' ').unwrap();
        let token = store.token(&id(name)).await.unwrap();
        match what {
            "owner" => assert!(store.user_by_email("u@example.com").await.unwrap().is_some()),
            "issue" => assert!(token.is_some(), "{context}: {line}"),
            _ => assert_ne!(token.unwrap().record.state, TokenState::Active, "{context}: {line}"),
        }
    }
    let entries =
        store.audit(&AuditFilter { limit: u32::MAX, ..AuditFilter::default() }).await.unwrap();
    let mut walk = Walk::default();
    entries.iter().for_each(|row| walk.step(&row.entry, &row.hash).unwrap());
    let revoked = entries.iter().filter(|row| row.entry.action == "token.revoked").count();
    assert_eq!(store.epoch().await.unwrap(), revoked as u64, "{context}");
    // The one write that is no mutation leaves no entry.
    let more = entries.len() - answered.len();
    assert!(more == beyond || (more == 0 && answered.len() == 2), "{context}: {more} more");
    store.close().await.unwrap();
}

/// A limit on the size of a file makes writes to the log fail with EFBIG: a real I/O error.
#[tokio::test]
async fn real_io_error_seals_and_keeps_what_was_answered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rescind.db");
    let test = child("writes_until_the_disk_fails", &path);
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\""])
        .arg(test.get_program())
        .args(test.get_args())
        .env(DATABASE, &path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let answered = answered(&output);
    assert!(answered.len() > 2, "{output:?}");
    let store = open(&path, Arc::new(Heard::default())).unwrap();
    for line in answered.iter().filter_map(|line| line.strip_prefix("issue ")) {
        assert!(store.token(&id(line)).await.unwrap().is_some(), "{line} is gone");
    }
}

#[tokio::test]
#[ignore = "is the process that the test above starts"]
async fn writes_until_the_disk_fails() {
    let heard = Arc::new(Heard::default());
    let store = open(&database(), heard.clone()).unwrap();
    store.create_owner(user("u"), by(0)).await.unwrap();
    for n in 0..1000 {
        let name = format!("t{n}");
        if let Err(error) = store.issue(bearer(&name, "u"), by(1)).await {
            let failed = format!("{error:?}");
            assert!(failed.contains("Failed") && failed.contains("SystemIoFailure"), "{failed}");
            assert_eq!(heard.lines().last().unwrap(), "sealed");
            store.failed().await;
            let after = store.revoke(revocation("t0"), by(2)).await;
            assert!(matches!(after, Err(StoreError::Failed(_))), "{after:?}");
            assert!(matches!(store.epoch().await, Err(StoreError::Failed(_))));
            return;
        }
        println!("answered issue {name}");
    }
    panic!("no write has failed");
}

/// This very binary, to run one of its tests.
fn child(test: &str, database: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([&format!("sqlite::crash::{test}"), "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, database);
    command
}

fn database() -> PathBuf {
    env::var_os(DATABASE).expect("started by another test").into()
}

fn answered(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .filter_map(|line| line.split_once("answered "))
        .map(|(_, what)| what.into())
        .collect()
}
