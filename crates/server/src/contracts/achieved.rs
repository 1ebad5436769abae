//! What a revocation has achieved, beside a contract's own body: the header `X-Rescind-Revocation`,
//! a dictionary of structured fields (RFC 9651 §3.2).
//!
//! Without the epoch, which the native API tells: it counts everybody's changes, and who calls here
//! is one of many tenants.

use crate::http::no_store;
use crate::service::Achieved;
use axum::response::Response;
use http::{HeaderName, HeaderValue};

const REVOCATION: HeaderName = HeaderName::from_static("x-rescind-revocation");

pub(super) fn achieved(response: Response, achieved: Achieved) -> Response {
    let mut response = no_store(response);
    let Achieved { acknowledged, waited_out, took, .. } = achieved;
    let millis = took.as_millis();
    let facts = format!("acknowledged={acknowledged}, waited-out={waited_out}, took-ms={millis}");
    if let Ok(facts) = HeaderValue::from_str(&facts) {
        response.headers_mut().insert(REVOCATION, facts);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use std::time::Duration;

    #[test]
    fn facts_are_a_dictionary_of_integers_and_the_epoch_is_none_of_them() {
        let done = Achieved {
            epoch: 4_711,
            acknowledged: 2,
            waited_out: 1,
            took: Duration::from_micros(15_325_900),
        };
        let response = achieved(Response::new(Body::empty()), done);
        let facts = response.headers().get("X-Rescind-Revocation").and_then(|v| v.to_str().ok());
        assert_eq!(facts, Some("acknowledged=2, waited-out=1, took-ms=15325"));
    }
}
