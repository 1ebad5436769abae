//! What every listener shares: connections, bodies, problems.

pub mod body;
pub mod fast_path;
pub mod form;
pub mod head;
pub mod listener;
pub mod problem;
pub mod site;

pub use body::{BODY_BYTES_MAX, BodyError, read_body, read_json};
pub use form::{Form, read_form};
pub use head::{Head, HeadFault};
pub use listener::{Connection, Limits, Listener};
pub use problem::{Problem, ProblemType};
pub use rescind_access::client_address::{self, ClientAddress, client_address};
pub use site::{Routed, Site};

use axum::response::Response;
use http::{HeaderName, HeaderValue, header};

/// Of an answer that no cache may keep, and that is of the type that it says.
pub static NO_STORE: [(HeaderName, HeaderValue); 2] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Says that an answer carries a secret or somebody's list: no cache may keep it, however it is set
/// up.
pub fn no_store(mut response: Response) -> Response {
    for (name, value) in NO_STORE.clone() {
        response.headers_mut().insert(name, value);
    }
    response
}
