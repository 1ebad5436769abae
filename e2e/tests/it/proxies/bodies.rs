//! Bodies: of everybody, and of those who sign them. Some proxies never show a body to whom they
//! ask; then the digest form is for clients, and comparing is for the API.

use super::identity::is;
use super::scene::Scene;
use anyhow::ensure;
use rescind_e2e::proxy::Program;
use rescind_e2e::wire::{PATIENCE, Request};
use std::time::Duration;

/// Longer than a proxy keeps in memory.
const LONG_BYTES: usize = 300 * 1024;
/// More than the pages let a signed body have.
const TOO_LONG_BYTES: usize = 1024 * 1024 + 1;

/// Between a head and its body.
const PAUSE: Duration = Duration::from_millis(200);

const SIGNED: &str = r#"{"side":"buy","amount":1}"#;
const CHANGED: &str = r#"{"side":"buy","amount":9}"#;

pub(super) async fn body_arrives_whole(scene: &mut Scene) -> anyhow::Result<()> {
    for length in [1, 1_000, LONG_BYTES] {
        let body = "x".repeat(length);
        let request = scene.plain.show(Request::post("/v1/orders").json_text(&body));
        let seen = scene.passes(&request).await?;
        ensure!(seen.body == body.as_bytes(), "{} of {length} bytes arrived", seen.body.len());
        is(&seen, "x-rescind-body", "unsigned")?;
    }
    let mut chunked = scene.plain.show(Request::post("/v1/orders"));
    chunked = chunked.header("Transfer-Encoding", "chunked");
    let mut connection = scene.proxy.connect().await?;
    let bytes = [chunked.head().as_bytes(), b"5\r\nhello\r\n0\r\n\r\n"].concat();
    connection.send(&bytes).await?;
    let answer = connection.answer_to("POST", PATIENCE).await?;
    ensure!(scene.has_passed(&chunked, &answer)?.body == b"hello", "not the chunks that were sent");
    Ok(())
}

pub(super) async fn signed_request_without_a_body_passes(scene: &mut Scene) -> anyhow::Result<()> {
    let proof = if scene.bodies_are_handed_over() { ["verified", "empty"] } else { ["empty"; 2] };
    for method in ["GET", "POST", "DELETE"] {
        let request = scene.signer()?.sign(Request::new(method, "/v1/orders?a=%20&b=c+d"))?;
        let seen = scene.passes(&request).await?;
        is(&seen, "x-rescind-token-id", &scene.signer()?.token_id)?;
        is(&seen, "x-rescind-token-kind", "signing")?;
        let said = seen.all("x-rescind-body").concat();
        ensure!(proof.contains(&said.as_str()), "{method}: the body is said to be {said:?}");
    }
    Ok(())
}

pub(super) async fn signed_body_passes_where_it_is_handed_over(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let request = scene.signer()?.sign(Request::post("/v1/orders").json_text(SIGNED))?;
    if !scene.bodies_are_handed_over() {
        scene.is_refused(&request, &[401]).await?;
        return Ok(());
    }
    // Its body comes later than its head: whoever does not wait for it asks about an empty one.
    let mut connection = scene.proxy.connect().await?;
    connection.send(request.head().as_bytes()).await?;
    tokio::time::sleep(PAUSE).await;
    connection.send(&request.body).await?;
    let answer = connection.answer_to("POST", PATIENCE).await?;
    let seen = scene.has_passed(&request, &answer)?;
    ensure!(seen.body == SIGNED.as_bytes(), "{:?} arrived", seen.body);
    is(&seen, "x-rescind-body", "verified")
}

pub(super) async fn signed_digest_passes_everywhere(scene: &mut Scene) -> anyhow::Result<()> {
    let request = scene.signer()?.sign_digest(Request::post("/v1/orders").json_text(SIGNED))?;
    let sent = request.headers.iter().find(|(name, _)| name == "Content-Digest");
    let seen = scene.passes(&request).await?;
    ensure!(seen.body == SIGNED.as_bytes(), "{:?} arrived", seen.body);
    // What it is to be compared with.
    is(&seen, "content-digest", sent.map_or("", |(_, value)| value))?;
    let proof = if scene.bodies_are_handed_over() { "verified" } else { "digest" };
    is(&seen, "x-rescind-body", proof)
}

pub(super) async fn changed_body_is_found_or_left_to_the_api(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let request = || Request::post("/v1/orders").json_text(SIGNED);
    let mut signed = scene.signer()?.sign(request())?;
    signed.body = CHANGED.into();
    scene.is_refused(&signed, &[401]).await?;
    let mut digested = scene.signer()?.sign_digest(request())?;
    digested.body = CHANGED.into();
    if scene.bodies_are_handed_over() {
        scene.is_refused(&digested, &[401]).await?;
    } else {
        is(&scene.passes(&digested).await?, "x-rescind-body", "digest")?;
    }
    Ok(())
}

pub(super) async fn body_added_to_a_signed_request_is_found_or_left_to_the_api(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let mut request = scene.signer()?.sign(Request::post("/v1/orders"))?;
    request.body = CHANGED.into();
    if scene.bodies_are_handed_over() {
        scene.is_refused(&request, &[401]).await?;
    } else {
        is(&scene.passes(&request).await?, "x-rescind-body", "empty")?;
    }
    Ok(())
}

pub(super) async fn signed_body_that_is_too_long_is_refused(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    if !scene.bodies_are_handed_over() {
        return Ok(());
    }
    let body = "x".repeat(TOO_LONG_BYTES);
    let request = scene.signer()?.sign(Request::post("/v1/orders").json_text(&body))?;
    // Traefik says 401 for it, as its page says.
    let status = if scene.program == Program::Traefik { 401 } else { 413 };
    scene.is_refused(&request, &[status]).await?;
    Ok(())
}
