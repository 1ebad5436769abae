//! Signed requests: what is said of the body, with and without having seen it.

use super::envoy::{Asked, PARTIAL, get};
use super::house::House;
use crate::gateway::world::{TOKEN, digest_signed, signed};

const BODY: &[u8] = b"{\"amount\":1}";

fn signed_post(body: &[u8]) -> Asked {
    get("/orders?a=%2c").method("POST").lines(&signed("POST", "/orders?a=%2c", body))
}

fn digest_post(body: &[u8]) -> Asked {
    get("/orders?a=%2c").method("POST").lines(&digest_signed("POST", "/orders?a=%2c", body))
}

async fn proof(house: &House, asked: Asked) -> String {
    let joined = house.check(asked.clone()).await.yes();
    let apart = house.check(asked.raw_headers()).await.yes();
    assert_eq!(joined, apart);
    assert_eq!(joined["x-rescind-token-id"], "tok_signer");
    joined["x-rescind-body"].clone()
}

#[tokio::test]
async fn body_that_envoy_hands_over_is_verified() {
    let house = House::start().await;
    assert_eq!(proof(&house, signed_post(BODY).body(BODY)).await, "verified");
    assert_eq!(proof(&house, digest_post(BODY).body(BODY)).await, "verified");
    house.check(signed_post(BODY).body(b"{\"amount\":2}")).await.no(401);
    house.check(digest_post(BODY).body(b"{\"amount\":2}")).await.no(401);
    house.check(signed_post(BODY).method("PUT").body(BODY)).await.no(401);
}

#[tokio::test]
async fn body_that_was_not_handed_over_is_never_called_verified() {
    let house = House::start().await;
    assert_eq!(proof(&house, digest_post(BODY)).await, "digest");
    assert_eq!(proof(&house, signed_post(b"")).await, "empty");
    // A client may say that its body was seen; it was not.
    assert_eq!(proof(&house, signed_post(b"").header(PARTIAL, "false")).await, "empty");
    house.check(signed_post(BODY)).await.no(401);
}

#[tokio::test]
async fn beginning_of_a_body_does_not_pass_for_the_body() {
    let house = House::start().await;
    // All that was signed, and more that Envoy cut off.
    house.check(signed_post(BODY).beginning_of_body(BODY)).await.no(413);
    house.check(signed_post(b"").beginning_of_body(BODY)).await.no(413);
    // A client's own word beside Envoy's.
    let both = signed_post(BODY).header(PARTIAL, "false").beginning_of_body(BODY);
    house.check(both.clone()).await.no(413);
    house.check(both.raw_headers()).await.no(413);
    // The digest is compared by whoever has the whole; a bearer token covers no body.
    assert_eq!(proof(&house, digest_post(BODY).beginning_of_body(&BODY[..4])).await, "digest");
    house.check(get("/").bearer(TOKEN).beginning_of_body(BODY)).await.yes();
}

#[tokio::test]
async fn signed_body_with_a_content_coding_is_refused() {
    let house = House::start().await;
    let coded = signed_post(BODY).body(BODY).header("content-encoding", "gzip");
    house.check(coded).await.no(415);
}
