//! What a client holds, and how it shows it: a bearer token as it is, or a signature over each
//! request.
//!
//! The signature is written from the contract and not from the server's code:
//! `timestamp \n METHOD \n target \n body` under HMAC-SHA256, keyed with the decoded secret.

use crate::admin::text;
use crate::clock;
use crate::wire::{Answer, Request};
use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// A bearer token: the id that names it and the text that is it.
#[derive(Clone)]
pub struct Bearer {
    pub id: String,
    pub text: String,
}

/// What `derive` answers once: the id that names the token, and the secret that signs.
#[derive(Clone)]
pub struct Signer {
    pub token_id: String,
    /// As shown: padded standard base64.
    pub secret: String,
}

/// Either, for tests that hold for both.
#[derive(Clone)]
pub enum Credential {
    Bearer(Bearer),
    Signing(Signer),
}

impl Bearer {
    pub fn show(&self, request: Request) -> Request {
        request.header("X-API-Key", &self.text)
    }
}

impl Credential {
    pub fn id(&self) -> &str {
        match self {
            Self::Bearer(bearer) => &bearer.id,
            Self::Signing(signer) => &signer.token_id,
        }
    }

    pub fn show(&self, request: Request) -> anyhow::Result<Request> {
        match self {
            Self::Bearer(bearer) => Ok(bearer.show(request)),
            Self::Signing(signer) => signer.sign(request),
        }
    }

    /// A call of the API behind the gateway.
    pub fn call(&self) -> anyhow::Result<Request> {
        self.show(Request::get("/v1/products?page=1"))
    }

    /// The revocation of this very token, by the contract that it belongs to.
    pub fn revocation(&self) -> anyhow::Result<Request> {
        match self {
            Self::Bearer(bearer) => Ok(bearer.show(Request::delete("/auth/token"))),
            Self::Signing(signer) => signer.revocation_of(&signer.token_id),
        }
    }
}

impl Signer {
    /// What `POST /auth/api-tokens/derive` answered.
    pub fn read(answer: &Answer) -> anyhow::Result<Self> {
        let derived = answer.json()?;
        Ok(Self { token_id: text(&derived, "tokenId")?, secret: text(&derived, "secret")? })
    }

    /// The revocation of a token of the same partner.
    pub fn revocation_of(&self, id: &str) -> anyhow::Result<Request> {
        self.sign(Request::delete(&format!("/auth/api-tokens/{id}")))
    }

    /// The request with the three signing headers, dated now.
    pub fn sign(&self, request: Request) -> anyhow::Result<Request> {
        self.sign_at(request, &clock::timestamp_text())
    }

    pub fn sign_at(&self, request: Request, timestamp: &str) -> anyhow::Result<Request> {
        let signature =
            self.signature(timestamp, &request.method, &request.target, &request.body)?;
        Ok(request
            .header("lmts-api-key", &self.token_id)
            .header("lmts-timestamp", timestamp)
            .header("lmts-signature", &signature))
    }

    /// The digest form: the signature covers `Content-Digest` (RFC 9530) instead of the body.
    pub fn sign_digest(&self, request: Request) -> anyhow::Result<Request> {
        let digest = STANDARD.encode(Sha256::digest(&request.body));
        let digest = format!("sha-256=:{digest}:");
        let timestamp = clock::timestamp_text();
        let head = format!("content-digest\n{timestamp}");
        let signature =
            self.signature(&head, &request.method, &request.target, digest.as_bytes())?;
        Ok(request
            .header("lmts-api-key", &self.token_id)
            .header("lmts-timestamp", &timestamp)
            .header("lmts-signature", &signature)
            .header("lmts-covers", "content-digest")
            .header("Content-Digest", &digest))
    }

    pub fn signature(
        &self,
        timestamp: &str,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> anyhow::Result<String> {
        let key = STANDARD.decode(&self.secret).context("the secret is not base64")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
        let head = format!("{timestamp}\n{}\n{target}\n", method.to_ascii_uppercase());
        mac.update(&[head.as_bytes(), body].concat());
        Ok(STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test suites of the official Go and TypeScript SDKs.
    #[test]
    fn signatures_equal_those_of_the_official_sdks() {
        let vectors = [
            (
                "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
                "POST",
                "oMeoGw/k9lOlgmdkx4Upqmm99pJ2pHBYkt1CRO5d6bk=",
            ),
            ("c3VwZXItc2VjcmV0LWtleQ==", "PATCH", "mgMUpOd7FH4sOSti2MF30YKF9yDq+67VjFksPa5I5eE="),
        ];
        for (secret, method, expected) in vectors {
            let signer = Signer { token_id: "id".into(), secret: secret.into() };
            let made = signer
                .signature(
                    "2026-03-23T12:34:56.789Z",
                    method,
                    "/orders?market=btc",
                    br#"{"foo":"bar"}"#,
                )
                .unwrap();
            assert_eq!(made, expected);
        }
    }
}
