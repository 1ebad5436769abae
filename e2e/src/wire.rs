//! HTTP/1.1 by hand, so that tests decide every byte that is sent and see every byte that comes
//! back.
//!
//! A real client library repairs, refuses or hides exactly what the hostile tests are about. The
//! reader is strict: an answer that a careful client could misread is an error, and a missing one
//! is an error too, after a deadline.

use anyhow::{Context as _, bail, ensure};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a well-behaved answer may take on a busy test machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// An answer's head is never longer than this.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A well-formed request; `bytes` writes it, and hostile tests bend the result.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.json_text(&body.to_string())
    }

    #[must_use]
    pub fn json_text(mut self, body: &str) -> Self {
        self.body = body.as_bytes().to_vec();
        self.header("Content-Type", "application/json")
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head().as_bytes(), &self.body].concat()
    }

    /// Everything before the body, with the empty line.
    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: localhost\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        head
    }
}

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The only value of a header; `None` if it is missing or repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// For messages.
    pub fn text(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    /// The answer, if it has this status.
    pub fn expect_status(self, status: u16) -> anyhow::Result<Self> {
        ensure!(self.status == status, "expected {status}, got {}", self.text());
        Ok(self)
    }

    fn closes(&self) -> bool {
        self.headers.iter().any(|(n, v)| n == "connection" && v.eq_ignore_ascii_case("close"))
    }
}

/// One TCP connection, kept alive from request to request.
pub struct Connection {
    stream: TcpStream,
    /// Received and not yet consumed.
    buffer: Vec<u8>,
    /// Whether the server said that it would close.
    finished: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Self::on(TcpStream::connect(address)).await
    }

    /// From an address of its own, as another client. All of 127.0.0.0/8 is this machine.
    pub async fn open_from(source: Ipv4Addr, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        Self::on(socket.connect(address)).await
    }

    async fn on(connecting: impl Future<Output = io::Result<TcpStream>>) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), finished: false })
    }

    /// Sends a request and reads its answer, both on this connection.
    ///
    /// A server may answer, and close, before it has read all of a body that it does not want; a
    /// client that writes on meanwhile is to look for that answer (RFC 9112 §9.5). So a broken pipe
    /// is a fault only where no answer is.
    pub async fn ask(&mut self, request: &Request) -> anyhow::Result<Answer> {
        let sent = self.send(&request.bytes()).await;
        let answer = self.answer_to(&request.method, PATIENCE).await;
        match sent {
            Err(unsent) => answer.or(Err(unsent)),
            Ok(()) => answer,
        }
    }

    pub async fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes))
            .await
            .context("the server does not read")??;
        Ok(())
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub async fn end_sending(&mut self) -> anyhow::Result<()> {
        Ok(self.stream.shutdown().await?)
    }

    /// The next final answer; interim ones (1xx) are passed over.
    pub async fn answer_to(&mut self, method: &str, within: Duration) -> anyhow::Result<Answer> {
        timeout(within, async {
            loop {
                let answer = self.read_answer(method).await?;
                if answer.status >= 200 {
                    return Ok(answer);
                }
            }
        })
        .await
        .context("no answer within the deadline")?
    }

    /// The very next answer, interim or final.
    pub async fn next_answer(&mut self, within: Duration) -> anyhow::Result<Answer> {
        timeout(within, self.read_answer("GET")).await.context("no answer within the deadline")?
    }

    /// Waits until the server closes, and returns what it said before.
    pub async fn until_closed(&mut self, within: Duration) -> anyhow::Result<Vec<u8>> {
        timeout(within, async {
            // A reset ends a connection as well as a FIN does.
            while self.fill().await.unwrap_or(0) > 0 {}
        })
        .await
        .context("the connection stays open")?;
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Whether the server announced that this connection ends here.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    async fn read_answer(&mut self, method: &str) -> anyhow::Result<Answer> {
        let head = self.read_head().await?;
        let mut answer = parse_head(&head)?;
        let bodiless =
            method == "HEAD" || answer.status < 200 || matches!(answer.status, 204 | 304);
        if !bodiless {
            answer.body = self.read_body(&answer).await?;
        }
        self.finished |= answer.closes();
        Ok(answer)
    }

    async fn read_head(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).context("the answer's head is not UTF-8");
            }
            ensure!(self.buffer.len() <= HEAD_BYTES_MAX, "the answer's head does not end");
            self.need_more().await?;
        }
    }

    async fn read_body(&mut self, answer: &Answer) -> anyhow::Result<Vec<u8>> {
        let length = answer.header("content-length");
        match (answer.header("transfer-encoding"), length) {
            (Some("chunked"), None) => self.read_chunks().await,
            (None, Some(length)) => self.take(length.parse()?).await,
            (None, None) => {
                while self.fill().await? > 0 {}
                self.finished = true;
                Ok(std::mem::take(&mut self.buffer))
            }
            both => bail!("the answer's length is ambiguous: {both:?}"),
        }
    }

    async fn read_chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = loop {
                if let Some(end) = find(&self.buffer, b"\r\n") {
                    let line = self.take(end + 2).await?;
                    break usize::from_str_radix(std::str::from_utf8(&line)?.trim_end(), 16)?;
                }
                self.need_more().await?;
            };
            let chunk = self.take(size + 2).await?;
            ensure!(chunk.ends_with(b"\r\n"), "a chunk does not end where it said");
            if size == 0 {
                return Ok(body);
            }
            body.extend(chunk.get(..size).unwrap_or_default());
        }
    }

    async fn take(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() < length {
            self.need_more().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn need_more(&mut self) -> anyhow::Result<()> {
        ensure!(self.fill().await? > 0, "closed before the answer was whole");
        Ok(())
    }

    async fn fill(&mut self) -> std::io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }
}

fn parse_head(head: &str) -> anyhow::Result<Answer> {
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3))
        .with_context(|| format!("not a status line: {status_line:?}"))?
        .parse()?;
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':').context("a header without a colon")?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Answer { status, headers, body: Vec::new() })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests;
