//! Secrets on their way in: from standard input or a prompt without echo, never from the command
//! line.

use crate::failure::Failure;
use std::io::{self, BufRead, IsTerminal};
use zeroize::Zeroizing;

/// Longest line that is read, in bytes: twice what a token or password may have.
const LINE_BYTES_MAX: u64 = 8 * 1024;

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

/// The first line of standard input, without its end.
pub(crate) fn first_line(what: &str) -> Result<Zeroizing<String>, Failure> {
    line_of(io::stdin().lock(), what)
}

fn line_of(input: impl BufRead, what: &str) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    input.take(LINE_BYTES_MAX + 1).read_line(&mut line).map_err(unreadable)?;
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err(Failure::usage(format!("the {what} on standard input is too long")));
    }
    let end = line.trim_end_matches(['\n', '\r']).len();
    line.truncate(end);
    if line.is_empty() {
        return Err(Failure::usage(format!("there is no {what} on standard input")));
    }
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
    fn nothing_too_much_and_no_text_are_refused() {
        let most = usize::try_from(LINE_BYTES_MAX).unwrap();
        line_of("a".repeat(most).as_bytes(), "token").unwrap();
        for bytes in [vec![], b"\n".to_vec(), vec![b'a'; most + 1], vec![0xff, b'\n']] {
            assert!(line_of(bytes.as_slice(), "token").is_err(), "{} bytes", bytes.len());
        }
    }
}
