//! Requests as text with places to fill in, the tokens that fill them, and as much of HTTP/1.1 as
//! the answers of a server on this machine need.

use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

const HEADERS_MAX: usize = 64;
/// Far above what any of the servers takes when all is well.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A token, and what is right to say of it.
#[derive(Debug)]
pub struct Token {
    text: String,
    status: u16,
    /// By what the server knows it, where that is not the text.
    id: String,
    /// Stands in the body of a right answer, unless it is empty.
    says: String,
}

/// One token in each line: text, status, id, and what the answer must say; `-` for nothing.
pub fn tokens(path: &Path) -> Result<Vec<Token>> {
    let listed = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let known =
        |word: Option<&str>| word.filter(|word| *word != "-").unwrap_or_default().to_owned();
    let read = |line: &str| {
        let mut words = line.split(' ');
        let text = words.next().context("an empty line")?.to_owned();
        let status = words.next().context("a token without a status")?.parse()?;
        Ok(Token { text, status, id: known(words.next()), says: known(words.next()) })
    };
    let tokens = listed.lines().map(read).collect::<Result<Vec<_>>>()?;
    ensure!(!tokens.is_empty(), "{} has no tokens", path.display());
    Ok(tokens)
}

impl Token {
    pub fn is_answered_by(&self, answer: &Answer<'_>) -> bool {
        answer.status == self.status && (self.says.is_empty() || contains(answer.body, &self.says))
    }
}

fn contains(body: &[u8], words: &str) -> bool {
    body.windows(words.len()).any(|window| window == words.as_bytes())
}

/// Head and body with `{token}` and `{id}` in them; an empty line is between the two.
#[derive(Debug)]
pub struct Template {
    head: String,
    body: String,
}

impl Template {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let (head, body) =
            text.split_once("\n\n").context("a request without an end of its head")?;
        Ok(Self { head: head.replace('\n', "\r\n"), body: body.to_owned() })
    }

    pub fn fill(&self, token: &Token) -> Vec<u8> {
        let filled = |text: &str| text.replace("{token}", &token.text).replace("{id}", &token.id);
        let (head, body) = (filled(&self.head), filled(&self.body));
        let length = match body.len() {
            0 => String::new(),
            length => format!("\r\nContent-Length: {length}"),
        };
        format!("{head}{length}\r\n\r\n{body}").into_bytes()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The answer at the beginning of `read`, if all of it is there.
    pub fn parse(read: &'a [u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head) = response.parse(read)? else {
            return Ok(None);
        };
        let status = response.code.context("an answer without a status")?;
        let length = match (status, content_length(response.headers)?) {
            (204 | 304, _) => 0,
            (_, Some(length)) => length,
            (_, None) => bail!("an answer {status} without Content-Length"),
        };
        Ok(read.get(head..head + length).map(|body| Self { status, body }))
    }
}

fn content_length(headers: &[httparse::Header<'_>]) -> Result<Option<usize>> {
    let named = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    named.map(|header| Ok(std::str::from_utf8(header.value)?.trim().parse()?)).transpose()
}

/// A connection on which one request follows the other.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Asks, and has `judge` look at the answer.
    pub fn ask<T>(&mut self, request: &[u8], judge: impl FnOnce(&Answer<'_>) -> T) -> Result<T> {
        self.stream.write_all(request)?;
        self.read.clear();
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = match self.stream.read(&mut buffer) {
                Ok(0) => bail!("the server ended the connection"),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.context("no answer")?,
            };
            self.read.extend(buffer.iter().take(count));
            if let Some(answer) = Answer::parse(&self.read)? {
                return Ok(judge(&answer));
            }
        }
    }
}

/// Nothing here is a rule: only durations are measured.
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "to measure durations is all that this is for")]
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_complete_with_the_last_byte_of_its_body() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nyes!HTTP/1.1 204";
        let end = whole.len() - 12;
        assert!(Answer::parse(&whole[..end - 1]).unwrap().is_none());
        let answer = Answer::parse(whole).unwrap().unwrap();
        assert_eq!((answer.status, answer.body), (200, &b"yes!"[..]));
    }

    #[test]
    fn body_is_filled_and_measured() {
        let template =
            Template { head: "POST / HTTP/1.1".to_owned(), body: "{token} {id}".to_owned() };
        let [text, id] = ["abc", "7"].map(str::to_owned);
        let filled = template.fill(&Token { text, status: 200, id, says: String::new() });
        assert_eq!(filled, b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc 7");
    }
}
