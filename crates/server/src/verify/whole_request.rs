//! A request that somebody else received, told in JSON: method, target and body as they were in it,
//! byte for byte, and its headers. That is what a signature covers, so a library that serves an API
//! by itself can have signed requests verified without the gateway in front of it.

use crate::access::{Original, Refusal};
use crate::http::listener::HEADERS_MAX;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rescind_core::signature::Content;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WholeRequest {
    method: String,
    target: String,
    #[serde(default)]
    headers: Headers,
    /// Base64. Left out, the body was not seen; an empty one was, and is empty.
    body: Option<String>,
}

/// The same, readable.
pub(super) struct ReceivedRequest {
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl WholeRequest {
    pub(super) fn received(self) -> Result<ReceivedRequest, &'static str> {
        let method = Method::from_bytes(self.method.as_bytes());
        let body = self.body.map(|text| STANDARD.decode(text)).transpose();
        Ok(ReceivedRequest {
            method: method.map_err(|_| "request.method: not a method of HTTP.")?,
            target: self.target,
            headers: self.headers.0,
            body: body.map_err(|_| "request.body: not padded standard base64.")?,
        })
    }
}

impl ReceivedRequest {
    /// Its target must be one that nobody can read in two ways, as on the gateway.
    pub(super) fn original(&self) -> Result<Original<'_>, Refusal> {
        Original::new(self.method.as_str(), &self.target, &self.headers)
    }

    pub(super) fn content(&self) -> Content<'_> {
        self.body.as_deref().map_or(Content::Unseen, Content::Body)
    }
}

/// `{"name": "value"}`, or `{"name": ["value", "value"]}` for a header that stood there twice. Read
/// field by field: a map would let the second of two equal names replace the first, and a request
/// with two credentials would pass for one with the other.
#[derive(Default)]
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {HEADERS_MAX} headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let Values(values) = map.next_value()?;
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| not_http::<A::Error>("names"))?;
            for value in values {
                let value = HeaderValue::from_maybe_shared(value.into_bytes());
                headers.append(name.clone(), value.map_err(|_| not_http::<A::Error>("values"))?);
                if headers.len() > HEADERS_MAX {
                    return Err(A::Error::invalid_length(headers.len(), &self));
                }
            }
        }
        Ok(Headers(headers))
    }
}

/// Says what would have been right and repeats nothing: a header may be a secret.
fn not_http<E: Error>(what: &str) -> E {
    let expected = format!("{what} of headers as HTTP has them");
    E::invalid_value(Unexpected::Other("text"), &expected.as_str())
}

struct Values(Vec<String>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrSeveral)
    }
}

struct OneOrSeveral;

impl<'de> Visitor<'de> for OneOrSeveral {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string or an array of at most {HEADERS_MAX} strings")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Values, E> {
        Ok(Values(vec![value.into()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Values, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            if values.len() == HEADERS_MAX {
                return Err(A::Error::invalid_length(HEADERS_MAX + 1, &self));
            }
            values.push(value);
        }
        Ok(Values(values))
    }
}
