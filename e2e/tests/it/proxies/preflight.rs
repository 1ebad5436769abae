//! CORS preflights, which no browser sends a credential with.

use super::identity::{NAMES, is};
use super::scene::Scene;
use anyhow::ensure;
use rescind_e2e::wire::Request;

fn preflight() -> Request {
    Request::new("OPTIONS", "/trading/orders")
        .header("Origin", "https://app.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "x-api-key,content-type")
}

pub(super) async fn preflight_is_refused_unless_it_is_allowed(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    scene.is_refused(&preflight(), &[401]).await?;
    Ok(())
}

pub(super) async fn preflight_passes_as_nobody_where_it_is_allowed(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let forged = NAMES.iter().fold(preflight(), |request, name| request.header(name, "forged"));
    let seen = scene.passes(&forged).await?;
    ensure!(seen.method == "OPTIONS", "{} arrived", seen.method);
    for name in NAMES {
        is(&seen, name, "")?;
    }
    Ok(())
}

pub(super) async fn what_only_looks_like_a_preflight_is_refused(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let get = |request: Request| Request { method: "GET".into(), ..request };
    let told = ["X-Original-Method", "X-Forwarded-Method", "X-Rescind-Original-Method"];
    let requests = [
        get(preflight()),
        told.iter().fold(get(preflight()), |request, name| request.header(name, "OPTIONS")),
        Request::new("OPTIONS", "/v1/orders"),
        Request::new("OPTIONS", "/v1/orders").header("Origin", "https://app.example"),
        preflight().header("X-API-Key", "not a token"),
        preflight().header("X-HTTP-Method-Override", "POST"),
    ];
    for request in requests {
        scene.is_refused(&request, &[400, 401]).await?;
    }
    Ok(())
}
