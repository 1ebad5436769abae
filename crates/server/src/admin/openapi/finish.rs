//! What every operation has in common: who may call it, and the errors that follow from what it
//! takes. They follow from the description itself, so nobody can forget one.

use crate::admin::{caller::ADMIN_SCOPES, verification};
use crate::http::ProblemType;
use http::StatusCode;
use serde_json::{Map, Value, json};

const PROBLEM_JSON: &str = "application/problem+json";
/// As handlers name it in `security`.
const SCHEME: &str = "admin_token";

/// The problems of the admin API.
const PROBLEMS: [ProblemType; 14] = [
    ProblemType::InvalidRequest,
    ProblemType::Unauthorized,
    ProblemType::InsufficientScope,
    ProblemType::NotAllowed,
    ProblemType::NotFound,
    ProblemType::MethodNotAllowed,
    ProblemType::BodyTimeout,
    ProblemType::Conflict,
    ProblemType::LastAdmin,
    ProblemType::BodyTooLarge,
    ProblemType::UnsupportedMediaType,
    ProblemType::IdempotencyKeyReused,
    ProblemType::TooManyRequests,
    ProblemType::Unavailable,
];

pub(super) fn finished(mut document: Value) -> Value {
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            let operations = item.as_object_mut().into_iter().flatten();
            for (_, operation) in operations {
                if let Some(operation) = operation.as_object_mut() {
                    finish(path, operation);
                }
            }
        }
    }
    let components = document.get_mut("components").and_then(Value::as_object_mut);
    if let Some(components) = components {
        components.insert("responses".into(), responses());
        components.insert("securitySchemes".into(), schemes());
        if let Some(schemas) = components.get_mut("schemas").and_then(Value::as_object_mut) {
            schemas.insert("Problem".into(), problem_schema());
            schemas.append(&mut verification::schemas());
        }
    }
    document
}

fn finish(path: &str, operation: &mut Map<String, Value>) {
    let scope = scope(operation);
    if let Some(scope) = &scope {
        say_who(operation, scope.as_deref());
    }
    if let Some(body) = operation.get_mut("requestBody").and_then(Value::as_object_mut) {
        body.insert("required".into(), json!(true));
    }
    let common = common_errors(path, operation, scope.as_ref());
    let repeatable = is_repeatable(operation);
    let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    for (status, answer) in answers.iter_mut() {
        if status.as_str() >= "400" {
            describe_problem(status, answer);
        }
        if status == "201" && repeatable {
            announce_replay(answer);
        }
    }
    for status in common {
        let reference = format!("#/components/responses/{}", response_name(status));
        let status = status.as_u16().to_string();
        answers.entry(status).or_insert(json!({ "$ref": reference }));
    }
}

/// `None` if nobody is asked who they are, `Some(None)` if every operator may.
fn scope(operation: &Map<String, Value>) -> Option<Option<String>> {
    let needed = operation.get("security")?.get(0)?.get(SCHEME)?;
    Some(needed.get(0).and_then(Value::as_str).map(Into::into))
}

fn say_who(operation: &mut Map<String, Value>, scope: Option<&str>) {
    let who = match scope {
        Some(scope) => format!("Needs an admin token with the scope `{scope}`."),
        None => "Needs an admin token; any scopes will do.".into(),
    };
    let before = operation.get("description").and_then(Value::as_str).unwrap_or_default();
    let said = if before.is_empty() { who } else { format!("{before}\n\n{who}") };
    operation.insert("description".into(), json!(said));
    operation.insert("x-required-scope".into(), json!(scope));
}

fn common_errors(
    path: &str,
    operation: &Map<String, Value>,
    scope: Option<&Option<String>>,
) -> Vec<StatusCode> {
    let (body, named) = (operation.contains_key("requestBody"), path.contains('{'));
    let (query, header) = (takes(operation, "query"), takes(operation, "header"));
    let rules: [(bool, &[StatusCode]); 6] = [
        ((body || query || header) || (named && scope.is_some()), &[StatusCode::BAD_REQUEST]),
        (scope.is_some(), &[StatusCode::UNAUTHORIZED, StatusCode::SERVICE_UNAVAILABLE]),
        (scope.is_some_and(Option::is_some), &[StatusCode::FORBIDDEN]),
        (named, &[StatusCode::NOT_FOUND]),
        (
            body,
            &[
                StatusCode::REQUEST_TIMEOUT,
                StatusCode::PAYLOAD_TOO_LARGE,
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ],
        ),
        (is_repeatable(operation), &[StatusCode::UNPROCESSABLE_ENTITY]),
    ];
    let holding = rules.into_iter().filter_map(|(holds, errors)| holds.then_some(errors));
    holding.flatten().copied().collect()
}

fn takes(operation: &Map<String, Value>, place: &str) -> bool {
    has_parameter(operation, "in", place)
}

fn is_repeatable(operation: &Map<String, Value>) -> bool {
    has_parameter(operation, "name", "Idempotency-Key")
}

fn has_parameter(operation: &Map<String, Value>, field: &str, value: &str) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.into_iter().flatten().any(|parameter| parameter.get(field) == Some(&json!(value)))
}

/// An error that a handler has described keeps its description. One that has a body of its own is
/// no problem.
fn describe_problem(status: &str, answer: &mut Value) {
    let status = StatusCode::from_bytes(status.as_bytes()).ok();
    if let (Some(status), Some(answer)) = (status, answer.as_object_mut()) {
        let Value::Object(mut generic) = problem_response(status) else { return };
        if answer.contains_key("content") {
            return;
        }
        generic.append(answer);
        *answer = generic;
    }
}

fn announce_replay(answer: &mut Value) {
    let header = json!({
        "description": "`true` if this request was made before: nothing new was made, and the \
                        body shows what was, as it is now.",
        "schema": { "type": "string", "enum": ["true"] },
    });
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("headers".into(), json!({ "Idempotency-Replayed": header }));
    }
}

fn responses() -> Value {
    let all = PROBLEMS.iter().map(|kind| kind.status());
    let named = all.map(|status| (response_name(status), problem_response(status)));
    Value::Object(named.collect())
}

/// `BadRequest` and the like.
fn response_name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().replace([' ', '-'], "")
}

fn problem_response(status: StatusCode) -> Value {
    let kinds = || PROBLEMS.iter().filter(|kind| kind.status() == status);
    let meanings: Vec<_> = kinds().map(|kind| kind.meaning()).collect();
    let examples: Map<_, _> = kinds().map(|kind| (kind.name().into(), example(*kind))).collect();
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    let mut response = json!({
        "description": meanings.join(" Or: "),
        "content": { PROBLEM_JSON: { "schema": schema, "examples": examples } },
    });
    if let (Some(response), Some((name, description))) =
        (response.as_object_mut(), header_of(status))
    {
        let header = json!({ "description": description, "schema": { "type": "string" } });
        response.insert("headers".into(), json!({ name: header }));
    }
    response
}

fn header_of(status: StatusCode) -> Option<(&'static str, &'static str)> {
    match status {
        StatusCode::UNAUTHORIZED => Some(("WWW-Authenticate", "How to authenticate.")),
        StatusCode::METHOD_NOT_ALLOWED => Some(("Allow", "The methods that there are.")),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some(("Retry-After", "Seconds to wait."))
        }
        _ => None,
    }
}

fn example(kind: ProblemType) -> Value {
    json!({ "value": {
        "type": kind.urn(),
        "title": kind.title(),
        "status": kind.status().as_u16(),
        "detail": kind.meaning(),
    } })
}

fn schemes() -> Value {
    let names = ADMIN_SCOPES.map(|scope| format!("`{scope}`")).join(", ");
    json!({ SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": format!("An operator's token. Its scopes are among {names}."),
    } })
}

fn problem_schema() -> Value {
    let types: Vec<_> = PROBLEMS.iter().map(|kind| kind.urn()).collect();
    json!({
        "type": "object",
        "description": "RFC 9457. `GET /v1/problems` explains each type.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string", "format": "uri", "enum": types },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What happened this time." },
        },
    })
}
