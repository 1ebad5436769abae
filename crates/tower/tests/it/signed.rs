//! Signed requests: the very bytes that were signed reach the service, and no others.

use crate::wire::{ask, get, post};
use crate::world::{World, authorization, echo, listen};
use axum::Router;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn signed_body_is_verified_and_handed_on() {
    let world = World::open().await;
    let signer = world.signer().await;
    for target in ["/orders", "/a%20b?q=%2c&r", "/?"] {
        let headers = signer.sign("POST", target, "tea\r\n");
        let told = ask(world.address, post(target, &headers, "tea\r\n")).await.json();
        assert_eq!((&told["proof"], &told["body"]), (&"verified".into(), &"tea\r\n".into()));
        assert_eq!(told["kind"], "signing");
        assert_eq!(told["token"], signer.0.record.id.as_str());
    }
    let empty = ask(world.address, get("/x", &signer.sign("GET", "/x", ""))).await.json();
    assert_eq!(empty["proof"], "verified");
}

#[tokio::test]
async fn body_in_chunks_is_the_same_body() {
    let world = World::open().await;
    let headers = world.signer().await.sign("POST", "/", "green tea");
    let request = format!(
        "POST / HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n\
         5\r\ngreen\r\n4\r\n tea\r\n0\r\n\r\n"
    );
    assert_eq!(ask(world.address, request).await.json()["body"], "green tea");
}

#[tokio::test]
async fn nothing_that_is_signed_can_be_changed() {
    let world = World::open().await;
    let signer = world.signer().await;
    for headers in [signer.sign("POST", "/a?b", "tea"), signer.sign_digest("POST", "/a?b", "tea")] {
        let good = post("/a?b", &headers, "tea");
        assert_eq!(ask(world.address, &good).await.status, 200);
        for changed in [
            post("/a?b", &headers, "tee"),
            post("/a?b", &headers, ""),
            post("/a?c", &headers, "tea"),
            post("/a", &headers, "tea"),
            good.replace("POST", "PUT"),
        ] {
            let answer = ask(world.address, &changed).await;
            assert_eq!(answer.status, 401, "{changed}");
            assert_eq!(answer.json()["detail"], "The credential is not valid.");
        }
    }
}

#[tokio::test]
async fn digest_is_compared_with_the_body() {
    let world = World::open().await;
    let headers = world.signer().await.sign_digest("POST", "/", "tea");
    let told = ask(world.address, post("/", &headers, "tea")).await.json();
    assert_eq!((&told["proof"], &told["body"]), (&"verified".into(), &"tea".into()));
    assert_eq!(ask(world.address, post("/", &headers, "coffee")).await.status, 401);
}

#[tokio::test]
async fn signed_body_is_read_up_to_the_limit_and_no_further() {
    let world = World::serving(
        |builder| builder.signed_body_bytes_max(8),
        |tokens| echo().layer(tokens.layer()),
    )
    .await;
    let signer = world.signer().await;
    let status = async |body: &str| {
        ask(world.address, post("/", &signer.sign("POST", "/", body), body)).await.status
    };
    assert_eq!(status("12345678").await, 200);
    assert_eq!(status("123456789").await, 413);
    let chunks = "5\r\n12345\r\n4\r\n6789\r\n0\r\n\r\n";
    let headers = signer.sign("POST", "/", "123456789");
    let unannounced =
        format!("POST / HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(ask(world.address, unannounced).await.status, 413);
    // Nobody holds the body of a bearer's request.
    let one = authorization(&world.bearer(&[]).await);
    assert_eq!(ask(world.address, post("/", &one, "123456789")).await.status, 200);
}

#[tokio::test]
async fn signed_body_with_a_coding_is_refused() {
    let world = World::open().await;
    let headers = world.signer().await.sign("POST", "/", "tea");
    let coded = format!("{headers}Content-Encoding: gzip\r\n");
    assert_eq!(ask(world.address, post("/", &coded, "tea")).await.status, 415);
}

#[tokio::test]
async fn signed_body_that_does_not_arrive_is_given_up() {
    let patience = Duration::from_millis(100);
    let world = World::with(|layer| layer.body_timeout(patience)).await;
    let headers = world.signer().await.sign("POST", "/", "tea");
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: 3\r\n\r\nt");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    let answer = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut start));
    answer.await.unwrap().unwrap();
    assert_eq!(&start, b"HTTP/1.1 408");
}

/// Routers in routers cut off what they have matched; the signature is over the whole.
#[tokio::test]
async fn signature_is_over_the_target_as_it_was_sent_in_a_nested_router_too() {
    let world = World::serving(
        |builder| builder,
        |tokens| Router::new().nest("/api", echo().layer(tokens.layer())),
    )
    .await;
    let signer = world.signer().await;
    let answer = ask(world.address, get("/api/x?y", &signer.sign("GET", "/api/x?y", ""))).await;
    assert_eq!((answer.status, &answer.json()["path"]), (200, &"/x".into()));
    let cut = ask(world.address, get("/api/x?y", &signer.sign("GET", "/x?y", ""))).await;
    assert_eq!(cut.status, 401);
    let one = authorization(&world.bearer(&[]).await);
    assert_eq!(ask(world.address, get("/api/a/../x", &one)).await.status, 400);
}

#[tokio::test]
async fn revoked_signer_is_refused_before_its_body_is_read() {
    let world = World::open().await;
    let signer = world.signer().await;
    world.tokens.revoke(&signer.0.record.id).await.unwrap();
    let headers = signer.sign("POST", "/", "tea");
    // The body never comes.
    let request = format!("POST / HTTP/1.1\r\n{headers}Content-Length: 3\r\n\r\n");
    let answer = tokio::time::timeout(Duration::from_secs(5), ask(world.address, request));
    assert_eq!(answer.await.unwrap().status, 401);
    let elsewhere = listen(echo().layer(world.tokens.layer())).await;
    assert_eq!(ask(elsewhere, post("/", &headers, "tea")).await.status, 401);
}
