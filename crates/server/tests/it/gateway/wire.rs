//! A client that sends bytes, not requests: what a library would repair or refuse to say is said
//! here as it is.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Nothing on loopback takes this long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing says, rather than with the connection.
    pub(crate) complete: bool,
}

pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it hangs")
}

/// One request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(address).await.ask(request).await
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = in_time(TcpStream::connect(address)).await.unwrap();
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    /// Does not mind if the other side has closed: what it has said can still be read.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = in_time(self.stream.write_all(bytes.as_ref())).await;
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        answer.complete = in_time(self.body(&mut answer)).await.is_ok();
        answer
    }

    /// The next answer without its body; skips `100 Continue`.
    pub(crate) async fn head(&mut self) -> Answer {
        loop {
            let first = self.line().await;
            let mut words = first.split(' ');
            let version = words.next().unwrap_or_default().to_owned();
            let status = words.next().unwrap_or_default().parse();
            let status = status.unwrap_or_else(|_| panic!("not an answer: {first:?}"));
            let mut headers = Vec::new();
            loop {
                let line = self.line().await;
                let Some((name, value)) = line.split_once(':') else { break };
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            if status != 100 {
                return Answer { version, status, headers, body: Vec::new(), complete: false };
            }
        }
    }

    /// Exactly so many bytes, of whatever protocol.
    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        in_time(self.stream.read_exact(&mut bytes)).await.unwrap();
        bytes
    }

    /// Whether the other side closes without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        matches!(in_time(self.stream.read(&mut [0])).await, Ok(0) | Err(_))
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        in_time(self.stream.read_until(b'\n', &mut line)).await.unwrap();
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    async fn body(&mut self, answer: &mut Answer) -> std::io::Result<()> {
        if answer.status == 204 {
            return Ok(());
        }
        if answer.header("transfer-encoding") == ["chunked"] {
            loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).await?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).await?;
                answer.body.extend_from_slice(&chunk[..size]);
                if size == 0 {
                    return Ok(());
                }
            }
        }
        match answer.header("content-length").first().map(|length| length.parse().unwrap()) {
            Some(length) => {
                answer.body = vec![0; length];
                self.stream.read_exact(&mut answer.body).await.map(|_| ())
            }
            None => self.stream.read_to_end(&mut answer.body).await.map(|_| ()),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(other, _)| other == name);
        same.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
