//! What a peer may cost: every bound at its most and one past it, and every wait.

use super::envoy::{Said, get};
use super::house::{BODY_BYTES_MAX, House, Wishes};
use crate::gateway::world::TOKEN;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::client::conn::http2::handshake;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rescind_server::grpc::{ATTRIBUTES_BYTES_MAX, HEADER_LIST_BYTES_MAX, STREAMS_MAX};
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::{Code, Request};

const SHORT: Duration = Duration::from_millis(300);
/// Beyond this a test has failed.
const LONG: Duration = Duration::from_secs(8);

const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const OWN_SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

const GOAWAY: u8 = 7;

/// Type, stream and payload.
async fn frame(socket: &mut TcpStream) -> (u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (head[3], stream, payload)
}

async fn connect(house: &House) -> TcpStream {
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    socket.write_all(PREFACE).await.unwrap();
    socket.write_all(&OWN_SETTINGS).await.unwrap();
    socket
}

/// Reads until the server ends the connection.
async fn end(socket: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(LONG, socket.read_to_end(&mut rest)).await.expect("the connection stays open");
}

#[tokio::test]
async fn peer_is_told_how_many_streams_and_how_long_headers_it_may_send() {
    let house = House::start().await;
    let (kind, _, payload) = frame(&mut connect(&house).await).await;
    assert_eq!(kind, 4);
    let setting = |id: u16| {
        let pairs = payload.chunks(6).map(|c| (u16::from_be_bytes([c[0], c[1]]), &c[2..]));
        let mut found = pairs.filter(|(known, _)| *known == id);
        found.next().map(|(_, v)| u32::from_be_bytes(v.try_into().unwrap()))
    };
    assert_eq!(setting(3), Some(STREAMS_MAX));
    assert_eq!(setting(6), Some(HEADER_LIST_BYTES_MAX));
}

#[tokio::test]
async fn headers_of_the_call_are_bounded() {
    let house = House::start().await;
    let padded = |bytes: usize| {
        let mut request = Request::new(get("/").bearer(TOKEN).message());
        request.metadata_mut().insert("x-pad", "p".repeat(bytes).parse().unwrap());
        request
    };
    let most = HEADER_LIST_BYTES_MAX as usize;
    house.envoy().await.check(padded(most - 1_000)).await.unwrap();
    house.envoy().await.check(padded(most)).await.unwrap_err();
}

#[tokio::test]
async fn message_of_the_greatest_size_is_read_and_one_byte_more_is_not() {
    let house = House::start().await;
    let message = |bytes: usize| {
        let asked = |body: usize| get("/").bearer(TOKEN).body(&vec![b'x'; body]).message();
        let rest = asked(bytes).encoded_len() - bytes;
        asked(bytes - rest)
    };
    let most = ATTRIBUTES_BYTES_MAX + BODY_BYTES_MAX;
    let (good, bad) = (message(most), message(most + 1));
    assert_eq!((good.encoded_len(), bad.encoded_len()), (most, most + 1));
    Said::of(house.envoy().await.check(good).await.unwrap().into_inner()).yes();
    let refused = house.envoy().await.check(bad).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
}

#[tokio::test]
async fn peer_that_does_not_begin_is_given_up() {
    let house = House::with(Wishes { header_timeout: SHORT, ..Wishes::default() }).await;
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    end(&mut silent).await;
    // Settings are not a request.
    end(&mut connect(&house).await).await;
}

#[tokio::test]
async fn other_protocols_are_not_spoken() {
    let house = House::start().await;
    let mut socket = TcpStream::connect(house.address).await.unwrap();
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    end(&mut socket).await;
}

/// HEADERS of a call, in HPACK literals without Huffman coding, without END_STREAM.
fn call(path: &str) -> Vec<u8> {
    let pairs = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "h"),
        ("content-type", "application/grpc"),
    ];
    let mut block = Vec::new();
    for (name, value) in pairs {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let length = u8::try_from(block.len()).unwrap();
    [&[0, 0, length, 1, 4, 0, 0, 0, 1], &block[..]].concat()
}

/// A check whose message begins with these bytes and never ends.
async fn begin(house: &House, bytes: Vec<u8>) -> JoinHandle<http::Response<Incoming>> {
    let socket = TokioIo::new(TcpStream::connect(house.address).await.unwrap());
    let (mut client, connection) = handshake(TokioExecutor::new(), socket).await.unwrap();
    let frames = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(bytes)))]);
    let request = http::Request::post(format!("http://{}{CHECK}", house.address))
        .header("content-type", "application/grpc")
        .body(StreamBody::new(frames.chain(stream::pending())))
        .unwrap();
    tokio::spawn(async move {
        tokio::select! {
            answer = client.send_request(request) => answer.unwrap(),
            ended = connection => panic!("{ended:?}"),
        }
    })
}

#[tokio::test]
async fn message_that_never_comes_is_given_up() {
    let house = House::with(Wishes { header_timeout: SHORT, ..Wishes::default() }).await;
    // Five bytes say that a message of 100 bytes follows; two of them do.
    let begun = begin(&house, vec![0, 0, 0, 0, 100, 1, 2]).await;
    let answer = timeout(LONG, begun).await.expect("it is waited for").unwrap();
    let code = Code::from_bytes(answer.headers()["grpc-status"].as_bytes());
    assert_eq!(code, Code::DeadlineExceeded);
}

#[tokio::test]
async fn messages_take_only_so_much_together() {
    let house = House::with(Wishes { messages_bytes_max: 3_000, ..Wishes::default() }).await;
    let long = || get("/").bearer(TOKEN).body(&[b'x'; 2_000]).message();
    let mut envoy = house.envoy().await;
    envoy.check(long()).await.unwrap();
    let others = begin(&house, [&[0, 0, 0, 8, 0][..], &[0; 2_000]].concat()).await;
    let refused = async {
        loop {
            match envoy.check(long()).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(refused) => return refused.code(),
            }
        }
    };
    assert_eq!(timeout(LONG, refused).await.expect("there is room"), Code::ResourceExhausted);
    others.abort();
    let again = async { while envoy.check(long()).await.is_err() {} };
    timeout(LONG, again).await.expect("no room was given back");
}

#[tokio::test]
async fn connection_without_an_open_request_is_closed_and_one_with_a_watcher_is_not() {
    let idle_timeout = SHORT;
    let house = House::with(Wishes { idle_timeout, ..Wishes::default() }).await;
    let mut idle = connect(&house).await;
    let mut watcher = connect(&house).await;
    let name = "/grpc.health.v1.Health/";
    for (socket, method) in [(&mut idle, "Check"), (&mut watcher, "Watch")] {
        socket.write_all(&call(&format!("{name}{method}"))).await.unwrap();
        // An empty message, and the stream's end.
        socket.write_all(&[0, 0, 5, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]).await.unwrap();
    }
    end(&mut idle).await;
    let goodbye = async { while frame(&mut watcher).await.0 != GOAWAY {} };
    timeout(SHORT * 4, goodbye).await.expect_err("the watcher was cut off");
}

/// Opens and resets so many streams in one breath. How the connection ends, if it does.
async fn resets(house: &House, streams: u32) -> Option<u32> {
    let mut socket = connect(house).await;
    let breath: Vec<u8> = (0..streams)
        .flat_map(|index| {
            let mut headers = call(CHECK);
            headers[5..9].copy_from_slice(&(index * 2 + 1).to_be_bytes());
            let reset = [&[0, 0, 4, 3, 0], &headers[5..9], &[0, 0, 0, 8]].concat();
            [headers, reset].concat()
        })
        .collect();
    // A server that ends the connection need not read all of it.
    let _ = socket.write_all(&breath).await;
    let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], b"are you?"].concat();
    let _ = socket.write_all(&ping).await;
    loop {
        let (kind, _, payload) = timeout(LONG, frame(&mut socket)).await.unwrap();
        match kind {
            6 if payload == b"are you?" => return None,
            GOAWAY => return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap())),
            _ => {}
        }
    }
}

#[tokio::test]
async fn client_that_takes_all_its_requests_back_does_not_end_the_connection_and_a_flood_does() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let house = House::start().await;
    assert_eq!(resets(&house, STREAMS_MAX).await, None);
    assert_eq!(resets(&house, STREAMS_MAX * 8).await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_others_have_ended() {
    let house = House::with(Wishes { connections_max: 1, ..Wishes::default() }).await;
    let mut first = connect(&house).await;
    frame(&mut first).await;
    let mut second = connect(&house).await;
    timeout(SHORT, frame(&mut second)).await.expect_err("a second one is served");
    drop(first);
    timeout(LONG, frame(&mut second)).await.expect("the place was not given back");
}

#[tokio::test]
async fn stopping_ends_idle_connections_at_once() {
    let house = House::start().await;
    let mut envoy = house.envoy().await;
    Said::of(envoy.check(get("/").bearer(TOKEN).message()).await.unwrap().into_inner()).yes();
    house.stop.send(true).unwrap();
    timeout(Duration::from_secs(3), house.serving).await.expect("it does not end").unwrap();
    envoy.check(get("/").bearer(TOKEN).message()).await.unwrap_err();
}
