//! Requests that are all head, answered past hyper.
//!
//! A proxy asks about each request of somebody's API, and all that it asks stands in a head of a few
//! hundred bytes. To verify the token in it takes a twentieth of what an HTTP server takes around
//! it: a map of headers for the question and one for the answer, a timer for each request, a state
//! machine for bodies that never come. Here a head is read where it lies, and its answer is written
//! into one buffer.
//!
//! That is a second HTTP server, and two that read the same bytes differently are how requests are
//! smuggled. So it serves nothing that could be read in two ways: a head that came in one piece, as
//! `httparse` reads it, which is hyper's own parser; HTTP/1.1; a usual method, a plain target, one
//! `Host`; and no field that says where a message ends or what becomes of its connection. Whatever else comes is
//! not refused here either. The connection goes to hyper, from the first byte of that request on and
//! for as long as it lives.

use super::listener::{HEADERS_MAX, Limits};
use super::{Connection, Head, Site};
use axum::response::Response;
use http::{HeaderName, StatusCode, header};
use http_body_util::BodyExt;
use httparse::Status;
use rescind_guard::clock::SystemClock;
use rescind_guard::{Clock, Fields, fields};
use std::mem::MaybeUninit;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer heads are hyper's.
const HEAD_BYTES: usize = 4 * 1024;
/// A timer for each request would cost as much as a verification. So whoever is idle is looked for, so
/// many times while it may be, and goes that much later.
const LOOKS: u32 = 4;
/// As much as most answers take.
const ANSWER_BYTES: usize = 1024;

/// Whose answers are framed like any other (RFC 9110 §9.3).
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/// Where a message ends (RFC 9112 §6), whether it is waited for (RFC 9110 §10.1.1), and what becomes
/// of its connection (RFC 9110 §7.6.1, §7.8).
static LEFT_TO_HYPER: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::CONNECTION,
    header::UPGRADE,
];

/// Serves a connection until `stop`, or until it has been idle for `limits.header_timeout`. What it
/// returns is for hyper: the bytes that it has read and not answered.
pub(super) async fn serve(
    stream: &mut TcpStream,
    on: Connection,
    site: &impl Site,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Option<Vec<u8>> {
    let mut read = Vec::with_capacity(HEAD_BYTES);
    let mut answer = Answer::new();
    let pause = limits.header_timeout / LOOKS;
    let mut look = std::pin::pin!(tokio::time::sleep(pause));
    let mut stop = std::pin::pin!(stop);
    let mut idle_looks = 0;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return None,
            count = stream.read_buf(&mut read) => match count {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            },
            () = &mut look => {
                idle_looks += 1;
                if idle_looks > LOOKS {
                    return None;
                }
                look.set(tokio::time::sleep(pause));
                continue;
            }
        }
        idle_looks = 0;
        // All that came: some ask the next question before the last is answered.
        while !read.is_empty() {
            let length = match answered(&read, on, site, &mut answer).await {
                Some(length) => length,
                None => return Some(read),
            };
            read.drain(..length);
            if stream.write_all(&answer.bytes).await.is_err() {
                return None;
            }
        }
    }
}

/// Answers the request that these bytes begin with. How many it has, unless it is hyper's.
async fn answered(
    read: &[u8],
    on: Connection,
    site: &impl Site,
    answer: &mut Answer,
) -> Option<usize> {
    let mut place = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let Ok(Status::Complete(length)) = request.parse_with_uninit_headers(read, &mut place) else {
        return None;
    };
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version)
    else {
        return None;
    };
    let fields = Listed(request.headers);
    let is_plain = METHODS.contains(&method)
        && target.bytes().all(is_plain)
        && fields.values(&header::HOST).count() == 1
        && !LEFT_TO_HYPER.iter().any(|name| fields.has(name));
    let head = Head { method, target, fields: &fields };
    (is_plain && site.answer_head(on, &head, answer).await).then_some(length)
}

/// As in a path and its query, without what URIs have no place for and what some programs read
/// otherwise (RFC 3986 §3.3).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%:,;=&+?!$'()*@".contains(&byte)
}

/// The fields of a head, where it was read.
pub struct Listed<'r>(&'r [httparse::Header<'r>]);

/// Headers carry secrets.
impl std::fmt::Debug for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listed")
    }
}

impl Fields for Listed<'_> {
    fn values<'f>(&'f self, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'f [u8]> {
        let name = name.as_str();
        let named = move |field: &&httparse::Header<'_>| {
            field.name.len() == name.len() && field.name.eq_ignore_ascii_case(name)
        };
        self.0.iter().filter(named).map(|field| field.value)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| field.name)
    }
}

/// An answer, as it goes out.
pub struct Answer {
    bytes: Vec<u8>,
    /// RFC 9110 §6.6.1. Written anew once a second.
    date: String,
    second: u64,
}

/// It says who asks.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

impl Answer {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(ANSWER_BYTES), date: String::new(), second: 0 }
    }

    /// The line of its status, in place of what was there before.
    pub fn begin(&mut self, status: StatusCode) {
        self.bytes.clear();
        self.bytes.extend(b"HTTP/1.1 ");
        self.bytes.extend(status.as_str().as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend(status.canonical_reason().unwrap_or_default().as_bytes());
        self.bytes.extend(b"\r\n");
    }

    /// What would be the beginning of another field, or of a body, is left out.
    pub fn field(&mut self, name: &HeaderName, value: &[u8]) {
        self.bytes.extend(name.as_str().as_bytes());
        self.bytes.extend(b": ");
        self.bytes.extend(if fields::is_text(value) { value } else { b"" });
        self.bytes.extend(b"\r\n");
    }

    /// The end of its head, and its body.
    pub fn end(&mut self, body: &[u8]) {
        let now = u64::try_from(SystemClock.recent().as_millis()).unwrap_or_default();
        if self.second != now / 1_000 || self.date.is_empty() {
            self.second = now / 1_000;
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(self.second);
            self.date = httpdate::fmt_http_date(now);
        }
        self.bytes.extend(b"content-length: ");
        match body.len() {
            0 => self.bytes.push(b'0'),
            length => self.bytes.extend(length.to_string().as_bytes()),
        }
        self.bytes.extend(b"\r\ndate: ");
        self.bytes.extend(self.date.as_bytes());
        self.bytes.extend(b"\r\n\r\n");
        self.bytes.extend(body);
    }

    /// All of a response whose body is in memory.
    pub async fn whole(&mut self, response: Response) {
        let (parts, body) = response.into_parts();
        self.begin(parts.status);
        for (name, value) in &parts.headers {
            self.field(name, value.as_bytes());
        }
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.end(&body);
    }
}
