//! Which of a client's headers an upstream may see: not those that it would take for ours, or for
//! another request.
//!
//! Programs behind a gateway fold header names: CGI and WSGI turn `-` into `_`, some servers every
//! character that is no letter or digit. So `X_Rescind_Subject` and `X.Rescind.Subject` arrive
//! there as `X-Rescind-Subject`. Names are compared folded, and a name of other characters than
//! letters, digits and `-` is not passed on at all; nginx does the same unless told otherwise.

use http::{HeaderMap, HeaderName};
use rescind_guard::credentials::CredentialHeaders;

/// Everything that starts so is ours to say.
const RESERVED_PREFIXES: [&str; 2] = ["x-rescind-", "x-forwarded-"];

/// `Expect` is about our connection, `identity` carries the identity token of a contract of ours.
/// `Proxy` becomes `HTTP_PROXY` in CGI (CVE-2016-5385). Who asks and from where is for us to say;
/// and frameworks take the others for the path or the method, so that another request would be
/// answered than the one that was verified.
const RESERVED: [&str; 19] = [
    "expect",
    "identity",
    "forwarded",
    "proxy",
    "remote-user",
    "true-client-ip",
    "cf-connecting-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-original-host",
    "x-real-ip",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

#[derive(Debug)]
pub(super) struct ClientHeaders {
    /// Folded names of the credential headers.
    credentials: Vec<String>,
}

impl ClientHeaders {
    pub(super) fn new(credentials: &CredentialHeaders) -> Self {
        Self { credentials: credentials.names().map(|name| fold(name.as_str())).collect() }
    }

    pub(super) fn strip(&self, headers: &mut HeaderMap) {
        let removed: Vec<_> = headers.keys().filter(|name| !self.may_pass(name)).cloned().collect();
        for name in removed {
            headers.remove(name);
        }
    }

    fn may_pass(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain
            && !RESERVED.contains(&text)
            && !RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
            && !self.credentials.iter().any(|credential| credential == text)
    }
}

/// A credential header may itself be configured with other characters. A `HeaderName` is lower case
/// already.
pub(crate) fn fold(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use rescind_guard::credentials::SigningHeaders;

    fn passes(name: &str) -> bool {
        let credentials = CredentialHeaders {
            api_key: HeaderName::from_static("x_api_key"),
            signing: Some(SigningHeaders::with_prefix("lmts").unwrap()),
        };
        let removed = ClientHeaders::new(&credentials);
        let mut headers = HeaderMap::new();
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_static("1"),
        );
        removed.strip(&mut headers);
        !headers.is_empty()
    }

    #[test]
    fn ordinary_headers_pass() {
        for name in [
            "Accept",
            "Cookie",
            "Content-Type",
            "X-Request-Id",
            "Identity-Map",
            "Sec-WebSocket-Key",
        ] {
            assert!(passes(name), "{name}");
        }
    }

    #[test]
    fn every_spelling_of_an_identity_header_is_removed() {
        let spellings = [
            "X-Rescind-Subject",
            "x_rescind_subject",
            "X-Rescind_Subject",
            "X.Rescind.Subject",
            "X-RESCIND-NEW",
        ];
        for name in spellings {
            assert!(!passes(name), "{name}");
        }
    }

    #[test]
    fn every_credential_header_is_removed_in_every_spelling() {
        let names = [
            "X_API_Key",
            "X-Api-Key",
            "Authorization",
            "lmts-api-key",
            "lmts_timestamp",
            "Lmts-Signature",
            "identity",
        ];
        for name in names {
            assert!(!passes(name), "{name}");
        }
    }

    #[test]
    fn headers_that_tell_of_another_request_are_removed() {
        for name in RESERVED.iter().chain(&[
            "X-Forwarded-For",
            "X-Forwarded-Uri",
            "X_Forwarded_Proto",
            "x-any_thing",
        ]) {
            assert!(!passes(name), "{name}");
        }
    }
}
