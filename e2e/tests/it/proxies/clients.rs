//! Where a client is, as Rescind learns it from a proxy.

use super::scene::Scene;
use anyhow::{Context as _, ensure};
use rescind_e2e::credential::Bearer;
use rescind_e2e::wire::{Answer, Connection, Request};
use serde_json::json;
use std::net::Ipv4Addr;

const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ELSEWHERE: &str = "198.51.100.7";

pub(super) async fn token_bound_to_a_network_is_refused_from_elsewhere(
    scene: &mut Scene,
) -> anyhow::Result<()> {
    let here = seen_client(scene).await?;
    let bound = scene.token(json!({"allowed_networks": [format!("{here}/32")]})).await?;
    let stranger = scene.token(json!({"allowed_networks": [format!("{ELSEWHERE}/32")]})).await?;
    let (request, answer) = ask(scene, &bound, Some("203.0.113.9")).await?;
    let seen = scene.has_passed(&request, &answer)?;
    let told = seen.all("x-forwarded-for").concat();
    ensure!(!told.contains("203.0.113.9"), "the API is told that the client is at {told}");
    for forged in [None, Some(ELSEWHERE)] {
        let (request, answer) = ask(scene, &stranger, forged).await?;
        scene.was_refused(&request, answer, &[401])?;
    }
    Ok(())
}

/// For a client on loopback Envoy says the machine's own address, and all others the client's.
async fn seen_client(scene: &Scene) -> anyhow::Result<String> {
    let (request, answer) = ask(scene, &scene.plain, None).await?;
    let seen = scene.has_passed(&request, &answer)?;
    let said = seen.all("x-forwarded-for");
    let [client] = said.as_slice() else { anyhow::bail!("X-Forwarded-For is {said:?}") };
    let address: Ipv4Addr = client.parse().with_context(|| format!("{client:?}"))?;
    let is_envoy = format!("{:?}", scene.program).starts_with("Envoy");
    ensure!(address == HERE || is_envoy, "the client is said to be at {address}");
    let over_grpc = scene.program == rescind_e2e::proxy::Program::EnvoyGrpc;
    Ok(if over_grpc { HERE } else { address }.to_string())
}

async fn ask(
    scene: &Scene,
    token: &Bearer,
    forged: Option<&str>,
) -> anyhow::Result<(Request, Answer)> {
    let mut request = token.show(Request::get("/v1/orders"));
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Envoy-External-Address"] {
        if let Some(forged) = forged {
            request = request.header(name, forged);
        }
    }
    let mut connection = Connection::open_from(HERE, scene.proxy.address()).await?;
    let answer = scene.ask_on(&mut connection, &request).await?;
    Ok((request, answer))
}
