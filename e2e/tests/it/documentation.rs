//! The documentation, as a reader follows it: every shell block of every page is run, with the
//! default ports, and must print what the page shows.
//!
//! Pages are found by themselves. What makes them run is in `src/session.rs` and `src/world.rs`.

use anyhow::{Context as _, ensure};
use rescind_e2e::session::Session;
use rescind_e2e::world::checkout;
use std::path::{Path, PathBuf};

/// Fewer means that pages are not found any more.
const PAGES_MIN: usize = 4;
const STEPS_MIN: usize = 40;

/// Blocks that cannot be run here, each with its reason on the page.
const SKIPPED_MAX: usize = 4;

/// The variable that names the only page to run, for whoever writes it.
const ONE_PAGE: &str = "DOC_PAGE";

#[derive(Default)]
struct Tally {
    pages: usize,
    steps: usize,
    skipped: Vec<String>,
    faults: Vec<String>,
}

#[test]
fn every_shell_block_does_what_its_page_says() -> anyhow::Result<()> {
    let root = checkout()?;
    let mut tally = Tally::default();
    for path in pages(&root)? {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        tally.run(&name, &std::fs::read_to_string(&path)?).context(name)?;
    }
    println!("{} steps on {} pages", tally.steps, tally.pages);
    println!("{} skipped:\n{}", tally.skipped.len(), tally.skipped.join("\n"));
    ensure!(tally.faults.is_empty(), "\n{}", tally.faults.join("\n"));
    let all = tally.pages >= PAGES_MIN && tally.steps >= STEPS_MIN;
    ensure!(all || std::env::var_os(ONE_PAGE).is_some(), "where are they?");
    ensure!(tally.skipped.len() <= SKIPPED_MAX, "too many are skipped");
    Ok(())
}

impl Tally {
    fn run(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        let Some(session) = Session::read(text)? else { return Ok(()) };
        self.pages += 1;
        self.steps += session.count();
        let skipped = session.skipped.iter();
        self.skipped.extend(skipped.map(|skip| format!("{name}:{}: {}", skip.line, skip.reason)));
        let faults = session.run()?;
        self.faults.extend(faults.into_iter().map(|fault| format!("{name}:{fault}")));
        Ok(())
    }
}

/// Those beside README.md, and all of `docs`.
fn pages(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(page) = std::env::var_os(ONE_PAGE) {
        return Ok(vec![root.join(page)]);
    }
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(root)? {
        pages.extend(Some(entry?.path()).filter(|path| is_page(path)));
    }
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_page(&path) {
                pages.push(path);
            }
        }
    }
    pages.sort();
    Ok(pages)
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md")
}
