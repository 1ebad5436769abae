//! HTTP/1.1 as it is on the wire, for what no well-behaved client sends.

use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One request on a connection of its own, which ends with the answer.
pub async fn ask(address: SocketAddr, request: impl AsRef<str>) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = request.as_ref().replacen("\r\n", "\r\nHost: x\r\nConnection: close\r\n", 1);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    Answer::read(&String::from_utf8(bytes).unwrap())
}

/// A request with a body of a known length.
pub fn post(target: &str, headers: &str, body: &str) -> String {
    format!("POST {target} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{headers}\r\n")
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: body.into() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}
