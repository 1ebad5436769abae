//! Services without axum: hyper, in HTTP/1.1 and HTTP/2, and tonic.

use crate::wire::{ask, post};
use crate::world::{World, authorization};
use http::request::Builder;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rescind_tower::{Authenticated, VerifiedBody, VerifyLayer};
use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tonic::service::Routes;
use tower::{Layer, Service, service_fn};

const CHECK: &str = "/grpc.health.v1.Health/Check";

async fn tell(
    request: Request<VerifiedBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let name = request.extensions().get::<Authenticated>().unwrap().owner_name().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Ok(Response::new(Full::new([name.as_bytes(), b" ", &body].concat().into())))
}

async fn serve<S, R>(layer: VerifyLayer, service: S) -> SocketAddr
where
    S: Service<Request<VerifiedBody<Incoming>>, Response = Response<R>>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Error + Send + Sync,
    R: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = TowerToHyperService::new(layer.layer(service));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    address
}

#[tokio::test]
async fn hyper_service_is_given_the_verified_body() {
    let world = World::open().await;
    let address = serve(world.tokens.layer(), service_fn(tell)).await;
    let bearer = post("/", &authorization(&world.bearer(&[]).await), "tea");
    assert_eq!(ask(address, bearer).await.body, "ada tea");
    let headers = world.signer().await.sign("POST", "/", "tea");
    assert_eq!(ask(address, post("/", &headers, "tea")).await.body, "ada tea");
    let refused = ask(address, post("/", &headers, "tee")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("application/problem+json"));
}

/// There the URI has scheme and authority, which stand in pseudo-headers of their own: the target
/// is the path.
#[tokio::test]
async fn target_of_http2_is_its_path() {
    let world = World::open().await;
    let address = serve(world.tokens.layer(), service_fn(tell)).await;
    let signer = world.signer().await;
    let status = async |target: &str| {
        let request = Request::get(format!("http://{address}{target}"));
        let request = with(request, &signer.sign("GET", target, ""));
        over_http2(address, request.body(Full::default()).unwrap()).await.status().as_u16()
    };
    assert_eq!(status("/a?b").await, 200);
    assert_eq!(status("/a/../b").await, 400);
    world.tokens.revoke(&signer.0.record.id).await.unwrap();
    assert_eq!(status("/a?b").await, 401);
}

#[tokio::test]
async fn grpc_calls_of_tonic_are_verified() {
    let world = World::open().await;
    let (_, health) = tonic_health::server::health_reporter();
    let address = serve(world.tokens.layer(), Routes::new(health)).await;
    // An empty message, for the state of the whole server.
    let message = "\0\0\0\0\0";
    let call = async |headers: &str| {
        let request = Request::post(format!("http://{address}{CHECK}"));
        let request = with(request, headers).header("content-type", "application/grpc");
        let answer = over_http2(address, request.body(Full::from(message)).unwrap()).await;
        let status = answer.status().as_u16();
        let whole = answer.into_body().collect().await.unwrap();
        (status, whole.trailers().and_then(|all| all.get("grpc-status").cloned()))
    };
    let done = (200, Some(HeaderValue::from_static("0")));
    let signer = world.signer().await;
    assert_eq!(call(&authorization(&world.bearer(&[]).await)).await, done);
    assert_eq!(call(&signer.sign("POST", CHECK, message)).await, done);
    assert_eq!(call(&signer.sign("POST", CHECK, "another")).await, (401, None));
    assert_eq!(call("").await, (401, None));
}

fn with(request: Builder, headers: &str) -> Builder {
    headers.lines().fold(request, |request, line| {
        let (name, value) = line.split_once(": ").unwrap();
        request.header(name, value)
    })
}

async fn over_http2(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let shaking = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
    let (mut sender, connection) = shaking.await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}
