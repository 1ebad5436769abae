//! What does not pass, and what the client is told.

use super::scene::Scene;
use crate::several::met_all;
use anyhow::{Context as _, ensure};
use rescind_e2e::proxy::Program;
use rescind_e2e::wire::{Answer, Request};
use serde_json::json;

pub(super) async fn without_a_valid_token_it_is_401(scene: &mut Scene) -> anyhow::Result<()> {
    let unknown = scene.token(json!({})).await?;
    scene.admin.revoke(&unknown.id).await?.expect_status(200)?;
    let requests = [
        Request::get("/v1/orders"),
        Request::post("/v1/orders").json_text("{}"),
        Request::get("/v1/orders").header("X-API-Key", "not a token"),
        Request::get("/v1/orders").header("X-API-Key", ""),
        Request::get("/v1/orders").header("Authorization", "Basic YTpi"),
        unknown.show(Request::get("/v1/orders")),
    ];
    for request in requests {
        let answer = scene.is_refused(&request, &[401]).await?;
        let challenged = answer.headers.iter().any(|(name, _)| name == "www-authenticate");
        ensure!(challenged, "401 without WWW-Authenticate: {:?}", answer.headers);
        is_problem(&answer)?;
    }
    Ok(())
}

pub(super) async fn without_the_scope_it_is_403(scene: &mut Scene) -> anyhow::Result<()> {
    let request = Request::get("/trading/orders?x=1");
    let answer = scene.is_refused(&scene.plain.show(request.clone()), &[403]).await?;
    let challenge = answer.header("www-authenticate").context("403 without WWW-Authenticate")?;
    ensure!(challenge.contains("insufficient_scope"), "{challenge}");
    is_problem(&answer)?;
    scene.passes(&scene.trader.show(request)).await?;
    Ok(())
}

pub(super) async fn several_credentials_are_refused(scene: &mut Scene) -> anyhow::Result<()> {
    let (plain, trader, signer) = (&scene.plain, &scene.trader, scene.signer()?);
    let bearer = format!("Bearer {}", plain.text);
    let joined = format!("{},{}", plain.text, trader.text);
    let request = || Request::get("/v1/orders");
    let requests = [
        plain.show(plain.show(request())),
        plain.show(trader.show(request())),
        request().header("X-API-Key", &joined),
        request().header("X-API-Key", &joined.replace(',', ", ")),
        plain.show(request().header("Authorization", &bearer)),
        request().header("Authorization", &bearer).header("Authorization", &bearer),
        signer.sign(plain.show(request()))?,
        signer.sign(signer.sign(request())?)?,
    ];
    for request in requests {
        scene.is_refused(&request, &[400, 401]).await?;
    }
    Ok(())
}

/// Also on a connection that it has just been accepted on.
pub(super) async fn revoked_token_is_refused_on_the_very_next_request(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let token = scene.token(json!({})).await?;
    let request = token.show(Request::get("/v1/orders"));
    let mut kept = scene.proxy.connect().await?;
    for _ in 0..3 {
        let answer = scene.ask_on(&mut kept, &request).await?;
        scene.has_passed(&request, &answer)?;
    }
    scene.admin.revoke(&token.id).await?.expect_status(200)?;
    let answer = scene.ask_on(&mut kept, &request).await?;
    scene.was_refused(&request, answer, &[401])?;
    scene.is_refused(&request, &[401]).await?;
    Ok(())
}

/// Ends the verifier, and with it the scene.
pub(super) async fn without_a_verifier_nothing_passes(scene: &mut Scene) -> anyhow::Result<()> {
    let request = scene.trader.show(Request::get("/trading/orders"));
    let mut kept = scene.proxy.connect().await?;
    let answer = scene.ask_on(&mut kept, &request).await?;
    scene.has_passed(&request, &answer)?;
    let server = scene.server.take().context("it has ended before")?;
    if server.several().is_some() {
        met_all(&server)?;
    }
    server.kill().await?;
    // Traefik has no other status for it, as its page says.
    let status = if scene.program == Program::Traefik { 500 } else { 503 };
    let answer = scene.ask_on(&mut kept, &request).await?;
    scene.was_refused(&request, answer, &[status])?;
    for request in [request, Request::get("/v1/orders"), Request::new("OPTIONS", "/v1/orders")] {
        scene.is_refused(&request, &[status]).await?;
    }
    Ok(())
}

/// Also not that of the requests that failed.
pub(super) async fn no_log_holds_a_token(scene: &mut Scene) -> anyhow::Result<()> {
    let log = scene.proxy.log()?;
    for token in [&scene.plain, &scene.trader] {
        ensure!(!log.contains(&token.text), "the proxy's log holds a token");
    }
    let own = scene.home.log()?;
    let own = String::from_utf8_lossy(&own);
    ensure!(!own.contains(&scene.trader.text), "the server's log holds a token");
    Ok(())
}

/// An answer that a program can read, and that says the status which it has.
pub(super) fn is_problem(answer: &Answer) -> anyhow::Result<()> {
    let content_type = answer.header("content-type").unwrap_or_default();
    ensure!(content_type.starts_with("application/problem+json"), "it is {content_type:?}");
    let problem = answer.json()?;
    ensure!(problem["status"] == answer.status, "{}", answer.text());
    let named = problem["type"].as_str().is_some_and(|t| t.starts_with("urn:rescind:problem:"));
    ensure!(named, "{}", answer.text());
    Ok(())
}
