//! Which credential a request carries, read from its headers.
//!
//! Three answers: none, exactly one, or malformed. A malformed one is refused outright: no other
//! scheme is tried after it, and of two credentials none is believed. Proxies join repeated
//! headers, reorder them or pass both on, so whichever "first one wins" rule is chosen, the next
//! program may choose the other.

use crate::fields::{Fields, text};
use http::{HeaderName, header::AUTHORIZATION};
use rescind_core::{Digest, Malformed, Presented, SignedHeaders};
use sfv::{Dictionary, ListEntry, Parser};

/// The header names in use.
#[derive(Clone, Debug)]
pub struct CredentialHeaders {
    pub api_key: HeaderName,
    pub signing: Option<SigningHeaders>,
}

/// `lmts-api-key`, `lmts-timestamp` and `lmts-signature`, or another prefix; and `lmts-covers`,
/// with which a client says that it has signed the `Content-Digest` in place of the body.
#[derive(Clone, Debug)]
pub struct SigningHeaders {
    pub key: HeaderName,
    pub timestamp: HeaderName,
    pub signature: HeaderName,
    pub covers: HeaderName,
}

/// The one value of `…-covers`.
const COVERS_DIGEST: &str = "content-digest";
/// RFC 9530.
static CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// Longest `Content-Digest` that is read, in bytes; SHA-256 and SHA-512 together have 150.
const CONTENT_DIGEST_BYTES_MAX: usize = 512;

impl SigningHeaders {
    pub fn with_prefix(prefix: &str) -> Result<Self, http::header::InvalidHeaderName> {
        let name = |suffix: &str| format!("{prefix}-{suffix}").parse();
        Ok(Self {
            key: name("api-key")?,
            timestamp: name("timestamp")?,
            signature: name("signature")?,
            covers: name("covers")?,
        })
    }

    fn all(&self) -> [&HeaderName; 4] {
        [&self.key, &self.timestamp, &self.signature, &self.covers]
    }
}

impl CredentialHeaders {
    /// Every header that carries a credential: to be removed before a request is handed on.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let signing = self.signing.iter().flat_map(SigningHeaders::all);
        [&self.api_key, &AUTHORIZATION].into_iter().chain(signing)
    }

    /// The one credential of a request; `None` if it carries none.
    pub fn read<'h>(&self, headers: &'h impl Fields) -> Result<Option<Presented<'h>>, Malformed> {
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
            (None, None, Some(signed)) => Ok(Some(Presented::Signed(signed))),
            _ => Err(Malformed::Several),
        }
    }
}

/// The three signing headers, all or none, and what they cover.
fn read_signed<'h>(
    names: &SigningHeaders,
    headers: &'h impl Fields,
) -> Result<Option<SignedHeaders<'h>>, Malformed> {
    let [key, timestamp, signature, covers] = names.all();
    let covers = single(headers, covers)?;
    match (single(headers, key)?, single(headers, timestamp)?, single(headers, signature)?) {
        (None, None, None) if covers.is_none() => Ok(None),
        (Some(key), Some(timestamp), Some(signature)) => {
            let signed = SignedHeaders::parse(key, timestamp, signature)?;
            match covers {
                None => Ok(Some(signed)),
                Some(COVERS_DIGEST) => {
                    let (text, sha256) = content_digest(headers)?;
                    Ok(Some(signed.covering_digest(text, sha256)))
                }
                Some(_) => Err(Malformed::Covers),
            }
        }
        _ => Err(Malformed::Incomplete),
    }
}

/// The value as sent, and the SHA-256 in it: one line of a dictionary of byte sequences (RFC 9530
/// §2, RFC 9651 §3.2). Other algorithms may stand beside it; whoever checks, checks this one.
fn content_digest(headers: &impl Fields) -> Result<(&str, Digest), Malformed> {
    let mut lines = headers.values(&CONTENT_DIGEST);
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(Malformed::Covers) };
    let text = text(line).ok_or(Malformed::Covers)?;
    if text.len() > CONTENT_DIGEST_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    let dictionary = Parser::new(text).parse::<Dictionary>().map_err(|_| Malformed::Covers)?;
    let Some(ListEntry::Item(item)) = dictionary.get("sha-256") else {
        return Err(Malformed::Covers);
    };
    let bytes = item.bare_item.as_byte_sequence().ok_or(Malformed::Covers)?;
    let digest = <[u8; 32]>::try_from(bytes).map_err(|_| Malformed::Covers)?;
    Ok((text, Digest::from_bytes(digest)))
}

/// The value of a header that may stand at most once. HTTP has already trimmed spaces around it.
pub fn single<'h>(
    headers: &'h impl Fields,
    name: &HeaderName,
) -> Result<Option<&'h str>, Malformed> {
    let mut values = headers.values(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Malformed::Several);
    }
    let text = text(value).ok_or(Malformed::Characters)?;
    // No credential of ours contains a comma: this is a joined pair, or nothing we issued.
    if text.as_bytes().contains(&b',') && !looks_like_timestamp(text) {
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
    use http::{HeaderMap, HeaderValue};
    use rstest::rstest;

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

    #[rstest]
    #[case::sha256(Some("sha-256=:eji/gfOD9pQzrW6QDTWz4jhVk/dqe3q11DVbi6Qe4ks=:"), true)]
    #[case::with_another(
        Some("sha-512=:AA==:, sha-256=:eji/gfOD9pQzrW6QDTWz4jhVk/dqe3q11DVbi6Qe4ks=:"),
        true
    )]
    #[case::none(None, false)]
    #[case::empty(Some(""), false)]
    #[case::only_another(Some("sha-512=:AA==:"), false)]
    #[case::no_byte_sequence(Some("sha-256=eji"), false)]
    #[case::too_short(Some("sha-256=:AA==:"), false)]
    #[case::no_dictionary(Some("sha-256=:AA==:,"), false)]
    fn digest_is_covered_only_with_a_sha_256(
        #[case] digest: Option<&'static str>,
        #[case] good: bool,
    ) {
        let covers = ("lmts-covers", "content-digest");
        let pairs: Vec<_> = SIGNED
            .into_iter()
            .chain([covers])
            .chain(digest.map(|text| ("content-digest", text)))
            .collect();
        let expected = if good { Ok(Some("signed")) } else { Err(Malformed::Covers) };
        assert_eq!(read(&pairs), expected);
    }

    #[test]
    fn what_is_covered_is_named_exactly_and_belongs_to_a_signature() {
        let [key, timestamp, signature] = SIGNED;
        let covers = |value| read(&[key, timestamp, signature, ("lmts-covers", value)]);
        assert_eq!(covers("body"), Err(Malformed::Covers));
        assert_eq!(covers("Content-Digest"), Err(Malformed::Covers));
        let alone = [("lmts-covers", "content-digest"), ("x-api-key", "t")];
        assert_eq!(read(&alone), Err(Malformed::Incomplete));
        let digest = ("content-digest", "sha-256=:eji/gfOD9pQzrW6QDTWz4jhVk/dqe3q11DVbi6Qe4ks=:");
        let twice = [key, timestamp, signature, alone[0], digest, digest];
        assert_eq!(read(&twice), Err(Malformed::Covers));
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
        assert_eq!(listed[..5], all);
        assert_eq!(listed[5..], ["lmts-covers"]);
    }
}
