//! What concerns one proxy only.

use super::refusals::is_problem;
use super::scene::Scene;
use anyhow::{Context as _, ensure};
use rescind_e2e::page::Places;
use rescind_e2e::proxy::{Program, Proxy};
use rescind_e2e::upstream::Upstream;
use rescind_e2e::wire::{Connection, Request};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Far less than nginx's patience of a minute.
const AT_ONCE: Duration = Duration::from_secs(5);
/// Long enough for HAProxy to have asked about what it has.
const FILLED: Duration = Duration::from_millis(40);

/// The usual mistake. Whoever waits for the body that nginx announces waits for a minute.
#[tokio::test]
async fn nginx_that_announces_a_body_is_answered_at_once_and_told_in_the_log() -> anyhow::Result<()>
{
    let page = Program::Nginx.page()?;
    let page = page.edited("proxy_pass_request_body off;", "")?;
    let page = page.edited("proxy_set_header Content-Length \"\";", "")?;
    let scene = Scene::start(Program::Nginx, &page).await?;
    let request = scene.plain.show(Request::post("/v1/orders").json_text("{}"));
    let mut connection = scene.proxy.connect().await?;
    connection.send(&request.bytes()).await?;
    let answer = connection.answer_to("POST", AT_ONCE).await.context("it hangs")?;
    scene.has_passed(&request, &answer)?;
    let log = String::from_utf8(scene.home.log()?)?;
    ensure!(log.contains("proxy_pass_request_body off"), "no word in the log:\n{log}");
    Ok(())
}

/// nginx takes 401 and 403 from a verifier, and makes 500 of everything else. A verifier that says
/// what Rescind does not say on demand stands in for it here.
#[tokio::test]
async fn nginx_gives_every_refusal_the_status_that_rescind_meant() -> anyhow::Result<()> {
    let upstream = Upstream::start().await?;
    for status in [400_u16, 403, 415, 429, 503] {
        let verifier = TcpListener::bind("127.0.0.1:0").await?;
        let verify = verifier.local_addr()?;
        let places = Places { web: verify, verify, grpc: verify, api: upstream.address() };
        let serving = tokio::spawn(refuse_with(verifier, status));
        let proxy = Proxy::start(Program::Nginx, &Program::Nginx.page()?, places).await?;
        let request = Request::get("/").header("X-API-Key", "any");
        let answer = Connection::open(proxy.address()).await?.ask(&request).await?;
        ensure!(answer.status == status, "{status} became {}", answer.status);
        ensure!(answer.header("retry-after") == Some("7"), "{status}: {:?}", answer.headers);
        is_problem(&answer)?;
        serving.abort();
    }
    ensure!(upstream.take().is_empty(), "something arrived");
    Ok(())
}

/// 401 for whoever shows no credential, so that the proxy's start can be seen; else `status`, as
/// the profile for nginx says it.
async fn refuse_with(verifier: TcpListener, status: u16) -> anyhow::Result<()> {
    loop {
        let (mut stream, _) = verifier.accept().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head)?.to_ascii_lowercase();
        let line = if head.contains("x-api-key") { "403 Forbidden" } else { "401 Unauthorized" };
        let answer = format!(
            "HTTP/1.1 {line}\r\nX-Rescind-Status: {status}\r\nRetry-After: 7\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// A Lua error lets a request go on: the page's rule behind it must not.
#[tokio::test]
async fn haproxy_refuses_when_its_lua_breaks() -> anyhow::Result<()> {
    let broken =
        "  local client = core.httpclient()\n  if txn.f:pathq() ~= \"/\" then error(1) end\n";
    let page = Program::Haproxy.page()?.edited("  local client = core.httpclient()\n", broken)?;
    let scene = Scene::start(Program::Haproxy, &page).await?;
    scene.is_refused(&scene.plain.show(Request::get("/v1/orders")), &[503]).await?;
    ensure!(scene.proxy.log()?.contains("rescind.lua"), "Lua did not break");
    Ok(())
}

/// Of a chunked body HAProxy shows what is in its buffer, as if that were all. Whoever saw a signed
/// request could send it again in chunks, fill the buffer with headers and let other bytes follow.
#[tokio::test]
async fn haproxy_lets_nothing_follow_a_signed_body_that_fills_its_buffer() -> anyhow::Result<()> {
    let scene = Scene::start(Program::Haproxy, &Program::Haproxy.page()?).await?;
    // Where the buffer ends depends on the headers: one of these fits.
    for length in 15_000..15_100 {
        let signed =
            scene.signer()?.sign(Request::post("/v1/orders").json_text(&"x".repeat(length)))?;
        let body = String::from_utf8(signed.body.clone())?;
        let chunked = Request { body: Vec::new(), ..signed }.header("Transfer-Encoding", "chunked");
        let mut connection = scene.proxy.connect().await?;
        let first = format!("{}{length:x}\r\n{body}\r\n", chunked.head());
        connection.send(first.as_bytes()).await?;
        tokio::time::sleep(FILLED).await;
        // It may have been refused, and ended, by now.
        let _ = connection.send(b"7\r\nforgery\r\n0\r\n\r\n").await;
        let answer = connection.answer_to("POST", AT_ONCE).await?;
        ensure!([411, 413].contains(&answer.status), "{length} bytes: {}", answer.status);
    }
    Ok(())
}

/// Whatever else an upgrade leads to, nobody asks about the requests in it; and what a client names
/// in `Connection` the next hop drops, be it Rescind's.
#[tokio::test]
async fn haproxy_passes_no_upgrade_but_to_websocket() -> anyhow::Result<()> {
    let scene = Scene::start(Program::Haproxy, &Program::Haproxy.page()?).await?;
    for upgrades in [&["h2c"][..], &["h2c, websocket"], &["h2c", "websocket"], &["websocket"]] {
        let mut request = Request::get("/v1/orders")
            .header("Connection", "Upgrade, HTTP2-Settings, X-Rescind-Subject")
            .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Version", "13");
        for upgrade in upgrades {
            request = request.header("Upgrade", upgrade);
        }
        let seen = scene.passes(&scene.plain.show(request)).await?;
        let kept: &[&str] = if upgrades == ["websocket"] { &["websocket"] } else { &[] };
        ensure!(seen.all("upgrade") == kept, "{upgrades:?} became {:?}", seen.all("upgrade"));
        ensure!(seen.all("http2-settings").is_empty(), "the settings arrived");
        let connection = seen.all("connection").concat().to_ascii_lowercase();
        ensure!(!connection.contains("x-rescind"), "{connection:?} drops a header");
    }
    Ok(())
}

/// As HAProxy; what `Connection` names it drops by itself.
#[tokio::test]
async fn caddy_passes_no_upgrade_but_to_websocket() -> anyhow::Result<()> {
    let scene = Scene::start(Program::Caddy, &Program::Caddy.page()?).await?;
    for upgrades in [&["h2c"][..], &["h2c, websocket"], &["h2c", "websocket"], &["websocket"]] {
        let mut request = Request::get("/v1/orders")
            .header("Connection", "Upgrade")
            .header("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA");
        for upgrade in upgrades {
            request = request.header("Upgrade", upgrade);
        }
        let seen = scene.passes(&scene.plain.show(request)).await?;
        let kept: &[&str] = if upgrades == ["websocket"] { &["websocket"] } else { &[] };
        ensure!(seen.all("upgrade") == kept, "{upgrades:?} became {:?}", seen.all("upgrade"));
        ensure!(seen.all("http2-settings").is_empty(), "the settings arrived");
    }
    Ok(())
}

/// Caddy writes the headers of requests into its log, and knows only the standard ones as secrets.
#[tokio::test]
async fn caddy_that_logs_requests_logs_no_token() -> anyhow::Result<()> {
    let page = Program::Caddy.page()?.edited("bind 127.0.0.1", "bind 127.0.0.1\n\tlog")?;
    let scene = Scene::start(Program::Caddy, &page).await?;
    scene.passes(&scene.plain.show(Request::get("/v1/logged"))).await?;
    let signed = scene.signer()?.sign(Request::get("/v1/logged"))?;
    scene.passes(&signed).await?;
    let log = scene.proxy.log()?;
    ensure!(log.contains("/v1/logged"), "it logs no requests:\n{log}");
    ensure!(!log.contains(&scene.plain.text), "it logs tokens");
    let signature = signed.headers.iter().find(|(name, _)| name == "lmts-signature");
    let (_, signature) = signature.context("no signature")?;
    ensure!(!log.contains(signature), "it logs signatures");
    Ok(())
}
