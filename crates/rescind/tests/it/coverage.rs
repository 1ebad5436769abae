//! Nothing that the admin API can do needs anything but this command line.

use crate::caller::Dev;
use crate::process::Home;

#[tokio::test]
async fn every_endpoint_has_a_command() {
    let home = Home::new();
    let dev = Dev::start(&home).await;
    let description = home.run("openapi -o json", "").await.well().json();
    let mut endpoints: Vec<String> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    endpoints.sort();
    endpoints.retain(|endpoint| !OF_MACHINES.contains(&endpoint.as_str()));
    let commands: Vec<_> = COMMANDS.iter().map(|(endpoint, _)| *endpoint).collect();
    assert_eq!(endpoints, commands);
    for (_, command) in COMMANDS {
        let help = home.run(&format!("{command} --help"), "").await.well().out;
        assert!(help.contains(&format!("Usage: rescind {command} ")), "{help}");
    }
    dev.process.stop().await;
}

/// What nobody asks for by hand: numbers for Prometheus, and a probe that says no more than any
/// other answer does.
const OF_MACHINES: &[&str] = &["GET /livez", "GET /metrics"];

/// Which command asks for what.
const COMMANDS: &[(&str, &str)] = &[
    ("GET /health", "doctor"),
    ("GET /readyz", "doctor"),
    ("GET /v1/audit", "audit list"),
    ("GET /v1/audit/anchor", "audit anchor"),
    ("GET /v1/audit/export", "audit export"),
    ("GET /v1/cluster", "cluster"),
    ("GET /v1/openapi.json", "openapi"),
    ("GET /v1/operators", "operator list"),
    ("GET /v1/operators/{id}", "operator get"),
    ("GET /v1/partners", "partner list"),
    ("GET /v1/partners/{id}", "partner get"),
    ("GET /v1/problems", "problem"),
    ("GET /v1/problems/{name}", "problem"),
    ("GET /v1/revocations/{epoch}", "token revoke"),
    ("GET /v1/status", "status"),
    ("GET /v1/tokens", "token list"),
    ("GET /v1/tokens/{id}", "token get"),
    ("GET /v1/users", "user list"),
    ("GET /v1/users/{id}", "user get"),
    ("GET /v1/whoami", "whoami"),
    ("PATCH /v1/operators/{id}", "operator update"),
    ("PATCH /v1/partners/{id}", "partner update"),
    ("PATCH /v1/tokens/{id}", "token update"),
    ("PATCH /v1/users/{id}", "user update"),
    ("POST /v1/operators", "operator create"),
    ("POST /v1/operators/{id}/resume", "operator resume"),
    ("POST /v1/operators/{id}/suspend", "operator suspend"),
    ("POST /v1/partners", "partner create"),
    ("POST /v1/partners/{id}/resume", "partner resume"),
    ("POST /v1/partners/{id}/suspend", "partner suspend"),
    ("POST /v1/revocations", "revoke-all"),
    ("POST /v1/tokens", "token create"),
    ("POST /v1/tokens/import", "token import"),
    ("POST /v1/tokens/revoke", "token revoke-presented"),
    ("POST /v1/tokens/{id}/revoke", "token revoke"),
    ("POST /v1/tokens/{id}/rotate", "token rotate"),
    ("POST /v1/users", "user create"),
    ("POST /v1/users/{id}/resume", "user resume"),
    ("POST /v1/users/{id}/suspend", "user suspend"),
    ("POST /v1/verify", "verify"),
    ("PUT /v1/users/{id}/password", "user password"),
];
