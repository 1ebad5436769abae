//! Who asks, told to the API behind us in headers: always all of them, empty where nothing is
//! known.
//!
//! A header that is merely left out is filled by whoever sends it first; an empty one is an answer.
//! Free text is percent-encoded, and the percent sign with it: two different texts never look alike
//! behind us, and nothing that somebody calls itself can break a header.

use crate::http::fast_path::Answer;
use http::{HeaderMap, HeaderName, HeaderValue};
use rescind_core::{OwnerKind, TenantId, TokenId};
use rescind_guard::Verified;
use std::borrow::Cow;

const NONE: HeaderValue = HeaderValue::from_static("");

const SUBJECT: HeaderName = HeaderName::from_static("x-rescind-subject");
const TOKEN_ID: HeaderName = HeaderName::from_static("x-rescind-token-id");
const TOKEN_KIND: HeaderName = HeaderName::from_static("x-rescind-token-kind");
const SCOPES: HeaderName = HeaderName::from_static("x-rescind-scopes");
const TENANT: HeaderName = HeaderName::from_static("x-rescind-tenant");
const PROFILE_ID: HeaderName = HeaderName::from_static("x-rescind-profile-id");
const ACCOUNT: HeaderName = HeaderName::from_static("x-rescind-account");
const EMAIL: HeaderName = HeaderName::from_static("x-rescind-email");
const BODY: HeaderName = HeaderName::from_static("x-rescind-body");

/// One field per header, so that none can be forgotten.
#[derive(Debug, Default)]
struct Identity<'v> {
    subject: Value<'v>,
    token_id: Value<'v>,
    token_kind: Value<'v>,
    scopes: Value<'v>,
    tenant: Value<'v>,
    profile_id: Value<'v>,
    account: Value<'v>,
    email: Value<'v>,
    /// What is known of the request's body.
    body: Value<'v>,
}

/// Empty where nothing is known.
type Value<'v> = Cow<'v, str>;

pub fn insert(headers: &mut HeaderMap, verified: Option<&Verified>) {
    let id = verified.map(|verified| verified.token().id());
    let pairs = Identity::of(verified.zip(id.as_ref())).pairs();
    headers.reserve(pairs.len());
    for (name, value) in pairs {
        // Ids, kinds and scopes are visible ASCII by their types, the rest is encoded: this cannot
        // fail, and if it did the header would be empty, not the client's.
        let value = match value {
            Cow::Borrowed(text) => HeaderValue::from_str(text),
            Cow::Owned(text) => HeaderValue::try_from(text),
        };
        headers.insert(name, value.unwrap_or(NONE));
    }
}

/// The same, written.
pub fn write(answer: &mut Answer, verified: Option<&Verified>) {
    let id = verified.map(|verified| verified.token().id());
    for (name, value) in Identity::of(verified.zip(id.as_ref())).pairs() {
        answer.field(&name, value.as_bytes());
    }
}

impl<'v> Identity<'v> {
    fn of(verified: Option<(&'v Verified, &'v TokenId)>) -> Self {
        let Some((verified, id)) = verified else { return Self::default() };
        let (token, owner) = (verified.token(), verified.owner());
        Self {
            subject: owner.id.as_str().into(),
            token_id: id.as_str().into(),
            token_kind: token.kind().as_str().into(),
            scopes: list(verified.scopes()),
            tenant: owner.tenant.as_ref().map_or("", TenantId::as_str).into(),
            body: verified.body().as_str().into(),
            ..Self::of_owner(&owner.kind)
        }
    }

    fn of_owner(kind: &'v OwnerKind) -> Self {
        match kind {
            OwnerKind::User { email, .. } => Self { email: encoded(email), ..Self::default() },
            OwnerKind::Partner { profile_id, account, .. } => Self {
                profile_id: profile_id.to_string().into(),
                account: encoded(account),
                ..Self::default()
            },
            OwnerKind::Operator { .. } => Self::default(),
        }
    }

    fn pairs(self) -> [(HeaderName, Value<'v>); 9] {
        let Self { subject, token_id, token_kind, scopes, tenant, profile_id, .. } = self;
        let Self { account, email, body, .. } = self;
        [
            (SUBJECT, subject),
            (TOKEN_ID, token_id),
            (TOKEN_KIND, token_kind),
            (SCOPES, scopes),
            (TENANT, tenant),
            (PROFILE_ID, profile_id),
            (ACCOUNT, account),
            (EMAIL, email),
            (BODY, body),
        ]
    }
}

fn list<'s>(mut names: impl Iterator<Item = &'s str>) -> Value<'s> {
    let Some(first) = names.next() else { return Value::default() };
    let Some(second) = names.next() else { return first.into() };
    let mut text = format!("{first} {second}");
    for name in names {
        text.push(' ');
        text.push_str(name);
    }
    text.into()
}

fn encoded(text: &str) -> Value<'_> {
    match text.bytes().all(is_plain) {
        true => text.into(),
        false => encode(text).into(),
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'%'
}

/// Visible ASCII but `%` as it is, every other byte as `%XX`.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(email: &str) -> OwnerKind {
        let (first_name, last_name) = ("Ada".into(), "L".into());
        OwnerKind::User { email: email.into(), first_name, last_name }
    }

    #[test]
    fn nobody_has_every_header_and_each_is_empty() {
        let mut headers = HeaderMap::new();
        insert(&mut headers, None);
        assert_eq!(headers.len(), 9);
        assert!(
            headers
                .iter()
                .all(|(name, value)| name.as_str().starts_with("x-rescind-") && value.is_empty())
        );
    }

    #[test]
    fn user_and_partner_fill_their_own_fields() {
        let ada = user("ada@example.org");
        let ada = Identity::of_owner(&ada);
        assert_eq!(ada.email, "ada@example.org");
        assert_eq!((ada.account, ada.profile_id), ("".into(), "".into()));
        let (account, issuer, subject) = ("0xAb".into(), "i".into(), "s".into());
        let partner = OwnerKind::Partner { profile_id: 7, account, issuer, subject };
        let partner = Identity::of_owner(&partner);
        assert_eq!(partner.account, "0xAb");
        assert_eq!(partner.profile_id, "7");
        assert_eq!(partner.email, "");
    }

    #[test]
    fn scopes_are_separated_by_a_space() {
        for (names, text) in
            [(&[][..], ""), (&["a"], "a"), (&["a", "b"], "a b"), (&["a", "b", "c"], "a b c")]
        {
            assert_eq!(list(names.iter().copied()), text);
        }
    }

    #[test]
    fn text_that_no_header_can_hold_is_encoded() {
        assert_eq!(encoded("ada@example.org"), "ada@example.org");
        assert_eq!(encoded("zoë@x"), "zo%C3%AB@x");
        assert_eq!(encoded("a\r\nX-Rescind-Subject: root"), "a%0D%0AX-Rescind-Subject:%20root");
        // Or this would be the same person as the one before.
        assert_eq!(encoded("zo%C3%AB@x"), "zo%25C3%25AB@x");
    }
}
