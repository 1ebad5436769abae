//! The admin API as OpenAPI 3.1, made from the router that serves it: a route that is not described
//! cannot be added, and a description without a route is not in it.
//!
//! A handler's `#[utoipa::path]` says what is its own: parameters, bodies, its scope, the errors
//! that only it has. What holds for all of them is put in by `finish`, so that it is said in one
//! place. Anybody may read the document: it says what is in the repository.

mod finish;
mod reference;
pub(super) mod vocabulary;

use super::Admin;
use super::page::Limit;
use super::tokens::vocabulary::StateFilter;
use crate::http::no_store;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Title, tags and how callers are authenticated.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rescind admin API",
        description = "Users, partners, operators and their tokens. Errors are RFC 9457 problems, \
                       each with a link to its explanation. Unknown fields and parameters are \
                       refused. Times are UTC.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "Users", description = "People who log in with e-mail and password."),
        (name = "Partners", description = "Programs that come with an identity token."),
        (name = "Operators", description = "Those who administer. One with a tenant sees that \
                                            tenant and nothing else."),
        (name = "Tokens", description = "What all of them are given."),
        (name = "Audit", description = "What was done, each entry bound to all before it."),
        (name = "Server", description = "The server itself, and this document."),
    ),
    // Parameters do not bring theirs along.
    components(schemas(
        vocabulary::UserKey,
        vocabulary::IdempotencyKey,
        vocabulary::FilterText,
        Limit,
        StateFilter,
    )),
)]
struct Frame;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document()));

/// The whole document.
pub fn document() -> Value {
    let described = super::routes().into_openapi();
    finish::finished(serde_json::to_value(described).unwrap_or_default())
}

/// The same for people, as Markdown.
pub fn reference() -> String {
    reference::markdown(&document())
}

pub(super) fn frame() -> OpenApiRouter<Arc<Admin>> {
    OpenApiRouter::with_openapi(Frame::openapi()).routes(routes!(show))
}

/// This document.
///
/// Anybody may read it.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "openapi",
    tag = "Server",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object))
)]
async fn show() -> Response {
    let mut response = no_store(DOCUMENT.as_str().into_response());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
