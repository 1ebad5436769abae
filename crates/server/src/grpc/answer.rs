//! Answers to Envoy. Every one of them says its status, because none would be a yes.

use crate::http::Problem;
use axum::response::IntoResponse;
use envoy_types::ext_authz::v3::pb::{
    CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue as EnvoyHeader,
    HeaderValueOption, HttpResponse, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::google::rpc;
use http::{HeaderMap, HeaderName};
use http_body_util::BodyExt;
use tonic::Code;

/// `identity` goes over whatever the client said under these names; `removed` is taken away.
pub(super) fn allow(identity: &HeaderMap, removed: Vec<String>) -> CheckResponse {
    let ok = OkHttpResponse {
        headers: options(identity),
        headers_to_remove: removed,
        ..OkHttpResponse::default()
    };
    answer(Code::Ok, HttpResponse::OkResponse(ok))
}

/// What the client is answered in the upstream's place.
pub(super) async fn deny(problem: Problem) -> CheckResponse {
    let (parts, body) = problem.into_response().into_parts();
    // In memory already.
    let body = body.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
    let denied = DeniedHttpResponse {
        status: Some(HttpStatus { code: parts.status.as_u16().into() }),
        headers: options(&parts.headers),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    answer(Code::PermissionDenied, HttpResponse::DeniedResponse(denied))
}

fn answer(code: Code, response: HttpResponse) -> CheckResponse {
    let status = rpc::Status { code: code.into(), ..rpc::Status::default() };
    CheckResponse {
        status: Some(status),
        http_response: Some(response),
        ..CheckResponse::default()
    }
}

/// The first of a name replaces what there is, and further ones are put beside it.
fn options(headers: &HeaderMap) -> Vec<HeaderValueOption> {
    let named = |name: &HeaderName| headers.get_all(name).iter().enumerate();
    let option = |name: &HeaderName, index, value: &http::HeaderValue| HeaderValueOption {
        header: Some(EnvoyHeader {
            key: name.to_string(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
            ..EnvoyHeader::default()
        }),
        append_action: match index {
            0 => HeaderAppendAction::OverwriteIfExistsOrAdd,
            _ => HeaderAppendAction::AppendIfExistsOrAdd,
        }
        .into(),
        // An empty one is an answer too.
        keep_empty_value: true,
        ..HeaderValueOption::default()
    };
    headers
        .keys()
        .flat_map(|name| named(name).map(move |(index, value)| option(name, index, value)))
        .collect()
}
