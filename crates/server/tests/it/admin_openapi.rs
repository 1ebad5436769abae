//! The admin API's own description, asked of the running server.

use crate::server::Server;
use reqwest::Method;
use rescind_server::admin::{caller::ADMIN_SCOPES, openapi};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::{fs, path::Path};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// What anybody may ask.
const OPEN: [&str; 3] = ["/v1/openapi.json", "/v1/problems", "/v1/problems/{name}"];
/// The same, and whose errors are their answer.
const PROBES: [&str; 3] = ["/health", "/readyz", "/livez"];

/// Method, path and description of each operation.
pub fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    found
}

#[tokio::test]
async fn anybody_may_read_the_document_and_it_is_openapi_3_1() {
    let server = Server::start().await;
    let url = format!("{}/v1/openapi.json", server.admin);
    let answer = server.send(server.http.get(url)).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json["openapi"], "3.1.0");
    assert_eq!(answer.json["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.json, openapi::document());
    assert!(operations(&answer.json).len() > 35);
}

#[tokio::test]
async fn documented_methods_are_those_that_are_routed() {
    let server = Server::start().await;
    let document = openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let documented: BTreeSet<_> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let target = path.replace("{id}", "nobody").replace("{name}", "unavailable");
        for method in METHODS {
            let answer =
                server.admin(method.parse().unwrap(), &target, json!("not what it takes")).await;
            let routed = answer.status != 405;
            assert_eq!(routed, documented.contains(method), "{method} {path}");
            let no_path = answer.json["detail"] == "The admin API has no such path.";
            assert!(!no_path, "{method} {path} is not there");
            if !routed {
                let allowed: BTreeSet<_> = answer.header("allow").split(',').collect();
                let allowed = allowed.into_iter().filter(|allowed| *allowed != "HEAD");
                assert!(allowed.eq(documented.iter()), "{path}: {}", answer.header("allow"));
            }
        }
    }
}

/// `OpenApiRouter::route` would add one without.
#[test]
fn routes_are_added_with_their_description_only() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin");
    let mut folders = vec![Path::new(folder).to_path_buf()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            seen += 1;
            let source = fs::read_to_string(&path).unwrap();
            for word in [".route(", ".nest(", "_service("] {
                assert!(!source.contains(word), "{}: {word}", path.display());
            }
        }
    }
    assert!(seen > 20, "the sources have moved");
}

#[test]
fn every_operation_says_who_may_call_it_and_has_a_name() {
    let document = openapi::document();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{what}");
        assert!(!operation["summary"].as_str().unwrap().is_empty(), "{what}");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{what}");
        let needed = &operation["x-required-scope"];
        if OPEN.iter().chain(&PROBES).any(|open| open == &path) {
            assert!(operation.get("security").is_none() && needed.is_null(), "{what}");
            continue;
        }
        let security = &operation["security"][0]["admin_token"];
        assert_eq!(security.get(0).unwrap_or(&Value::Null), needed, "{what}");
        let scoped = needed.as_str().is_some_and(|scope| ADMIN_SCOPES.contains(&scope));
        assert!(scoped || path == "/v1/whoami", "{what}");
    }
}

#[test]
fn every_error_is_a_problem() {
    for (method, path, operation) in operations(&openapi::document()) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let named = answer["$ref"].as_str().map(|to| to.rsplit('/').next().unwrap());
            let document = openapi::document();
            let answer = match named {
                Some(name) => &document["components"]["responses"][name],
                None => answer,
            };
            let problem = answer["content"].get("application/problem+json").is_some();
            let own = PROBES.contains(&path.as_str());
            assert_eq!(problem, status.as_str() >= "400" && !own, "{method} {path} {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi::document();
    let (mut waiting, mut seen) = (vec![&document], 0);
    while let Some(value) = waiting.pop() {
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            seen += 1;
            assert!(document.pointer(&to[1..]).is_some(), "{to}");
        }
        match value {
            Value::Object(fields) => waiting.extend(fields.values()),
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    assert!(seen > 100);
}

#[tokio::test]
async fn unknown_path_is_not_found_for_operators_and_unauthorized_for_others() {
    let server = Server::start().await;
    let token = server.operator("nothing", &[]).await;
    let answer = server.admin_as(&token, Method::GET, "/v1/nothing", Value::Null).await;
    assert_eq!(answer.expect(404).json["type"], "urn:rescind:problem:not-found");
    server.send(server.http.get(format!("{}/v1/nothing", server.admin))).await.expect(401);
}
