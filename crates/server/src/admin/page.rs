//! Lists in pages: `?limit=` and `?after=`, the last id of the page before.

use crate::http::{Problem, no_store};
use axum::Json;
use axum::response::{IntoResponse, Response};
use rescind_core::IdError;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// Items in a page if none is asked for, and at most.
pub(super) const LIMIT_DEFAULT: u32 = 100;
pub(super) const LIMIT_MAX: u32 = 1_000;

/// How many items a page has at most.
#[derive(Debug)]
pub(super) enum Limit {}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Give it as `after` to go on; null at the end.
    #[schema(required)]
    pub(super) next: Option<String>,
}

pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::bad_request(format!("limit must be from 1 to {LIMIT_MAX}."))),
    }
}

/// Where to go on: the id that the page before ended with.
pub(super) fn after<T>(
    asked: Option<&str>,
    parse: fn(&str) -> Result<T, IdError>,
) -> Result<Option<T>, Problem> {
    let after = asked.map(parse).transpose();
    after.map_err(|fault| Problem::bad_request(format!("after: {fault}.")))
}

/// Answers a page that was read with one item more than `limit`, so as to know whether there is
/// another.
pub(super) fn answer<R, T: Serialize>(
    mut rows: Vec<R>,
    limit: u32,
    cursor: impl Fn(&R) -> String,
    view: impl Fn(R) -> T,
) -> Response {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(cursor) } else { None };
    let items = rows.into_iter().map(view).collect();
    no_store(Json(Page { items, next }).into_response())
}

impl PartialSchema for Limit {
    fn schema() -> RefOr<Schema> {
        let limit = ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(1_u32))
            .maximum(Some(LIMIT_MAX))
            .default(Some(LIMIT_DEFAULT.into()));
        RefOr::T(Schema::Object(limit.build()))
    }
}

impl ToSchema for Limit {}
