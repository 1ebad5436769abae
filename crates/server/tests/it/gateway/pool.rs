//! Connections to the upstream: when they are used again, and when they are given up.

use super::upstream::{each_connection, read_until};
use super::wire::{Client, ask, in_time};
use super::world::{TOKEN, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;

#[tokio::test]
async fn connection_is_used_again_whatever_came_on_it() {
    const ANSWERS: [&str; 3] = [
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ];
    let connections = Arc::new(AtomicUsize::new(0));
    let opened = Arc::clone(&connections);
    let upstream = each_connection(move |mut stream| {
        opened.fetch_add(1, Ordering::SeqCst);
        async move {
            for framed in ANSWERS.iter().cycle() {
                if read_until(&mut stream, b"\r\n\r\n").await.is_empty() {
                    return;
                }
                let answer = format!("HTTP/1.1 200 OK\r\n{framed}");
                // In two pieces, so that a body may come after its head.
                let (first, second) = answer.split_at(answer.len() - 3);
                stream.write_all(first.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
                stream.write_all(second.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let world = World::before(upstream).await;
    let request = format!("GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n");
    for _ in 0..4 {
        for text in ["", "hello", "hello"] {
            // Each time from another client.
            let answer = ask(world.address, &request).await;
            assert_eq!((answer.status, answer.text()), (200, text));
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn unused_connection_is_closed_before_the_upstream_would() {
    let (closed, mut closes) = unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let closed = closed.clone();
        async move {
            read_until(&mut stream, b"\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            let answered = Instant::now();
            let _ = stream.read_u8().await;
            closed.send(answered.elapsed()).unwrap();
        }
    })
    .await;
    let world = World::before(upstream).await;
    let request = format!("GET /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\n\r\n");
    assert_eq!(ask(world.address, request).await.status, 204);
    let after = in_time(closes.recv()).await.unwrap();
    assert!((3_500..4_900).contains(&after.as_millis()), "{after:?}");
}

#[tokio::test]
async fn answer_before_the_end_of_the_request_leaves_the_rest_on_its_way() {
    let (arrived, mut whole) = unbounded_channel();
    let upstream = each_connection(move |mut stream| {
        let arrived = arrived.clone();
        async move {
            read_until(&mut stream, b"first").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await.unwrap();
            arrived.send(read_until(&mut stream, b"last").await).unwrap();
        }
    })
    .await;
    let world = World::before(upstream).await;
    let mut client = Client::connect(world.address).await;
    let head =
        format!("POST /a HTTP/1.1\r\nHost: x\r\nX-API-Key: {TOKEN}\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(client.ask(format!("{head}first")).await.text(), "hi");
    client.send("last").await;
    assert_eq!(in_time(whole.recv()).await.unwrap(), b"last");
}
