//! The example runs, and does what its head says.

use crate::example::{app, first_token};
use crate::wire::{ask, get, post};
use crate::world::{authorization, listen};
use rescind_tower::{Embedded, KeyRing};

#[tokio::test]
async fn axum_example_reads_may_not_write_and_is_out_once_it_has_revoked_itself() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data/tokens.db");
    let tokens = Embedded::open(file, KeyRing::none()).await.unwrap();
    let one = authorization(&first_token(&tokens).await.unwrap());
    let address = listen(app(tokens.clone()).unwrap()).await;
    assert_eq!(ask(address, get("/health", "")).await.status, 200);
    assert_eq!(ask(address, get("/orders", "")).await.status, 401);
    let read = ask(address, get("/orders", &one)).await;
    assert_eq!((read.status, read.body.as_str()), (200, "the orders of alice\n"));
    assert_eq!(ask(address, post("/orders", &one, "tea")).await.status, 403);
    let end = format!("DELETE /token HTTP/1.1\r\n{one}\r\n");
    assert_eq!(ask(address, &end).await.status, 204);
    assert_eq!(ask(address, get("/orders", &one)).await.status, 401);
    assert_eq!(ask(address, &end).await.status, 401);
    tokens.close().await.unwrap();
    assert_eq!(ask(address, get("/health", "")).await.status, 503);
}
