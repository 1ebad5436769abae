//! `POST /v1/verify`, for the command line: the verify listener's question, asked by an operator.

use super::Admin;
use super::caller::{Caller, Read};
use super::extract::JsonText;
use crate::access::min_epoch;
use crate::http::Problem;
use crate::http::body::parse_json;
use crate::http::listener::HEADERS_MAX;
use crate::verify::{QUESTIONS_MAX, answer};
use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What methods and names of headers are made of (RFC 9110 §5.6.2).
const TOKEN: &str = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
/// Any text without control characters but tabs.
const FIELD_VALUE: &str = "^[^\\u0000-\\u0008\\u000a-\\u001f\\u007f]*$";

pub(super) fn routes() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::default().routes(routes!(verify))
}

/// A caller whose question meets a memory that is as new as it asks. It waits before the body is
/// read: after that, callers are asked about once more. An operator of one tenant may not ask: it
/// would find out how many changes of others there were.
#[derive(Debug)]
struct NewEnough(Caller<Read>);

impl FromRequestParts<Arc<Admin>> for NewEnough {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, admin).await?;
        if parts.headers.contains_key(&min_epoch::MIN_EPOCH) {
            caller.server_wide()?;
            min_epoch::wait(&admin.services.verifier, &parts.headers).await?;
        }
        Ok(Self(caller))
    }
}

/// The header, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read as a header, by `NewEnough`")]
struct MinEpochHeader {
    /// Answer only from what has applied at least the change of this number, as a revocation's
    /// answer tells it. A node that is behind waits for a second at the most, and then answers 503.
    /// Not for an operator of one tenant.
    #[param(rename = "X-Rescind-Min-Epoch", value_type = u64, minimum = 0, required = false)]
    epoch: Option<u64>,
}

/// Verify a token or a request.
///
/// As on the verify listener. A token of another tenant than the operator's is unknown.
#[utoipa::path(
    post,
    path = "/v1/verify",
    operation_id = "verify",
    tag = "Tokens",
    params(MinEpochHeader),
    request_body(content = ref("#/components/schemas/Questions")),
    responses(
        (status = 200, description = "What is known.", body = ref("#/components/schemas/Verdicts")),
    ),
    security(("admin_token" = ["read"])),
)]
async fn verify(
    State(admin): State<Arc<Admin>>,
    NewEnough(caller): NewEnough,
    JsonText(text): JsonText,
) -> Result<Response, Problem> {
    let within = caller.operator().tenant.as_ref();
    answer(&admin.services.verifier, &admin.gatekeeper, parse_json(&text)?, within).await
}

/// Written out: these are shapes of which one holds, and the types behind them belong to a listener
/// without a document.
pub(super) fn schemas() -> Map<String, Value> {
    let one_of = |shapes: &[&str]| {
        let refs: Vec<_> = shapes.iter().map(|name| reference(name)).collect();
        json!({ "oneOf": refs })
    };
    let several = |item: &str, name: &str, most: usize| {
        let items = json!({ "type": "array", "minItems": 1, "maxItems": most,
                            "items": reference(item) });
        closed(json!({ name: items }), &[name])
    };
    let schemas = [
        ("Questions", one_of(&["TokenQuestion", "RequestQuestion", "SeveralQuestions"])),
        ("Question", one_of(&["TokenQuestion", "RequestQuestion"])),
        ("TokenQuestion", question("token", json!({ "type": "string" }))),
        ("RequestQuestion", question("request", reference("ReceivedRequest"))),
        ("SeveralQuestions", several("Question", "items", QUESTIONS_MAX)),
        ("ReceivedRequest", received_request()),
        ("Verdicts", one_of(&["Valid", "Invalid", "SeveralVerdicts"])),
        ("Verdict", one_of(&["Valid", "Invalid"])),
        ("Valid", valid()),
        ("Invalid", invalid()),
        ("SeveralVerdicts", several("Verdict", "results", QUESTIONS_MAX)),
    ];
    schemas.into_iter().map(|(name, schema)| (name.into(), schema)).collect()
}

fn question(about: &str, shape: Value) -> Value {
    let address = json!({
        "description": "Where the request came from: a token that is bound to networks is refused \
                        without it.",
        "anyOf": [{ "type": "null" }, { "type": "string", "format": "ip" }],
        "examples": ["192.0.2.7"],
    });
    let scopes = reference("Scopes");
    closed(json!({ about: shape, "scopes": scopes, "client_address": address }), &[about])
}

fn received_request() -> Value {
    let text = json!({ "type": "string", "pattern": FIELD_VALUE });
    let several = json!({ "type": "array", "maxItems": HEADERS_MAX, "items": text });
    let values = json!({ "anyOf": [text, several] });
    let body = json!({
        "type": ["string", "null"],
        "format": "byte",
        "description": "Base64. Left out, the body was not seen.",
    });
    let headers = json!({
        "type": "object",
        "description": "A header that stood there twice has an array.",
        "propertyNames": { "pattern": TOKEN },
        "maxProperties": HEADERS_MAX,
        "additionalProperties": values,
    });
    let method = json!({ "type": "string", "pattern": TOKEN, "examples": ["GET"] });
    let target = json!({ "type": "string", "examples": ["/orders?status=open"] });
    let properties =
        json!({ "method": method, "target": target, "headers": headers, "body": body });
    closed(properties, &["method", "target"])
}

fn valid() -> Value {
    let proof = ["unsigned", "verified", "digest", "empty"];
    let properties = json!({
        "valid": { "const": true },
        "token_id": reference("TokenId"),
        "owner_id": reference("OwnerId"),
        "kind": { "type": "string", "enum": ["bearer", "api_key", "signing"] },
        "scopes": reference("Scopes"),
        "expires_at": { "anyOf": [reference("Time"), { "type": "null" }] },
        "body": { "type": "string", "enum": proof },
    });
    let all = ["valid", "token_id", "owner_id", "kind", "scopes", "expires_at", "body"];
    closed(properties, &all)
}

fn invalid() -> Value {
    let reason = json!({ "type": "string", "examples": ["unknown"] });
    closed(json!({ "valid": { "const": false }, "reason": reason }), &["valid", "reason"])
}

fn closed(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
