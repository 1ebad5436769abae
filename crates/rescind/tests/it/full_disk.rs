//! A real disk that is full: a small file system in memory, which only the server under test sees.
//!
//! It is mounted in a mount namespace of its own (`unshare`), so nothing is left behind however a
//! test ends. From outside it is reached through the server's `/proc/PID/root`.

use crate::caller::{http, json_of, shown, status, text};
use crate::failures::{says, starts};
use crate::process::{Home, Process, Ran, run};
use reqwest::Client;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Room for a database that works.
const ROOMY_KIB: u32 = 16 * 1024;
/// Tokens that are revoked one by one: more than any room left over by chance can hold.
const TOKENS: usize = 250;

/// Runs a command with a file system of this size mounted on the directory `disk` of its home.
fn on_a_small_disk(home: &Home, kib: u32, command: &Command) -> Command {
    const SCRIPT: &str = r#"mount -t tmpfs -o "size=$0k,mode=700" none "$1" && shift && exec "$@""#;
    let mut small = home.command("unshare");
    if !rustix::process::geteuid().is_root() {
        small.arg("--map-root-user");
    }
    small.args(["--mount", "sh", "-c", SCRIPT]).arg(kib.to_string()).arg(home.path("disk"));
    small.arg(command.as_std().get_program()).args(command.as_std().get_args());
    small
}

/// A home with a place for the disk; `None` where nothing can be mounted.
async fn home_with_a_disk() -> Option<Home> {
    let home = Home::new();
    std::fs::create_dir(home.path("disk")).unwrap();
    let tried = run(on_a_small_disk(&home, 4, &home.command("true")), "").await;
    if tried.exit != 0 {
        println!("skipped: nothing can be mounted here: {}", tried.talk);
        return None;
    }
    Some(home)
}

/// At every size from none to enough, a start either works or says that the disk is full.
#[tokio::test]
async fn a_start_on_a_full_disk_says_so() {
    let Some(home) = home_with_a_disk().await else { return };
    for which in ["dev", "serve"] {
        let mut refused = 0;
        // In pages, which is what such a file system gives out.
        for kib in (4..).step_by(4) {
            let [dev, serve] = starts(&home, &home.path("disk/store"));
            let command = if which == "dev" { dev } else { serve };
            let Some(ran) = started_or_refused(&home, kib, &command).await else { break };
            says(&ran, 3, &["error: ", "free some space"]);
            assert!(["o space", "is full"].iter().any(|why| ran.talk.contains(why)), "{ran:?}");
            assert!(!ran.talk.contains("--fresh"), "deleting is no help: {ran:?}");
            refused += 1;
            assert!(kib < ROOMY_KIB, "it never starts: {ran:?}");
        }
        println!("{which} was refused {refused} times");
        assert!(refused >= 5, "{which} was refused {refused} times only");
    }
}

/// `None` if it starts.
async fn started_or_refused(home: &Home, kib: u32, command: &Command) -> Option<Ran> {
    let mut process = home.start("tried", on_a_small_disk(home, kib, command));
    if !process.ends_before(&["Ctrl-C stops.", "\"message\":\"ready\""]).await {
        return None;
    }
    let exit = process.ended().await.code().unwrap();
    Some(Ran { exit, out: process.out(), talk: process.log() })
}

#[tokio::test]
async fn on_a_full_disk_no_change_is_confirmed_and_verification_goes_on() {
    let Some(home) = home_with_a_disk().await else { return };
    let server = Server::start(&home).await;
    let user = server.user().await;
    let mut tokens = Vec::new();
    for _ in 0..TOKENS {
        tokens.push(server.issue(&user).await);
    }
    let filler = server.fill();
    let (mut revoked, mut refused) = (Vec::new(), Vec::new());
    for (n, token) in tokens.iter().enumerate() {
        let answer = match n % 2 {
            0 => server.revoke(token).await,
            _ => server.revoke_held(token).await,
        };
        match answer {
            200 => revoked.push(token),
            503 => refused.push(token),
            other => panic!("{other}:\n{}", server.process.log()),
        }
    }
    println!("{} revoked, {} refused on a full disk", revoked.len(), refused.len());
    assert!(refused.len() > 10, "the disk was not full");
    // What was answered holds, what was not is as before.
    server.each_is_shown(&revoked, 401).await;
    server.each_is_shown(&refused, 200).await;
    assert_eq!(server.health().await, 200);

    std::fs::remove_file(filler).unwrap();
    let (now, later) = refused.split_at(refused.len() / 2);
    for token in now {
        assert_eq!(server.revoke(token).await, 200, "{}", server.process.log());
    }
    server.each_is_shown(&revoked, 401).await;
    server.each_is_shown(now, 401).await;
    server.each_is_shown(later, 200).await;
    server.process.stop().await;
}

/// `rescind dev` on the small disk, and its operator.
struct Server {
    process: Process,
    http: Client,
    facts: Value,
}

struct Token {
    id: String,
    text: String,
}

impl Server {
    async fn start(home: &Home) -> Self {
        let [mut dev, _] = starts(home, &home.path("disk/store"));
        dev.arg("--json");
        let mut process = home.start("dev", on_a_small_disk(home, ROOMY_KIB, &dev));
        let line = process.says(|out| out.ends_with('\n')).await;
        Self { process, http: http(), facts: serde_json::from_str(&line).unwrap() }
    }

    async fn admin(&self, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}{path}", text(&self.facts, "admin_url"));
        let request = self.http.post(url).bearer_auth(text(&self.facts, "admin_token"));
        json_of(request.json(&body)).await
    }

    async fn user(&self) -> String {
        let user = json!({"email": "ada@example.com", "password": "correct horse battery"});
        text(&self.admin("/v1/users", user).await.1, "id")
    }

    async fn issue(&self, owner: &str) -> Token {
        let new = json!({"owner_id": owner, "kind": "bearer"});
        let (_, made) = self.admin("/v1/tokens", new).await;
        Token { id: text(&made, "id"), text: text(&made, "token") }
    }

    async fn revoke(&self, token: &Token) -> u16 {
        self.admin(&format!("/v1/tokens/{}/revoke", token.id), json!({})).await.0
    }

    /// As whoever holds it (RFC 7009).
    async fn revoke_held(&self, token: &Token) -> u16 {
        let url = format!("{}/v1/revoke", text(&self.facts, "verify_url"));
        let form = "application/x-www-form-urlencoded";
        let request = self.http.post(url).header("content-type", form);
        status(request.body(format!("token={}", token.text))).await
    }

    async fn each_is_shown(&self, tokens: &[&Token], expected: u16) {
        let url = format!("{}/v1/orders", text(&self.facts, "base_url"));
        for token in tokens {
            assert_eq!(shown(&url, &token.text).await, expected, "{}", token.id);
        }
    }

    async fn health(&self) -> u16 {
        let url = format!("{}/health", text(&self.facts, "verify_url"));
        status(self.http.get(url)).await
    }

    /// Fills the disk to its last byte, and returns the file that does.
    fn fill(&self) -> PathBuf {
        let store = Path::new("/proc").join(self.process.id().to_string()).join("root");
        let inside = text(&self.facts, "data");
        let path = store.join(inside.trim_start_matches('/')).join("filler");
        let mut file = File::create(&path).unwrap();
        let full = loop {
            if let Err(error) = file.write(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        path
    }
}
