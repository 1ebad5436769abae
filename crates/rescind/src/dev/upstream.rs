//! The demo API: answers with what reached it, so that one sees what a gateway or proxy lets
//! through and what it adds. Of headers that may be secret only the names are told.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Whose values are told: who asks.
const IDENTITY: &str = "x-rescind-";

/// Starts it on a free port of the loopback interface.
pub(crate) async fn start() -> io::Result<SocketAddr> {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = socket.local_addr()?;
    tokio::spawn(serve(socket));
    Ok(address)
}

/// Until accepting fails, which it does when the machine is out of something.
pub(crate) async fn serve(socket: TcpListener) {
    while let Ok((stream, _)) = socket.accept().await {
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service_fn(echo));
        tokio::spawn(connection);
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, mut body) = request.into_parts();
    let mut body_bytes: u64 = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { break };
        body_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
    }
    // One for each line, so that a header that stands there twice is seen to.
    let names: Vec<_> = parts.headers.iter().map(|(name, _)| name.as_str()).collect();
    let answer = json!({
        "method": parts.method.as_str(),
        "target": parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        "headers": identity(&parts.headers),
        "header_names": names,
        "body_bytes": body_bytes,
    });
    let mut response = Response::new(Full::new(Bytes::from(format!("{answer:#}\n"))));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

fn identity(headers: &HeaderMap) -> Map<String, Value> {
    let ours = headers.iter().filter(|(name, _)| name.as_str().starts_with(IDENTITY));
    ours.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
        .collect()
}
