//! At a terminal: what asks there, and what is coloured. The terminal is a real one, of the kernel.

use crate::caller::{Dev, shown, text};
use crate::process::{Home, SOON};
use crate::session::Session;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::time::timeout;

/// For a command that has nothing left to say.
const DRAIN: Duration = Duration::from_secs(5);

/// How a command at a terminal ended, and all that stood on the terminal.
#[derive(Debug)]
struct Seen {
    exit: i32,
    text: String,
}

/// Types `answer` as soon as `question` stands there.
async fn at_a_terminal(home: &Home, line: &str, question: &str, answer: &str) -> Seen {
    let mut command = home.rescind(line.split_whitespace());
    command.env("TERM", "xterm-256color");
    run(command, question, answer).await
}

async fn run(mut command: tokio::process::Command, question: &str, answer: &str) -> Seen {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let terminal = || Stdio::from(File::options().read(true).write(true).open(path).unwrap());
    command.stdin(terminal()).stdout(terminal()).stderr(terminal());
    let mut child = command.spawn().unwrap();
    // Ours would keep the terminal open after the command has left.
    drop(command);
    let (question, answer) = (question.to_owned(), answer.to_owned());
    let mut controller = File::from(controller);
    let reading = tokio::task::spawn_blocking(move || {
        let (mut text, mut asked, mut bytes) = (String::new(), question.is_empty(), [0; 1024]);
        // The end is an error here: the last one at the terminal has left.
        while let Ok(read @ 1..) = controller.read(&mut bytes) {
            text.push_str(&String::from_utf8_lossy(&bytes[..read]));
            if !asked && text.contains(&question) {
                asked = true;
                controller.write_all(answer.as_bytes()).unwrap();
            }
        }
        text
    });
    let status = timeout(SOON, child.wait()).await.expect("it waits for ever").unwrap();
    let text = timeout(DRAIN, reading).await.expect("the terminal stays open").unwrap();
    Seen { exit: status.code().unwrap(), text }
}

#[tokio::test]
async fn a_person_is_asked_and_only_a_yes_is_a_yes() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let session = Session::new(&home);
    let user = text(&session.json("user list", "").await["items"][0], "id");
    let token = dev.token().await;
    let line = format!("revoke-all --owner {user}");
    for no in ["n\n", "\n", "sure\n", "\u{4}"] {
        let seen = at_a_terminal(&home, &line, "Go on? [y/N] ", no).await;
        assert_eq!(seen.exit, 1, "{seen:?}");
        assert!(seen.text.contains("1 token. At once, everywhere, and for ever."), "{seen:?}");
        assert!(seen.text.contains("nothing was done"), "{seen:?}");
        assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 200, "after {no:?}");
    }
    let seen = at_a_terminal(&home, &line, "Go on? [y/N] ", "y\n").await;
    assert_eq!(seen.exit, 0, "{seen:?}");
    assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 401);
    // With --yes nobody is asked.
    let seen = at_a_terminal(&home, &format!("{line} --yes"), "", "").await;
    assert!(seen.exit == 0 && !seen.text.contains("Go on?"), "{seen:?}");
    dev.process.stop().await;
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let line = ["token", "list"];
    let mut command = home.rescind(line);
    command.env("TERM", "xterm-256color");
    let seen = run(command, "", "").await;
    assert!(seen.text.contains("\u{1b}[") && seen.text.contains("active"), "{seen:?}");
    let mut command = home.rescind(line);
    command.env("TERM", "xterm-256color").env("NO_COLOR", "1");
    let seen = run(command, "", "").await;
    assert!(!seen.text.contains('\u{1b}'), "{seen:?}");
    let piped = home.run("token list", "").await.well();
    assert!(!piped.out.contains('\u{1b}'), "{piped:?}");
    assert!(piped.out.lines().all(|line| !line.ends_with(' ')), "{piped:?}");
    dev.process.stop().await;
}
