//! Secrets on their way in: from standard input or a prompt without echo, never from the command
//! line.

use crate::failure::Failure;
use std::io::{self, BufRead, IsTerminal, Read};
use zeroize::Zeroizing;

/// Longest line that is read, in bytes: twice what a token or password may have.
const LINE_BYTES_MAX: u64 = 8 * 1024;
/// Longest of many lines, in bytes: a question with a signed request and its body.
const LONG_LINE_BYTES_MAX: u64 = 64 * 1024;

/// A new password: asked for twice on a terminal, else the first line of standard input.
pub(crate) fn new_password() -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        return first_line("password");
    }
    let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(unreadable);
    let (first, again) = (ask("Password: ")?, ask("The same again: ")?);
    if first != again {
        return Err(Failure::usage("the two passwords differ"));
    }
    if first.is_empty() { Err(Failure::usage("the password is empty")) } else { Ok(first) }
}

/// A secret that there is: asked for on a terminal, else the first line of standard input.
pub(crate) fn secret(what: &str) -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        return first_line(what);
    }
    let prompt = format!("The {what}, which is not shown: ");
    let given = rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(unreadable)?;
    if given.is_empty() { Err(Failure::usage(format!("the {what} is empty"))) } else { Ok(given) }
}

/// A secret that may be left out, by an empty line or no input at all.
pub(crate) fn perhaps_secret(what: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let given = if io::stdin().is_terminal() {
        let prompt = format!("The {what}, which is not shown (or nothing): ");
        rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(unreadable)?
    } else {
        line_or_nothing(io::stdin().lock(), what)?
    };
    Ok(Some(given).filter(|given| !given.is_empty()))
}

/// All lines of standard input that are not blank, with their numbers.
pub(crate) fn lines() -> impl Iterator<Item = Result<(u64, Zeroizing<String>), Failure>> {
    lines_of(io::stdin().lock())
}

/// Whether somebody can be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether the answer to a question is yes. The end of the input is a no.
pub(crate) fn is_yes() -> Result<bool, Failure> {
    yes_of(io::stdin().lock())
}

fn first_line(what: &str) -> Result<Zeroizing<String>, Failure> {
    line_of(io::stdin().lock(), what)
}

fn yes_of(input: impl BufRead) -> Result<bool, Failure> {
    let mut line = String::new();
    input.take(LINE_BYTES_MAX).read_line(&mut line).map_err(unreadable)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn lines_of(
    mut input: impl BufRead,
) -> impl Iterator<Item = Result<(u64, Zeroizing<String>), Failure>> {
    let mut number = 0;
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let mut line = Zeroizing::new(String::new());
            match Read::take(&mut input, LONG_LINE_BYTES_MAX + 1).read_line(&mut line) {
                Err(fault) => return Some(Err(unreadable(fault))),
                Ok(0) => return None,
                Ok(bytes) if bytes as u64 > LONG_LINE_BYTES_MAX => {
                    return Some(Err(Failure::usage(format!("line {number} is too long"))));
                }
                Ok(_) if line.trim().is_empty() => {}
                Ok(_) => return Some(Ok((number, line))),
            }
        }
    })
}

fn line_of(input: impl BufRead, what: &str) -> Result<Zeroizing<String>, Failure> {
    let line = line_or_nothing(input, what)?;
    if line.is_empty() {
        return Err(Failure::usage(format!("there is no {what} on standard input")));
    }
    Ok(line)
}

fn line_or_nothing(input: impl BufRead, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    input.take(LINE_BYTES_MAX + 1).read_line(&mut line).map_err(unreadable)?;
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err(Failure::usage(format!("the {what} on standard input is too long")));
    }
    let end = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(end);
    Ok(line)
}

fn unreadable(fault: io::Error) -> Failure {
    Failure::usage(format!("standard input cannot be read: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_read_without_its_end() {
        for text in ["s3cret\n", "s3cret\r\n", "s3cret", "s3cret\nmore\n"] {
            assert_eq!(line_of(text.as_bytes(), "token").unwrap().as_str(), "s3cret");
        }
        assert_eq!(line_of(" a b ".as_bytes(), "token").unwrap().as_str(), " a b ");
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_are_passed_over() {
        let read = |text: &str| -> Vec<_> {
            let lines = lines_of(text.as_bytes()).map(Result::unwrap);
            lines.map(|(number, line)| format!("{number}:{}", line.trim())).collect()
        };
        assert_eq!(read("a\n\n  \r\nb\r\nc"), ["1:a", "4:b", "5:c"]);
        assert_eq!(read(""), Vec::<String>::new());
        let most = usize::try_from(LONG_LINE_BYTES_MAX).unwrap();
        for (bytes, good) in [(most, true), (most + 1, false)] {
            let text = "a".repeat(bytes);
            assert_eq!(lines_of(text.as_bytes()).next().unwrap().is_ok(), good, "{bytes}");
        }
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for (text, yes) in
            [("y\n", true), ("Yes\n", true), ("\n", false), ("", false), ("yeah\n", false)]
        {
            assert_eq!(yes_of(text.as_bytes()), Ok(yes), "{text}");
        }
    }

    #[test]
    fn nothing_too_much_and_no_text_are_refused() {
        let most = usize::try_from(LINE_BYTES_MAX).unwrap();
        line_of("a".repeat(most).as_bytes(), "token").unwrap();
        for bytes in [vec![], b"\n".to_vec(), vec![b'a'; most + 1], vec![0xff, b'\n']] {
            assert!(line_of(bytes.as_slice(), "token").is_err(), "{} bytes", bytes.len());
        }
    }
}
