//! Starts that cannot succeed: what is wrong is said, and what to do next; nothing panics, and
//! nothing of somebody else's is touched.

use crate::caller::{Dev, shown};
use crate::process::{FREE_PORTS, Home, Ran, names_in, run};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::process::Command;

/// The user `nobody`, on every Unix that matters here.
const NOBODY: u32 = 65_534;

/// `rescind dev` or `rescind serve` with their data in this directory.
pub(crate) fn starts(home: &Home, data: &Path) -> [Command; 2] {
    let mut dev = home.rescind(["dev"].iter().chain(&FREE_PORTS));
    dev.arg("--data").arg(data);
    let mut serve = home.rescind(["serve", "--set", "limitless.enabled=false"]);
    for listener in ["public", "verify", "admin"] {
        serve.args(["--set", &format!("{listener}.listen=127.0.0.1:0")]);
    }
    serve.args(["--set", &format!("store.path={}", data.display())]);
    [dev, serve]
}

/// It ended with this code, and said all of this to people.
pub(crate) fn says(ran: &Ran, exit: i32, parts: &[&str]) {
    assert_eq!((ran.exit, &*ran.out), (exit, ""), "{ran:?}");
    for part in parts {
        assert!(ran.talk.contains(part), "no `{part}` in {ran:?}");
    }
    for part in ["panicked", "RUST_BACKTRACE", "backtrace", "thread '"] {
        assert!(!ran.talk.contains(part), "{ran:?}");
    }
    let errors = ran.talk.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "it is said once: {ran:?}");
}

#[tokio::test]
async fn a_port_in_use_is_named_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let options = ["--listen", "--verify-listen", "--admin-listen", "--grpc-listen"];
    let keys = ["public.listen", "verify.listen", "admin.listen", "grpc.listen"];
    for (option, key) in options.into_iter().zip(keys) {
        let home = Home::new();
        let data = home.path("store");
        let wrong = format!("cannot listen on {address} ({key})");
        let parts = [&wrong, "next: stop the program that has this port, or choose another"];
        let given = |other| [other, if other == option { &address } else { "127.0.0.1:0" }];
        let dev = home.rescind(["dev"].into_iter().chain(options.into_iter().flat_map(given)));
        says(&run(dev, "").await, 3, &parts);
        assert!(!home.path("data/rescind/dev/rescind.db").exists());
        assert!(!home.path("config").exists(), "the context of no server was saved");

        let [_, mut serve] = starts(&home, &data);
        serve.args(["--set", &format!("{key}={address}")]);
        says(&run(serve, "").await, 3, &parts);
        assert!(!data.exists(), "something was made");
    }
}

#[tokio::test]
async fn an_address_of_another_machine_is_refused() {
    let home = Home::new();
    let [_, mut serve] = starts(&home, &home.path("store"));
    serve.args(["--set", "public.listen=192.0.2.1:0"]);
    let parts = ["cannot listen on 192.0.2.1:0", "next: choose an address of this machine"];
    says(&run(serve, "").await, 3, &parts);
}

#[tokio::test]
async fn a_database_in_use_is_left_to_the_server_that_has_it() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let token = dev.token().await;
    let data = home.path("data/rescind/dev");
    for command in starts(&home, &data) {
        let ran = run(command, "").await;
        says(&ran, 3, &["rescind.db is in use by another process", "next: stop the other server"]);
    }
    assert_eq!(shown(&dev.at("/v1/orders"), &token).await, 200);
    dev.process.stop().await;
}

#[tokio::test]
async fn a_damaged_database_is_left_as_it_is() {
    let home = Home::new();
    let data = home.path("data/rescind/dev");
    let dev = Dev::start(&home).await;
    for _ in 0..40 {
        dev.token().await;
    }
    dev.process.stop().await;
    let file = data.join("rescind.db");
    let whole = fs::read(&file).unwrap();
    let mut scribbled = whole.clone();
    let middle = whole.len() / 2;
    scribbled[middle..middle + 8192].fill(0xa5);
    for (what, bytes, wrong) in [
        ("garbage", b"This was once a database. ".repeat(4000), "is not a database"),
        ("half of it", whole[..whole.len() / 2].to_vec(), "is damaged"),
        ("its first page", whole[..4096].to_vec(), "is damaged"),
        ("a piece of a page", whole[..100].to_vec(), "is damaged"),
        ("a scribble in the middle", scribbled, "is damaged"),
    ] {
        fs::write(&file, &bytes).unwrap();
        for command in starts(&home, &data) {
            let ran = run(command, "").await;
            says(&ran, 3, &["rescind.db", wrong, "restore", "from a backup"]);
            assert_eq!(fs::read(&file).unwrap(), bytes, "{what} was changed");
        }
    }
    fs::write(&file, &whole).unwrap();
    Dev::start(&home).await.process.stop().await;
}

#[tokio::test]
async fn the_database_of_another_program_is_left_as_it_is() {
    let home = Home::new();
    let data = home.path("theirs");
    fs::create_dir(&data).unwrap();
    let file = data.join("rescind.db");
    let theirs = rusqlite::Connection::open(&file).unwrap();
    theirs.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('a')").unwrap();
    theirs.close().unwrap();
    let before = fs::read(&file).unwrap();
    for command in starts(&home, &data) {
        let ran = run(command, "").await;
        says(
            &ran,
            3,
            &["is the database of another program", "next: give this server a directory"],
        );
        assert!(!ran.talk.contains("--fresh"), "it advises to delete what is not ours: {ran:?}");
        assert_eq!(fs::read(&file).unwrap(), before);
    }
}

#[tokio::test]
async fn a_database_that_another_program_holds_is_not_taken_for_damaged() {
    let home = Home::new();
    Dev::start(&home).await.process.stop().await;
    let data = home.path("data/rescind/dev");
    let other = rusqlite::Connection::open(data.join("rescind.db")).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    for command in starts(&home, &data) {
        let ran = run(command, "").await;
        says(&ran, 3, &["database is locked", "next: see whether another program has it open"]);
        assert!(!ran.talk.contains("--fresh"), "it advises to delete what is well: {ran:?}");
    }
    other.close().unwrap();
    Dev::start(&home).await.process.stop().await;
}

#[tokio::test]
async fn damaged_secrets_are_named_and_not_replaced() {
    let home = Home::new();
    let data = home.path("data/rescind/dev");
    Dev::start(&home).await.process.stop().await;
    for (name, content, parts) in [
        ("issuer.pem", "-----BEGIN", ["issuer.pem is not a P-256 key", "move it away"]),
        ("sealing.key", "rescind-key-v1:AAAA", ["sealing.key", "--fresh"]),
        ("admin.token", "rescind_admin_cut", ["admin.token", "rescind keygen admin-token"]),
        ("demo.password", "", ["demo.password: it is empty", "--fresh"]),
    ] {
        let whole = fs::read_to_string(data.join(name)).unwrap();
        fs::write(data.join(name), content).unwrap();
        let [dev, _] = starts(&home, &data);
        let ran = run(dev, "").await;
        says(&ran, ran.exit.clamp(2, 3), &parts);
        assert_eq!(fs::read_to_string(data.join(name)).unwrap(), content, "{name}");
        fs::write(data.join(name), whole).unwrap();
    }
    let open = data.join("admin.token");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let [dev, _] = starts(&home, &data);
    says(&run(dev, "").await, 3, &["admin.token", "chmod 600"]);
}

#[tokio::test]
async fn a_directory_that_is_not_ours_is_said_to_be_so() {
    let home = Home::new();
    let data = home.path("private/store");
    fs::create_dir_all(&data).unwrap();
    for command in starts(&home, &data) {
        let Some(command) = as_somebody_else(&home, command) else { return };
        let ran = run(command, "").await;
        says(&ran, 3, &[data.to_str().unwrap()]);
        let next = ["give a directory that is yours", "it must belong to the user this runs as"];
        assert!(next.iter().any(|next| ran.talk.contains(next)), "{ran:?}");
    }
    assert_eq!(names_in(&data), Vec::<String>::new());
}

/// The same command without the right to look into `private`. Root may look everywhere, so it
/// becomes somebody else; everybody else shuts themselves out.
fn as_somebody_else(home: &Home, mut command: Command) -> Option<Command> {
    fs::set_permissions(home.path("private"), fs::Permissions::from_mode(0o500)).unwrap();
    fs::set_permissions(home.path("private/store"), fs::Permissions::from_mode(0o500)).unwrap();
    if !rustix::process::geteuid().is_root() {
        return Some(command);
    }
    // Where it can be reached by others, unlike this build's own directory perhaps.
    let program = home.path("rescind");
    fs::copy(env!("CARGO_BIN_EXE_rescind"), &program).unwrap();
    fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(home.path("private"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut other = home.command(program.to_str().unwrap());
    other.args(command.as_std_mut().get_args()).uid(NOBODY).gid(NOBODY);
    Some(other)
}

#[tokio::test]
async fn a_file_in_the_place_of_a_directory_is_named() {
    let home = Home::new();
    fs::write(home.path("file"), "").unwrap();
    for command in starts(&home, &home.path("file")) {
        says(&run(command, "").await, 3, &[home.path("file").to_str().unwrap()]);
    }
}
