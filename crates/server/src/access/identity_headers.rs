//! Who asks, told to the API behind us in headers: always all of them, empty where nothing is
//! known.
//!
//! A header that is merely left out is filled by whoever sends it first; an empty one is an answer.
//! Free text is percent-encoded, and the percent sign with it: two different texts never look alike
//! behind us, and nothing that somebody calls itself can break a header.

use http::{HeaderMap, HeaderName, HeaderValue};
use rescind_core::OwnerKind;
use rescind_guard::Verified;

const SUBJECT: HeaderName = HeaderName::from_static("x-rescind-subject");
const TOKEN_ID: HeaderName = HeaderName::from_static("x-rescind-token-id");
const TOKEN_KIND: HeaderName = HeaderName::from_static("x-rescind-token-kind");
const SCOPES: HeaderName = HeaderName::from_static("x-rescind-scopes");
const TENANT: HeaderName = HeaderName::from_static("x-rescind-tenant");
const PROFILE_ID: HeaderName = HeaderName::from_static("x-rescind-profile-id");
const ACCOUNT: HeaderName = HeaderName::from_static("x-rescind-account");
const EMAIL: HeaderName = HeaderName::from_static("x-rescind-email");
const BODY: HeaderName = HeaderName::from_static("x-rescind-body");

/// One field per header, so that none can be forgotten. The default is nobody.
#[derive(Debug, Default)]
struct Identity {
    subject: String,
    token_id: String,
    token_kind: &'static str,
    scopes: String,
    tenant: String,
    profile_id: String,
    account: String,
    email: String,
    /// What is known of the request's body.
    body: &'static str,
}

pub fn insert(headers: &mut HeaderMap, verified: Option<&Verified>) {
    let identity = verified.map(Identity::of).unwrap_or_default();
    for (name, value) in identity.pairs() {
        // Ids, kinds and scopes are visible ASCII by their types, the rest is encoded: this cannot
        // fail, and if it did the header would be empty, not the client's.
        let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
        headers.insert(name, value);
    }
}

impl Identity {
    fn of(verified: &Verified) -> Self {
        let (token, owner) = (verified.token(), verified.owner());
        Self {
            subject: owner.id.to_string(),
            token_id: token.id().to_string(),
            token_kind: token.kind().as_str(),
            scopes: verified.scopes().collect::<Vec<_>>().join(" "),
            tenant: owner.tenant.as_ref().map(ToString::to_string).unwrap_or_default(),
            body: verified.body().as_str(),
            ..Self::of_owner(&owner.kind)
        }
    }

    fn of_owner(kind: &OwnerKind) -> Self {
        match kind {
            OwnerKind::User { email, .. } => Self { email: encode(email), ..Self::default() },
            OwnerKind::Partner { profile_id, account, .. } => Self {
                profile_id: profile_id.to_string(),
                account: encode(account),
                ..Self::default()
            },
            OwnerKind::Operator { .. } => Self::default(),
        }
    }

    fn pairs(&self) -> [(HeaderName, &str); 9] {
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

/// Visible ASCII but `%` as it is, every other byte as `%XX`.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
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
        let ada = Identity::of_owner(&user("ada@example.org"));
        assert_eq!(ada.email, "ada@example.org");
        assert_eq!((ada.account.as_str(), ada.profile_id.as_str()), ("", ""));
        let (account, issuer, subject) = ("0xAb".into(), "i".into(), "s".into());
        let partner =
            Identity::of_owner(&OwnerKind::Partner { profile_id: 7, account, issuer, subject });
        assert_eq!((partner.account.as_str(), partner.profile_id.as_str()), ("0xAb", "7"));
        assert_eq!(partner.email, "");
    }

    #[test]
    fn text_that_no_header_can_hold_is_encoded() {
        assert_eq!(encode("ada@example.org"), "ada@example.org");
        assert_eq!(encode("zoë@x"), "zo%C3%AB@x");
        assert_eq!(encode("a\r\nX-Rescind-Subject: root"), "a%0D%0AX-Rescind-Subject:%20root");
        // Or this would be the same person as the one before.
        assert_eq!(encode("zo%C3%AB@x"), "zo%25C3%25AB@x");
    }
}
