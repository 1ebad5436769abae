//! Proxies that ask Rescind, as the documentation says to set them up.
//!
//! The configurations are read out of `docs/proxies`, so that a page which does not work fails
//! here. The proxies are real programs, the binary and its tokens are real, and behind them an API
//! writes down what it really got: a claim is about what reached it, not about what a proxy says.

mod bodies;
mod clients;
mod doctor;
mod identity;
mod paths;
mod preflight;
mod refusals;
mod scene;
mod single;

use rescind_e2e::proxy::Program;
use scene::Scene;

/// Tries each claim, and tells all faults at once: a page is mended in one go.
macro_rules! claims {
    ($scene:ident, $($claim:path),* $(,)?) => {{
        let mut faults = Vec::<String>::new();
        $(
            $scene.upstream.take();
            if let Err(fault) = $claim(&mut $scene).await {
                faults.push(format!("{}: {fault:#}", stringify!($claim)));
            }
        )*
        faults
    }};
}

#[tokio::test]
async fn nginx_as_documented_keeps_every_promise() -> anyhow::Result<()> {
    keeps_every_promise(Program::Nginx).await
}

#[tokio::test]
async fn caddy_as_documented_keeps_every_promise() -> anyhow::Result<()> {
    keeps_every_promise(Program::Caddy).await
}

#[tokio::test]
async fn traefik_as_documented_keeps_every_promise() -> anyhow::Result<()> {
    keeps_every_promise(Program::Traefik).await
}

#[tokio::test]
async fn envoy_over_http_as_documented_keeps_every_promise() -> anyhow::Result<()> {
    keeps_every_promise(Program::EnvoyHttp).await
}

#[tokio::test]
async fn envoy_over_grpc_as_documented_keeps_every_promise() -> anyhow::Result<()> {
    keeps_every_promise(Program::EnvoyGrpc).await
}

#[tokio::test]
async fn haproxy_as_documented_keeps_every_promise() -> anyhow::Result<()> {
    keeps_every_promise(Program::Haproxy).await
}

async fn keeps_every_promise(program: Program) -> anyhow::Result<()> {
    promises_are_kept(Scene::start(program, &program.page()?).await?).await
}

/// Every question about a client goes to one node of three.
#[tokio::test]
async fn nginx_as_documented_keeps_every_promise_before_three_nodes() -> anyhow::Result<()> {
    keeps_every_promise_before_three(Program::Nginx).await
}

/// The same over gRPC.
#[tokio::test]
async fn envoy_over_grpc_as_documented_keeps_every_promise_before_three_nodes() -> anyhow::Result<()>
{
    keeps_every_promise_before_three(Program::EnvoyGrpc).await
}

async fn keeps_every_promise_before_three(program: Program) -> anyhow::Result<()> {
    promises_are_kept(Scene::start_before_three(program, &program.page()?).await?).await
}

async fn promises_are_kept(mut scene: Scene) -> anyhow::Result<()> {
    let program = scene.program;
    let faults = claims!(
        scene,
        identity::valid_token_passes_and_its_identity_arrives,
        identity::bearer_in_authorization_passes_too,
        identity::upstream_sees_no_credential,
        identity::what_a_client_calls_itself_changes_nothing,
        identity::identity_header_that_rescind_does_not_send_does_not_arrive,
        identity::headers_of_other_proxies_change_nothing,
        refusals::without_a_valid_token_it_is_401,
        refusals::without_the_scope_it_is_403,
        refusals::several_credentials_are_refused,
        refusals::revoked_token_is_refused_on_the_very_next_request,
        paths::path_in_another_spelling_needs_the_scope_too,
        paths::ambiguous_target_does_not_arrive,
        preflight::preflight_is_refused_unless_it_is_allowed,
        bodies::body_arrives_whole,
        bodies::signed_request_without_a_body_passes,
        bodies::signed_body_passes_where_it_is_handed_over,
        bodies::signed_digest_passes_everywhere,
        bodies::changed_body_is_found_or_left_to_the_api,
        bodies::body_added_to_a_signed_request_is_found_or_left_to_the_api,
        bodies::signed_body_that_is_too_long_is_refused,
        refusals::without_a_verifier_nothing_passes,
        refusals::no_log_holds_a_token,
    );
    assert!(faults.is_empty(), "{program:?}: {} faults\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

/// What `rescind dev` does not do: let preflights pass, and know clients on loopback.
#[tokio::test]
async fn every_proxy_tells_where_a_client_is_and_passes_preflights_that_are_allowed()
-> anyhow::Result<()> {
    let mut faults = Vec::new();
    for program in Program::ALL {
        let verify = "trusted_peers = [\"127.0.0.1/32\"]\nallow_preflight = true\n";
        let mut scene = Scene::serve(program, &program.page()?, verify).await?;
        let found = claims!(
            scene,
            clients::token_bound_to_a_network_is_refused_from_elsewhere,
            preflight::preflight_passes_as_nobody_where_it_is_allowed,
            preflight::what_only_looks_like_a_preflight_is_refused,
        );
        faults.extend(found.into_iter().map(|fault| format!("{program:?}: {fault}")));
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    Ok(())
}
