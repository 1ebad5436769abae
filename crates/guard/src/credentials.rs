//! Which credential a request carries, read from its headers.
//!
//! Three answers: none, exactly one, or malformed. A malformed one is refused outright: no other
//! scheme is tried after it, and of two credentials none is believed. Proxies join repeated
//! headers, reorder them or pass both on, so whichever "first one wins" rule is chosen, the next
//! program may choose the other.

use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use rescind_core::{Malformed, Presented, SignedHeaders};

/// The header names in use.
#[derive(Clone, Debug)]
pub struct CredentialHeaders {
    pub api_key: HeaderName,
    pub signing: Option<SigningHeaders>,
}

/// `lmts-api-key`, `lmts-timestamp` and `lmts-signature`, or another prefix.
#[derive(Clone, Debug)]
pub struct SigningHeaders {
    pub key: HeaderName,
    pub timestamp: HeaderName,
    pub signature: HeaderName,
}

impl SigningHeaders {
    pub fn with_prefix(prefix: &str) -> Result<Self, http::header::InvalidHeaderName> {
        let name = |suffix: &str| format!("{prefix}-{suffix}").parse();
        Ok(Self {
            key: name("api-key")?,
            timestamp: name("timestamp")?,
            signature: name("signature")?,
        })
    }

    fn all(&self) -> [&HeaderName; 3] {
        [&self.key, &self.timestamp, &self.signature]
    }
}

impl CredentialHeaders {
    /// Every header that carries a credential: to be removed before a request is handed on.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let signing = self.signing.iter().flat_map(SigningHeaders::all);
        [&self.api_key, &AUTHORIZATION].into_iter().chain(signing)
    }

    /// The one credential of a request; `None` if it carries none.
    pub fn read<'h>(&self, headers: &'h HeaderMap) -> Result<Option<Presented<'h>>, Malformed> {
        let api_key = single(headers, &self.api_key)?;
        let authorization = single(headers, &AUTHORIZATION)?;
        let signed = match &self.signing {
            Some(names) => read_signed(names, headers)?,
            None => None,
        };
        match (api_key, authorization, signed) {
            (None, None, None) => Ok(None),
            (Some(text), None, None) => Presented::bearer(text).map(Some),
            (None, Some(value), None) => Presented::bearer(bearer_of(value)?).map(Some),
            (None, None, Some(parts)) => {
                let [key, timestamp, signature] = parts;
                SignedHeaders::parse(key, timestamp, signature).map(|s| Some(Presented::Signed(s)))
            }
            _ => Err(Malformed::Several),
        }
    }
}

/// The three signing headers, all or none.
fn read_signed<'h>(
    names: &SigningHeaders,
    headers: &'h HeaderMap,
) -> Result<Option<[&'h str; 3]>, Malformed> {
    let [key, timestamp, signature] = names.all();
    match (single(headers, key)?, single(headers, timestamp)?, single(headers, signature)?) {
        (None, None, None) => Ok(None),
        (Some(key), Some(timestamp), Some(signature)) => Ok(Some([key, timestamp, signature])),
        _ => Err(Malformed::Incomplete),
    }
}

/// The value of a header that may stand at most once. HTTP has already trimmed spaces around it.
pub fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Malformed> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Malformed::Several);
    }
    let text = value.to_str().map_err(|_| Malformed::Characters)?;
    // No credential of ours contains a comma: this is a joined pair, or nothing we issued.
    if text.contains(',') && !looks_like_timestamp(text) {
        return Err(Malformed::Several);
    }
    Ok(Some(text))
}

/// The token of `Bearer TOKEN`. The scheme's name is case-insensitive (RFC 9110 §11.1).
pub fn bearer_of(value: &str) -> Result<&str, Malformed> {
    if value.is_empty() {
        return Err(Malformed::Empty);
    }
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Malformed::Scheme);
    }
    Ok(token.trim_start_matches(' '))
}

/// ISO 8601 allows a comma before the fraction; a joined pair of timestamps has a second `T` or
/// blank.
fn looks_like_timestamp(text: &str) -> bool {
    text.split_once(',').is_some_and(|(_, fraction)| {
        fraction.starts_with(|c: char| c.is_ascii_digit())
            && !fraction.contains([',', ' ', ':', 'T'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(pairs: &[(&'static str, &'static str)]) -> Result<Option<&'static str>, Malformed> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let names = CredentialHeaders {
            api_key: HeaderName::from_static("x-api-key"),
            signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
        };
        names.read(&headers).map(|found| {
            found.map(|one| match one {
                Presented::Bearer(_) => "bearer",
                Presented::Signed(_) => "signed",
            })
        })
    }

    const SIGNED: [(&str, &str); 3] = [
        ("lmts-api-key", "abc"),
        ("lmts-timestamp", "2026-03-23T12:34:56.789Z"),
        ("lmts-signature", "oMeoGw/k9lOlgmdkx4Upqmm99pJ2pHBYkt1CRO5d6bk="),
    ];

    #[test]
    fn one_credential_of_each_kind_is_read() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("x-api-key", "t")]), Ok(Some("bearer")));
        assert_eq!(read(&[("authorization", "Bearer t")]), Ok(Some("bearer")));
        assert_eq!(read(&[("authorization", "bearer t")]), Ok(Some("bearer")));
        assert_eq!(read(&SIGNED), Ok(Some("signed")));
    }

    #[test]
    fn two_credentials_are_refused_even_if_equal() {
        let several = Err(Malformed::Several);
        assert_eq!(read(&[("x-api-key", "t"), ("x-api-key", "t")]), several);
        assert_eq!(read(&[("x-api-key", "t"), ("authorization", "Bearer t")]), several);
        assert_eq!(read(&[("x-api-key", "a,b")]), several);
        let [key, timestamp, signature] = SIGNED;
        assert_eq!(read(&[key, timestamp, signature, ("x-api-key", "t")]), several);
        assert_eq!(read(&[key, key, timestamp, signature]), several);
        assert_eq!(read(&[key, timestamp, timestamp, signature]), several);
        let joined = "2026-03-23T12:34:56.789Z,2026-03-23T12:34:56.789Z";
        assert_eq!(read(&[key, ("lmts-timestamp", joined), signature]), several);
    }

    #[test]
    fn unreadable_credential_is_refused_and_nothing_else_is_tried() {
        assert_eq!(read(&[("x-api-key", "")]), Err(Malformed::Empty));
        assert_eq!(read(&[("x-api-key", "a b")]), Err(Malformed::Characters));
        assert_eq!(read(&[("x-api-key", "tök")]), Err(Malformed::Characters));
        assert_eq!(read(&[("authorization", "Basic dDp0")]), Err(Malformed::Scheme));
        assert_eq!(read(&[("authorization", "Bearer")]), Err(Malformed::Empty));
        assert_eq!(read(&[("authorization", "Bearer a b")]), Err(Malformed::Characters));
        let [key, timestamp, signature] = SIGNED;
        assert_eq!(read(&[key, timestamp]), Err(Malformed::Incomplete));
        assert_eq!(read(&[key, ("lmts-timestamp", "now"), signature]), Err(Malformed::Timestamp));
        assert_eq!(read(&[key, timestamp, ("lmts-signature", "AA==")]), Err(Malformed::Signature));
    }

    #[test]
    fn comma_before_a_fraction_is_one_timestamp() {
        let [key, _, signature] = SIGNED;
        let comma = ("lmts-timestamp", "2026-03-23T12:34:56,789Z");
        assert_eq!(read(&[key, comma, signature]), Ok(Some("signed")));
    }

    #[test]
    fn every_credential_header_is_named_for_removal() {
        let names = CredentialHeaders {
            api_key: HeaderName::from_static("x-api-key"),
            signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
        };
        let listed: Vec<_> = names.names().map(HeaderName::as_str).collect();
        let all =
            ["x-api-key", "authorization", "lmts-api-key", "lmts-timestamp", "lmts-signature"];
        assert_eq!(listed, all);
    }
}
