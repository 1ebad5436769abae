//! An API behind the gateway that takes its time when it is told to.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What every answer holds.
pub(crate) const ANSWER: &str = "from the API behind it";

/// Answers at once, but for the path `/slow`: there it waits to be told.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    slow: Arc<Slow>,
}

/// One permit for each request that has come, and one for each that may be answered.
struct Slow {
    arrived: Semaphore,
    answered: Semaphore,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let slow = Arc::new(Slow { arrived: Semaphore::new(0), answered: Semaphore::new(0) });
        let shared = Arc::clone(&slow);
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let slow = Arc::clone(&shared);
                let service = service_fn(move |request| answer(Arc::clone(&slow), request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, slow }
    }

    /// Waits for the next slow request.
    pub(crate) async fn has_request(&self) {
        let arrived = timeout(crate::process::SOON, self.slow.arrived.acquire()).await;
        arrived.expect("no request came through").unwrap().forget();
    }

    /// Lets one slow request be answered.
    pub(crate) fn answer(&self) {
        self.slow.answered.add_permits(1);
    }
}

async fn answer(
    slow: Arc<Slow>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/slow" {
        slow.arrived.add_permits(1);
        slow.answered.acquire().await.unwrap().forget();
    }
    Ok(Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes()))))
}
