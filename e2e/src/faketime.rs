//! Clocks of one process that are wrong, by `libfaketime`: the kernel's own are left alone.

use anyhow::{Context as _, ensure};
use std::path::Path;

/// Debian's place for it, whatever the architecture.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// An environment in which the wall clock steps to where [`step`] says, and no other clock does.
pub fn stepping(file: &Path) -> anyhow::Result<Vec<(&'static str, String)>> {
    step(file, 0)?;
    let file = file.to_str().context("a path that is not UTF-8")?.to_owned();
    Ok(vec![
        ("LD_PRELOAD", library()?),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ])
}

/// So many seconds from the right time.
pub fn step(file: &Path, seconds: i64) -> anyhow::Result<()> {
    Ok(std::fs::write(file, format!("{seconds:+}\n"))?)
}

/// An environment in which all clocks run at this rate.
pub fn drifting(rate: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(vec![("LD_PRELOAD", library()?), ("FAKETIME", format!("+0 x{rate}"))])
}

fn library() -> anyhow::Result<String> {
    let folders = std::fs::read_dir(LIBRARIES)?.flatten();
    let found = folders.map(|folder| folder.path().join(LIBRARY)).find(|path| path.is_file());
    let found = found.context("libfaketime is missing: run ./test once, it installs it")?;
    let path = found.to_str().context("a path that is not UTF-8")?;
    ensure!(!path.contains([' ', ':']), "LD_PRELOAD cannot name {path}");
    Ok(path.to_owned())
}
