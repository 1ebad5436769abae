//! Reading a request's body: bounded in bytes and in time, and as JSON only if it says that it is.

use super::Connection;
use super::form::PARAMETERS_MAX;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{Deserialize, DeserializeOwned};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Largest body of our own endpoints; the longest real one has a few hundred bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// A body that has not arrived whole by then is given up, where the listener does not say
/// otherwise.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the body was cut short")]
    Broken,
    #[error("send the body as Content-Type: application/json")]
    ContentType,
    #[error("the body is not the JSON that is expected: {0}")]
    Json(String),
    #[error("send the body as Content-Type: application/x-www-form-urlencoded")]
    NotAForm,
    #[error("the form has more than {PARAMETERS_MAX} parameters, or one of them twice")]
    Form,
}

impl BodyError {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::Json(_) | Self::Form => StatusCode::BAD_REQUEST,
            Self::ContentType | Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}

/// What a body is read within.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub bytes_max: usize,
    pub patience: Duration,
}

impl Bounds {
    /// Those of most endpoints, on a connection.
    pub fn on(extensions: &Extensions) -> Self {
        let patience = extensions.get().map_or(BODY_TIMEOUT, |on: &Connection| on.body_timeout);
        Self { bytes_max: BODY_BYTES_MAX, patience }
    }
}

pub async fn read_body(parts: &Parts, body: Body) -> Result<Bytes, BodyError> {
    read_body_within(&parts.headers, body, Bounds::on(&parts.extensions)).await
}

pub async fn read_body_within(
    headers: &HeaderMap,
    body: Body,
    Bounds { bytes_max, patience }: Bounds,
) -> Result<Bytes, BodyError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > bytes_max) {
        return Err(BodyError::TooLarge { bytes_max });
    }
    match in_time(patience, Limited::new(body, bytes_max).collect()).await {
        None => Err(BodyError::TooSlow),
        Some(Ok(whole)) => Ok(whole.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => {
            Err(BodyError::TooLarge { bytes_max })
        }
        Some(Err(_)) => Err(BodyError::Broken),
    }
}

/// hyper reads a body once it has been asked for, so one that has come with its head is there at
/// the second time. Only for one that is not is a timer set up.
async fn in_time<F: Future>(patience: Duration, reading: F) -> Option<F::Output> {
    let mut reading = pin!(reading);
    let asked = poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx)));
    if let Poll::Ready(read) = asked.await {
        return Some(read);
    }
    tokio::task::yield_now().await;
    tokio::time::timeout(patience, reading).await.ok()
}

pub async fn read_json<T: DeserializeOwned>(parts: &Parts, body: Body) -> Result<T, BodyError> {
    read_json_within(&parts.headers, body, Bounds::on(&parts.extensions)).await
}

/// For an endpoint whose bodies may be longer than others'.
pub async fn read_json_within<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds,
) -> Result<T, BodyError> {
    parse_json(&read_json_text(headers, body, bounds).await?)
}

/// The same unparsed, for [`parse_json`] to borrow from.
pub async fn read_json_text(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds,
) -> Result<Bytes, BodyError> {
    if !is_json(headers) {
        return Err(BodyError::ContentType);
    }
    read_body_within(headers, body, bounds).await
}

pub fn parse_json<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, BodyError> {
    // Looked through once for what is no UTF-8; serde would do so text by text, which takes several
    // times as long, and says where it is.
    let parsed = match str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(bytes),
    };
    let parsed = parsed.map_err(|error| BodyError::Json(describe(&error)))?;
    // serde takes an array of a struct's fields, without their names, for the struct.
    match bytes.trim_ascii_start().first() {
        Some(b'[') => Err(BodyError::Json("expected an object".into())),
        _ => Ok(parsed),
    }
}

pub fn is_json(headers: &HeaderMap) -> bool {
    has_type(headers, "application/json")
}

/// Whether there is one `Content-Type`, and it is this one; its parameters are not looked at.
pub(super) fn has_type(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}

/// What is wrong and where, without repeating what was sent: a body may hold a password.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => shape_of(&error.to_string()),
        serde_json::error::Category::Eof => "it ends too early".into(),
        _ => "it is not well-formed JSON".into(),
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// serde names fields and types, and of wrong values also the value; only the former is told.
fn shape_of(message: &str) -> String {
    for known in ["missing field", "duplicate field"] {
        if message.starts_with(known) {
            return message.split(" at line").next().unwrap_or(known).replace('`', "\"");
        }
    }
    // The last one is serde's: a value before it may say "expected" too.
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => match expected.split(" at line").next().unwrap_or_default() {
            // Our own names for things are nobody's business.
            ours if ours.starts_with("struct ") => "expected an object".into(),
            expected => format!("expected {expected}"),
        },
        None => "a field has the wrong type".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read counts")]
    struct Login {
        email: String,
        password: Option<u64>,
    }

    fn said(body: &str) -> String {
        parse_json::<Login>(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_what_was_sent() {
        for (body, what) in [
            (r#"{"email":"a","password":"hunter2"}"#, "expected u64 (line 1, column 33)"),
            (r#"{"email":"a","password":"x, expected hunter2"}"#, "expected u64 (line 1, "),
            (r#"{"email":["expected hunter2"]}"#, "expected a string"),
            (r#"{"hunter2, expected hunter2":1}"#, "expected `email` or `password`"),
            (r#""expected hunter2""#, "expected an object"),
            (r#" ["hunter2",1]"#, "expected an object"),
            (r#"{"password":1}"#, "missing field \"email\""),
            (r#"{"email":"a","email":"hunter2"}"#, "duplicate field \"email\""),
            (r#"{"email":"hunter2"#, "it ends too early"),
            (r#"{"email":"hunter2"x}"#, "it is not well-formed JSON"),
        ] {
            let said = said(body);
            assert!(said.contains(what) && !said.contains("hunter2"), "{body}: {said}");
        }
    }

    /// As before the text was looked through at once.
    #[test]
    fn what_is_no_utf_8_is_refused_and_said_where() {
        let body = b"{\"email\":\"hunter2\xff\"}";
        let said = parse_json::<Login>(body).unwrap_err().to_string();
        assert!(said.contains("line 1, column") && !said.contains("hunter2"), "{said}");
    }
}
