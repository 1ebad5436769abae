//! `/v1/problems`: what each type of problem means, for whoever meets one. It is the same on every
//! server, so nobody is asked who they are.

use super::{Problem, ProblemType};
use crate::http::no_store;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

const PATH: &str = "/v1/problems";

#[derive(Serialize, ToSchema)]
struct Pages {
    items: Vec<Page>,
}

/// What a type of problem means.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemType)]
struct Page {
    r#type: &'static str,
    name: &'static str,
    title: &'static str,
    status: u16,
    meaning: &'static str,
}

/// For listeners whose errors are linked to these pages: [`crate::http::Site::with_problems`].
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    documented().into()
}

/// The same with its description.
pub fn documented<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::default()
        .routes(routes!(list).map(|methods| methods.fallback(Problem::method_not_allowed)))
        .routes(routes!(show).map(|methods| methods.fallback(Problem::method_not_allowed)))
}

/// Points an answer that is a problem at its page.
pub fn link(mut response: Response) -> Response {
    let Some(kind) = response.extensions().get::<ProblemType>() else { return response };
    let link = format!("<{PATH}/{}>; rel=\"help\"", kind.name());
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().append(header::LINK, link);
    }
    response
}

/// For an answer that a proxy hands on: its client does not reach these pages.
pub fn leave_unlinked(response: &mut Response) {
    response.extensions_mut().remove::<ProblemType>();
}

/// List the types of problems.
///
/// Anybody may read them.
#[utoipa::path(
    get,
    path = "/v1/problems",
    operation_id = "list_problems",
    tag = "Server",
    responses((status = 200, description = "Every type that there is.", body = Pages)),
)]
async fn list() -> Response {
    let items = ProblemType::ALL.iter().copied().map(Page::from).collect();
    no_store(Json(Pages { items }).into_response())
}

/// Show a type of problem.
///
/// Anybody may read it.
#[utoipa::path(
    get,
    path = "/v1/problems/{name}",
    operation_id = "get_problem",
    tag = "Server",
    params(("name" = String, Path, description = "The last part of its `type`.")),
    responses((status = 200, description = "The type.", body = Page)),
)]
async fn show(name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let kind = name.ok().and_then(|Path(name)| ProblemType::parse(&name));
    let kind = kind.ok_or_else(|| Problem::not_found("There is no such type of problem."))?;
    Ok(no_store(Json(Page::from(kind)).into_response()))
}

impl From<ProblemType> for Page {
    fn from(kind: ProblemType) -> Self {
        Self {
            r#type: kind.urn(),
            name: kind.name(),
            title: kind.title(),
            status: kind.status().as_u16(),
            meaning: kind.meaning(),
        }
    }
}
