//! A page of the documentation as one session in a shell: every block is run as it stands, from the
//! first to the last, and what the page shows as its output is looked for in what was printed.
//!
//! Comments say what a reader sees for themselves. Before a block:
//!
//! - `background: WORDS`: it does not end; the page goes on when it has printed these words;
//! - `fails CODE`: its one failing command exits with this code;
//! - `file: PATH`: it is a file; blocks with a title are files by themselves;
//! - `skip: REASON`: it cannot be run here.
//!
//! And by themselves: `run: COMMANDS`, for what a page presumes or says in words, and `files: PAGE`
//! (seen from the repository), for files that another page has.

use crate::markdown::{self, Block, Part};
use crate::page::Page;
use crate::shown::Masks;
use crate::world::{World, checkout};
use anyhow::{Context as _, bail, ensure};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

const PAGE_WITHIN: Duration = Duration::from_secs(300);
/// Lines of output in a message.
const TAIL_LINES: usize = 80;

/// Languages of blocks that show something; all others are files, or are asked to say why not.
const OUTPUT: [&str; 2] = ["text", "json"];
/// Languages that would hide a block from this test.
const OTHER_SHELLS: [&str; 6] = ["", "bash", "shell", "console", "shell-session", "zsh"];

#[derive(Debug, Default)]
pub struct Session {
    steps: Vec<Step>,
    pub skipped: Vec<Skipped>,
}

#[derive(Debug)]
pub struct Skipped {
    pub line: usize,
    pub reason: String,
}

#[derive(Debug)]
struct Step {
    line: usize,
    does: Does,
    /// What the page shows of its output.
    shown: Vec<Block>,
}

#[derive(Debug)]
enum Does {
    Run(String),
    Fail(String, u8),
    Background(String, String),
    File(String, String),
}

impl Session {
    /// `None` if there is no shell block on the page.
    pub fn read(page: &str) -> anyhow::Result<Option<Self>> {
        let parts = markdown::parts(page)?;
        let has_shell = |part: &Part| matches!(part, Part::Block(block) if block.language == "sh");
        let mut session = Self::default();
        let mut comment = None;
        for part in &parts {
            match part {
                Part::Comment { line, text } => {
                    ensure!(comment.is_none(), "line {line}: two comments before one block");
                    comment = session.comment(*line, text)?;
                }
                Part::Block(block) => session
                    .block(block, comment.take())
                    .with_context(|| format!("line {}", block.line))?,
            }
        }
        ensure!(comment.is_none(), "a comment without its block: {comment:?}");
        Ok(parts.iter().any(has_shell).then_some(session))
    }

    /// Blocks and comments that are run.
    pub fn count(&self) -> usize {
        self.steps.iter().filter(|step| !matches!(step.does, Does::File(..))).count()
    }

    /// Every fault, with the line that it is about.
    pub fn run(&self) -> anyhow::Result<Vec<String>> {
        let world = World::new()?;
        let ended = world.run(&self.script()?, PAGE_WITHIN);
        let mut faults = self.lies(world.out())?;
        if !matches!(ended, Ok(true)) {
            let why = ended.err().map(|fault| format!("{fault:#}\n")).unwrap_or_default();
            faults.push(why + &last_words(world.out()));
        }
        Ok(faults)
    }

    /// Comments that are steps of their own are added; others wait for their block.
    fn comment(&mut self, line: usize, text: &str) -> anyhow::Result<Option<String>> {
        if let Some(commands) = text.strip_prefix("run:") {
            self.add(line, Does::Run(commands.to_owned()));
        } else if let Some(page) = text.strip_prefix("files: ") {
            let page = Page::at(&checkout()?.join(page))?;
            for (path, text) in page.files() {
                self.add(line, Does::File(text.clone(), path.clone()));
            }
        } else {
            return Ok(Some(text.to_owned()));
        }
        Ok(None)
    }

    fn block(&mut self, block: &Block, comment: Option<String>) -> anyhow::Result<()> {
        let language = block.language.as_str();
        ensure!(!OTHER_SHELLS.contains(&language), "call it `sh` if it is run, else `text`");
        let text = block.text.clone();
        let comment = comment.as_deref().map(|text| text.split_once(' ').unwrap_or((text, "")));
        let does = match (comment, &block.title) {
            (Some(("skip:", reason)), _) => {
                self.skipped.push(Skipped { line: block.line, reason: reason.to_owned() });
                return Ok(());
            }
            (Some(("file:", path)), _) => Does::File(text, path.to_owned()),
            (Some(("fails", code)), _) if language == "sh" => Does::Fail(text, code.parse()?),
            (Some(("background:", words)), _) if language == "sh" => {
                Does::Background(text, words.to_owned())
            }
            (Some((other, _)), _) => bail!("`{other}` says nothing about a block of {language}"),
            (None, Some(title)) => Does::File(text, title.clone()),
            (None, None) if language == "sh" => Does::Run(text),
            (None, None) => return self.shows(block),
        };
        self.add(block.line, does);
        Ok(())
    }

    fn shows(&mut self, block: &Block) -> anyhow::Result<()> {
        let before = self.steps.iter_mut().rev().find(|step| !matches!(step.does, Does::File(..)));
        if let (Some(step), true) = (before, OUTPUT.contains(&block.language.as_str())) {
            step.shown.push(block.clone());
        }
        Ok(())
    }

    fn add(&mut self, line: usize, does: Does) {
        self.steps.push(Step { line, does, shown: Vec::new() });
    }

    fn script(&self) -> anyhow::Result<String> {
        let mut script = String::from("source /mnt/world/session.sh\n");
        for Step { line, does, .. } in &self.steps {
            writeln!(script, "_test_step {line}")?;
            match does {
                Does::Run(text) => writeln!(script, "{text}")?,
                Does::Fail(text, code) => {
                    writeln!(script, "set +e\n{text}\nset -e\n_test_has_failed {code}")?;
                }
                Does::Background(text, words) => {
                    let words = quoted(words);
                    writeln!(script, "set -m\n(\n{text}\n) &\nset +m\n_test_until {line} {words}")?;
                }
                Does::File(text, path) => {
                    writeln!(script, "printf %s {} > {}", quoted(text), quoted(path))?;
                }
            }
        }
        writeln!(script, "_test_step end")?;
        Ok(script)
    }

    /// What the page shows and the steps that were reached did not print.
    fn lies(&self, out: &Path) -> anyhow::Result<Vec<String>> {
        let masks = Masks::new()?;
        let mut faults = Vec::new();
        for step in &self.steps {
            let Ok(printed) = std::fs::read(out.join(step.line.to_string())) else { break };
            let printed = String::from_utf8_lossy(&printed);
            let shown: String = step.shown.iter().map(|block| block.text.as_str()).collect();
            if let (Err(fault), Some(block)) = (masks.find(&shown, &printed), step.shown.first()) {
                faults.push(format!("{}: {fault}\n{}", block.line, tail(&printed)));
            }
        }
        Ok(faults)
    }
}

/// Where the session ended, and why.
fn last_words(out: &Path) -> String {
    let read = |name: &str| {
        let bytes = std::fs::read(out.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let reached = read("reached");
    let line = reached.lines().last().unwrap_or("0");
    format!("{line}: {}{}{}", read("fault"), tail(&read(line)), tail(&read("world.log")))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(TAIL_LINES);
    lines.get(start..).unwrap_or_default().iter().map(|line| format!("    {line}\n")).collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
