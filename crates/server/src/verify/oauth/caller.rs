//! Who asks: an operator's token, in each of the ways in which OAuth's clients can be made to send
//! one. Exactly one of them, and never a guess.
//!
//! The client's name is not looked at: the token says whose it is, and clients insist on sending
//! some name.

use super::Error;
use crate::http::{Connection, Form};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use percent_encoding::percent_decode_str;
use rescind_core::{Demand, Presented, ScopeSet};
use rescind_guard::credentials::bearer_of;
use rescind_guard::{Refusal, Verified};
use rescind_node::Verifier;
use zeroize::Zeroizing;

/// The scope that introspection needs.
const SCOPE: &str = "read";

/// How the caller has shown its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Basic,
    Form,
    None,
}

pub(super) async fn authenticate(
    verifier: &Verifier,
    parts: &Parts,
    form: &Form,
) -> Result<Verified, Error> {
    let (scheme, secret) = secret(&parts.headers, form)?;
    let Ok(Presented::Bearer(text)) = Presented::bearer(&secret) else {
        return Err(Error::InvalidClient(scheme));
    };
    let scopes = ScopeSet::parse([SCOPE]).map_err(|_| Error::Unavailable)?;
    let client = parts.extensions.get().map(|on: &Connection| on.peer.ip());
    let demand = Demand { admin: true, scopes: &scopes, client };
    verifier.bearer(text, &demand).await.map_err(|refusal| match refusal {
        Refusal::Denied(denial) if denial.is_forbidden() => Error::InsufficientScope,
        Refusal::Denied(_) => Error::InvalidClient(scheme),
        Refusal::Sealed | Refusal::TooManyNew => Error::Unavailable,
    })
}

fn secret(headers: &HeaderMap, form: &Form) -> Result<(Scheme, Zeroizing<String>), Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    match (values.next(), values.next(), form.get("client_secret")) {
        (None, _, None) => Err(Error::InvalidClient(Scheme::None)),
        (None, _, Some(secret)) => Ok((Scheme::Form, Zeroizing::new(secret.into()))),
        (Some(value), None, None) => of_header(value),
        _ => Err(Error::InvalidRequest("authenticate in one way, not in several")),
    }
}

fn of_header(value: &HeaderValue) -> Result<(Scheme, Zeroizing<String>), Error> {
    let text = value.to_str().map_err(|_| Error::InvalidClient(Scheme::None))?;
    if let Ok(token) = bearer_of(text) {
        return Ok((Scheme::Bearer, Zeroizing::new(token.into())));
    }
    let (scheme, encoded) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Error::InvalidClient(Scheme::None));
    }
    let password = password_of(encoded.trim_start_matches(' '));
    Ok((Scheme::Basic, password.ok_or(Error::InvalidClient(Scheme::Basic))?))
}

/// RFC 7617 §2, and the form encoding of both halves that RFC 6749 §2.3.1 asks for. Clients that
/// leave the encoding out (Authlib, curl) mean the same: no token that we make has a character that
/// it changes, and no token at all has a colon, so that a name may have some.
fn password_of(encoded: &str) -> Option<Zeroizing<String>> {
    let pair = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (_, password) = std::str::from_utf8(&pair).ok()?.rsplit_once(':')?;
    let spaced = Zeroizing::new(password.replace('+', " "));
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(Zeroizing::new(decoded.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(pair: &str) -> Option<String> {
        password_of(&STANDARD.encode(pair)).map(|password| password.to_string())
    }

    #[test]
    fn password_is_what_follows_the_last_colon_decoded_once() {
        assert_eq!(password("name:secret").as_deref(), Some("secret"));
        assert_eq!(password("a%3Ab:c%3Ad%2Be").as_deref(), Some("c:d+e"));
        assert_eq!(password("urn:x:name:a").as_deref(), Some("a"));
        assert_eq!(password(":a+b%2525").as_deref(), Some("a b%25"));
    }

    #[test]
    fn what_is_no_pair_in_base64_has_no_password() {
        assert_eq!(password("name"), None);
        assert_eq!(password("name:%FF"), None);
        for encoded in ["", "bmFtZTpzZWNyZX", "bmFtZTpzZWNyZXQ= ", "name:secret"] {
            assert!(password_of(encoded).is_none(), "{encoded}");
        }
    }
}
