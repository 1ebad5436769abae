//! An API behind a proxy: answers 200 to whatever arrives, and writes down exactly what that was.

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Stops when dropped.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    serving: JoinHandle<()>,
}

/// One request, as it came out of the proxy.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Byte for byte.
    pub target: String,
    /// Every line; names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Upstream {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, Arc::clone(&seen)));
        Ok(Self { address, seen, serving })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that arrived since it was last asked.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(|e| e.into_inner()))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Seen {
    /// The value of every line with this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n == name)
    }
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let seen = Arc::clone(&seen);
        let record = service_fn(move |request| record(request, Arc::clone(&seen)));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), record);
        tokio::spawn(connection);
    }
}

async fn record(
    request: Request<Incoming>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> hyper::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = parts.headers.iter();
    let headers = headers.map(|(n, v)| (n.as_str().to_owned(), text(v.as_bytes()))).collect();
    let (method, target) = (parts.method.to_string(), parts.uri.to_string());
    let request = Seen { method, target, headers, body };
    seen.lock().unwrap_or_else(|e| e.into_inner()).push(request);
    Ok(Response::new(Full::new(Bytes::from_static(b"from the API\n"))))
}
