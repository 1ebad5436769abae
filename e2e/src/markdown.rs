//! What a page of the documentation holds besides its words: fenced blocks, and comments that only
//! the tests read.
//!
//! A block that is a file says so after its language: ```` ```nginx title="nginx.conf" ````. A
//! comment for the tests stands alone: `<!-- test: background: ready -->`.

use anyhow::{Context as _, bail};

const COMMENT: &str = "<!-- test: ";
const COMMENT_END: &str = "-->";
const FENCE: &str = "```";

#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Block(Block),
    Comment { line: usize, text: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Of its opening fence, from 1.
    pub line: usize,
    pub language: String,
    pub title: Option<String>,
    /// Without the indentation of the list that it stands in.
    pub text: String,
}

/// Every part, in the order of the page.
pub fn parts(page: &str) -> anyhow::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut lines = page.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((line, text)) = lines.next() {
        let start = text.trim_start();
        if start.starts_with(FENCE) {
            parts.push(Part::Block(block(line, text, &mut lines)?));
        } else if let Some(begin) = start.strip_prefix(COMMENT) {
            parts.push(Part::Comment { line, text: comment(line, begin, &mut lines)? });
        }
    }
    Ok(parts)
}

fn block<'a>(
    line: usize,
    opening: &str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> anyhow::Result<Block> {
    let indent = opening.len() - opening.trim_start().len();
    let info = opening.trim_start().trim_start_matches('`');
    let fence = &opening.trim_start()[..opening.trim_start().len() - info.len()];
    let mut block = Block {
        line,
        language: info.split([' ', '{']).next().unwrap_or_default().to_owned(),
        title: title(info),
        text: String::new(),
    };
    for (_, text) in lines {
        let text = text.get(indent..).unwrap_or_else(|| text.trim_start());
        if text.trim_end() == fence {
            return Ok(block);
        }
        block.text.push_str(text);
        block.text.push('\n');
    }
    bail!("the block of line {line} does not end")
}

fn title(info: &str) -> Option<String> {
    let (_, title) = info.split_once("title=\"")?;
    Some(title.split_once('"')?.0.to_owned())
}

/// It may go over several lines.
fn comment<'a>(
    line: usize,
    begin: &str,
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
) -> anyhow::Result<String> {
    let mut text = begin.to_owned();
    while !text.contains(COMMENT_END) {
        let (_, next) = lines.next().with_context(|| format!("the comment of line {line}"))?;
        text.push('\n');
        text.push_str(next);
    }
    let text = text.trim_end().strip_suffix(COMMENT_END);
    let text = text.with_context(|| format!("the comment of line {line} does not stand alone"))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
Text `a`.\n\n```sh\na  # one\n\nb\n```\n\n1. In a list:\n\n   <!-- test: fails 1 -->\n\n   ```text\n\
\x20  x\n     y\n   ```\n<!-- test: run: one\ntwo -->\n````nginx title=\"n.conf\"\n```\n````\n";

    fn block(line: usize, language: &str, title: Option<&str>, text: &str) -> Part {
        let (language, title) = (language.to_owned(), title.map(str::to_owned));
        Part::Block(Block { line, language, title, text: text.to_owned() })
    }

    fn comment(line: usize, text: &str) -> Part {
        Part::Comment { line, text: text.to_owned() }
    }

    #[test]
    fn blocks_and_comments_are_found_as_they_stand() {
        let expected = [
            block(3, "sh", None, "a  # one\n\nb\n"),
            comment(11, "fails 1"),
            block(13, "text", None, "x\n  y\n"),
            comment(17, "run: one\ntwo"),
            block(19, "nginx", Some("n.conf"), "```\n"),
        ];
        assert_eq!(parts(PAGE).unwrap(), expected);
    }

    #[test]
    fn what_does_not_end_is_an_error() {
        for page in ["```sh\na\n", "<!-- test: a\nb\n", "<!-- test: a --> b\n"] {
            assert!(parts(page).is_err(), "{page}");
        }
    }
}
