//! One token to import, as it is sent.

use crate::admin::extract::{networks, scopes, text};
use crate::admin::openapi::vocabulary::LABEL_CHARS_MAX;
use crate::admin::tokens::{kind, owner_id, time};
use crate::http::Problem;
use crate::service::IssueRequest;
use crate::service::import::{ImportRequest, PresentedAs};
use base64::{Engine, engine::general_purpose::STANDARD};
use rescind_core::signature::Secret;
use rescind_core::{BEARER_BYTES_MAX, Digest, Presented, Timestamp, TokenId, TokenKind};
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// Shortest text that is taken: 20 random characters of base62 have 119 bits. Whoever imports a
/// text that can be guessed gives its owner's access away.
const TEXT_CHARS_MIN: usize = 20;
/// Shortest and longest signing secret. HMAC-SHA256 hashes what is longer than its block of 64.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: usize = 512;
/// Ids that are words of paths beside `/v1/tokens/{id}`.
const RESERVED: [&str; 2] = ["import", "revoke"];

/// One token to import: `token`, or `sha256`, or `id` and `secret`. A value that is not allowed
/// refuses this token and no other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenToImport)]
pub(super) struct Item {
    owner_id: String,
    /// `bearer`, `api_key`, `signing` or `admin`.
    kind: String,
    label: Option<String>,
    #[serde(default)]
    #[schema(required = false)]
    scopes: Vec<String>,
    allowed_networks: Option<Vec<String>>,
    /// When it was issued, which is not in the future; now, if it is left out.
    issued_at: Option<String>,
    expires_at: Option<String>,
    /// The text of a bearer token, as requests send it: 20 to 512 characters.
    #[schema(value_type = Option<String>)]
    token: Option<Zeroizing<String>>,
    /// SHA-256 of that text, in hexadecimal.
    sha256: Option<String>,
    /// Of a signing token.
    id: Option<String>,
    /// Of a signing token: 16 to 512 bytes in base64 with padding.
    #[schema(value_type = Option<String>)]
    secret: Option<Zeroizing<String>>,
}

const _: () = assert!(TEXT_CHARS_MIN == 20 && BEARER_BYTES_MAX == 512, "as documented above");
const _: () = assert!(SECRET_BYTES_MIN == 16 && SECRET_BYTES_MAX == 512, "as documented above");

impl Item {
    pub(super) fn checked(self, now: Timestamp) -> Result<ImportRequest, Problem> {
        let kind = kind(&self.kind)?;
        let presented_as = self.presented_as(kind)?;
        let time = |field, text: Option<String>| text.map(|text| time(field, &text)).transpose();
        let issued_at = time("issued_at", self.issued_at)?;
        // It would outlive the revocation of all that there are now.
        if issued_at.is_some_and(|at| at > now) {
            return Err(Problem::bad_request("issued_at must not lie in the future."));
        }
        let token = IssueRequest {
            owner: owner_id(&self.owner_id)?,
            kind,
            label: self.label.map(|label| text("label", label, LABEL_CHARS_MAX)).transpose()?,
            scopes: scopes(&self.scopes)?,
            expires_at: time("expires_at", self.expires_at)?,
            allowed_networks: self.allowed_networks.as_deref().map(networks).transpose()?,
        };
        Ok(ImportRequest { token, presented_as, issued_at })
    }

    fn presented_as(&self, kind: TokenKind) -> Result<PresentedAs, Problem> {
        let signing = kind == TokenKind::Signing;
        match (&self.token, &self.sha256, &self.id, &self.secret) {
            (Some(text), None, None, None) if !signing => presentable(text),
            (None, Some(hex), None, None) if !signing => {
                let fault = || Problem::bad_request("sha256 must have 64 hexadecimal digits.");
                digest(hex).map(PresentedAs::Bearer).ok_or_else(fault)
            }
            (None, None, Some(id), Some(secret)) if signing => {
                Ok(PresentedAs::Signing(own_id(id)?, key(secret)?))
            }
            _ if signing => Err(Problem::bad_request("A signing token has id and secret alone.")),
            _ => Err(Problem::bad_request("This kind of token has either token or sha256 alone.")),
        }
    }
}

fn presentable(text: &str) -> Result<PresentedAs, Problem> {
    let long_enough = text.chars().count() >= TEXT_CHARS_MIN;
    if !long_enough || Presented::bearer(text).is_err() {
        let detail = format!(
            "token must have {TEXT_CHARS_MIN} to {BEARER_BYTES_MAX} characters that a request can \
             send: letters, digits and - . _ ~ + / =."
        );
        return Err(Problem::bad_request(detail));
    }
    Ok(PresentedAs::Bearer(Digest::of(text.as_bytes())))
}

fn digest(hex: &str) -> Option<Digest> {
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(Digest::from_bytes(bytes))
}

fn own_id(text: &str) -> Result<TokenId, Problem> {
    if RESERVED.contains(&text) {
        return Err(Problem::bad_request("id: this is a word of the API's own paths."));
    }
    TokenId::parse(text).map_err(|fault| Problem::bad_request(format!("id: {fault}.")))
}

fn key(base64: &str) -> Result<Secret, Problem> {
    let bytes = STANDARD.decode(base64).unwrap_or_default();
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
        let detail = format!(
            "secret must be {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes in padded base64."
        );
        return Err(Problem::bad_request(detail));
    }
    Ok(Secret::from_bytes(bytes))
}
