//! A long answer, line by line: it is never held as a whole.

use super::Client;
use crate::failure::Failure;
use reqwest::{Method, Response};

/// Longest line, in bytes. An entry of the audit trail has a few hundred.
const LINE_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Lines<'a> {
    client: &'a Client,
    response: Response,
    /// What has arrived and was not taken yet.
    rest: Vec<u8>,
    ended: bool,
}

impl Client {
    pub(crate) async fn lines(&self, path: &[&str]) -> Result<Lines<'_>, Failure> {
        let request = self.request(Method::GET, path, &[])?;
        let sent = request.send().await;
        let response = sent.map_err(|fault| Failure::from(self.unreachable(&fault)))?;
        if response.status().is_success() {
            return Ok(Lines { client: self, response, rest: Vec::new(), ended: false });
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read_bounded(response).await?;
        Err(self.problem(path, status, &headers, &body).into())
    }
}

impl Lines<'_> {
    /// The next line without its end. An answer that breaks off is a failure, not an end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.rest.drain(..=end).collect();
                line.pop();
                return Ok(Some(line));
            }
            if self.ended {
                let line = std::mem::take(&mut self.rest);
                return Ok(if line.is_empty() { None } else { Some(line) });
            }
            if self.rest.len() > LINE_BYTES_MAX {
                return Err(self.client.stranger());
            }
            let piece = self.response.chunk().await;
            match piece.map_err(|fault| self.client.unreachable(&fault))? {
                Some(piece) => self.rest.extend_from_slice(&piece),
                None => self.ended = true,
            }
        }
    }
}
