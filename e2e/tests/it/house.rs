//! The rules of the house that neither Cargo nor clippy can hold: which room may know what.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer files are split: nobody reads them top-down.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// Every source file of the product, with its text.
fn product() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for room in fs::read_dir(root().join("crates")).unwrap() {
        for path in sources(&room.unwrap().path().join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    assert!(files.len() > 100, "only {} files were found", files.len());
    files
}

#[test]
fn each_room_depends_on_what_it_may_know() {
    let forbidden = [
        ("core", &["tokio", "tracing", "serde_json", "rusqlite", "http", "rescind-"][..]),
        ("coherence", &["tokio", "tracing", "rusqlite", "http", "rescind-"]),
        ("store", &["axum", "hyper", "http", "rescind-guard", "rescind-server"]),
        ("guard", &["tokio", "rusqlite", "axum", "hyper", "reqwest", "rescind-server"]),
        (
            "node",
            &["rusqlite", "http", "axum", "hyper", "reqwest", "rescind-access", "rescind-server"],
        ),
        ("access", &["rusqlite", "axum", "hyper", "reqwest", "rescind-store", "rescind-server"]),
        ("tower", &["rusqlite", "hyper", "reqwest", "rescind-server"]),
        ("server", &["rusqlite", "clap", "rescind-tower"]),
    ];
    for (room, names) in forbidden {
        let manifest =
            fs::read_to_string(root().join("crates").join(room).join("Cargo.toml")).unwrap();
        let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
        let dependencies = after.split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let name = line.split(['.', ' ', '=']).next().unwrap();
            let met = names
                .iter()
                .find(|no| name == **no || (no.ends_with('-') && name.starts_with(**no)));
            assert_eq!(met, None, "{room} must not depend on {name}");
        }
    }
}

#[test]
fn sql_stands_in_the_engines_alone() {
    for (path, text) in product() {
        let engine = |part: &OsStr| part == "sqlite" || part == "postgres";
        let is_engine = path.components().any(|part| engine(part.as_os_str()));
        let statements = ["SELECT ", "INSERT INTO", "DELETE FROM", "PRAGMA "];
        let found = statements.iter().find(|sql| text.contains(**sql));
        assert!(is_engine || found.is_none(), "{found:?} in {}", path.display());
    }
}

#[test]
fn verification_never_meets_the_store_it_follows() {
    for path in sources(&root().join("crates/guard/src")) {
        let text = fs::read_to_string(&path).unwrap();
        for name in ["ReadStore", "WriteStore", "Sqlite", "async fn", ".await"] {
            assert!(!text.contains(name), "{name} in {}", path.display());
        }
    }
}

#[test]
fn files_can_be_read_at_one_sitting() {
    for (path, text) in product() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}
