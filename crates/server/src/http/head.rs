//! What must be right in every request's head, whoever it is for: where the message ends, which
//! host is meant, and what the client expects.
//!
//! hyper has already refused what it cannot parse. What is left are heads that another program,
//! before or behind us, would read differently. The listener ends the connection with the refusal:
//! where one message ends and the next begins is in doubt.

use super::{Problem, ProblemType};
use http::{HeaderMap, Request, StatusCode, Version, header};

/// A request without its body.
#[derive(Clone, Copy)]
pub struct Head<'r, F = HeaderMap> {
    pub method: &'r str,
    /// Path and query.
    pub target: &'r str,
    pub fields: &'r F,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    #[error("the transfer coding is not chunked")]
    TransferCoding,
    #[error("there must be one Host header")]
    Host,
    #[error("the expectation cannot be met")]
    Expectation,
}

/// Fields and the query carry secrets.
impl<F> std::fmt::Debug for Head<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.method)
    }
}

pub fn check<B>(request: &Request<B>) -> Result<(), HeadFault> {
    check_framing(request.headers())?;
    check_host(request)?;
    check_expectations(request)
}

impl HeadFault {
    pub fn status(self) -> StatusCode {
        match self {
            Self::TransferCoding | Self::Host => StatusCode::BAD_REQUEST,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }
}

impl From<HeadFault> for Problem {
    fn from(fault: HeadFault) -> Self {
        let detail = format!("{fault}.");
        match fault.status() {
            StatusCode::EXPECTATION_FAILED => Self::of(ProblemType::Expectation, detail),
            _ => Self::bad_request(detail),
        }
    }
}

/// hyper removes the chunks and leaves every other coding, whose name would be lost on the way.
fn check_framing(headers: &HeaderMap) -> Result<(), HeadFault> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(HeadFault::TransferCoding),
    }
}

/// RFC 9112 §3.2: one, and in HTTP/1.1 it must be there.
fn check_host<B>(request: &Request<B>) -> Result<(), HeadFault> {
    match request.headers().get_all(header::HOST).iter().count() {
        1 => Ok(()),
        0 if request.version() < Version::HTTP_11 => Ok(()),
        _ => Err(HeadFault::Host),
    }
}

/// RFC 9110 §10.1.1. `100-continue` is answered by our own HTTP stack, when the body is first asked
/// for.
fn check_expectations<B>(request: &Request<B>) -> Result<(), HeadFault> {
    if request.version() < Version::HTTP_11 {
        return Ok(());
    }
    let known = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if request.headers().get_all(header::EXPECT).iter().all(known) {
        Ok(())
    } else {
        Err(HeadFault::Expectation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(request: http::request::Builder) -> Result<(), HeadFault> {
        check(&request.body(()).unwrap())
    }

    fn get(target: &str) -> http::request::Builder {
        Request::get(target).header("host", "api.example")
    }

    #[test]
    fn host_is_needed_exactly_once() {
        let two = get("/a").header("host", "other.example");
        assert!(matches!(checked(two), Err(HeadFault::Host)));
        assert!(matches!(checked(Request::get("/a")), Err(HeadFault::Host)));
        assert!(checked(Request::get("/a").version(Version::HTTP_10)).is_ok());
    }

    #[test]
    fn expectation_other_than_continue_is_refused() {
        assert!(checked(get("/a").header("expect", "100-Continue")).is_ok());
        for odd in ["", "200-ok", "100-continue, x"] {
            let refused = checked(get("/a").header("expect", odd));
            assert!(matches!(refused, Err(HeadFault::Expectation)), "{odd}");
        }
    }

    #[test]
    fn transfer_coding_besides_chunked_is_refused() {
        assert!(checked(get("/a").header("transfer-encoding", "Chunked")).is_ok());
        let lists = [&["gzip, chunked"][..], &["gzip", "chunked"], &["chunked, chunked"], &["x"]];
        for values in lists {
            let request = values.iter().fold(get("/a"), |r, v| r.header("transfer-encoding", *v));
            assert!(matches!(checked(request), Err(HeadFault::TransferCoding)), "{values:?}");
        }
    }
}
