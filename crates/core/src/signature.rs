//! Which bytes a signature covers, and whether it is right.
//!
//! The message is `timestamp \n METHOD \n target \n body`: the timestamp as sent, the method in
//! upper case, the request target byte for byte as it stood in the request line (still
//! percent-encoded, with its query), and the exact body. Nothing is decoded or normalised first:
//! clients sign what they send, and each spells differently. The parts cannot run into each other,
//! because the first three cannot contain a line feed: headers and the request line end at one, and
//! nothing that has one verifies.
//!
//! A proxy that hands over no body leaves its verifier without the last part. For it there is a
//! second form, which the client asks for: the first line is `content-digest` instead, and the last
//! part the value of the header `Content-Digest` (RFC 9530). No timestamp reads `content-digest`,
//! so a signature of one form is never one of the other. Whoever has the body compares it with the
//! digest; [`BodyProof`] says whether that has been done.

use crate::{Digest, SignedHeaders};
use alloc::{string::String, vec::Vec};
use base64::{Engine, engine::general_purpose::STANDARD};
use constant_time_eq::constant_time_eq_n;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How far a signed request's timestamp may lie from the server's clock, on either side.
pub const SIGNATURE_WINDOW_MILLIS: u64 = 30_000;

/// Bytes of a fresh signing secret; HMAC gains nothing from more than its hash's 32.
pub const SECRET_BYTES: usize = 32;

/// The request that was signed.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// As in the request line. Methods are case-sensitive (RFC 9110 §9.1); the signature is over
    /// upper case.
    pub method: &'a str,
    /// The raw request target: path and query, as in the request line.
    pub target: &'a str,
    pub content: Content<'a>,
}

/// What the verifier has of the body.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// All of it; empty if there is none.
    Body(&'a [u8]),
    /// It stayed with the proxy that asks.
    Unseen,
}

/// What is known of the body of a request that was let in.
///
/// As wide as a word, because it is handed on with every verified token, as the tag of the `Result`
/// too. Of one byte, the compiler copies the other 47 from an odd place, in pieces that wait for each
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum BodyProof {
    /// Nobody has signed it.
    Unsigned,
    /// It was seen, and the signature covers it.
    Verified,
    /// The signature covers a digest, and the body was not seen: whoever has it must compare.
    Digest,
    /// The signature covers an empty body, and none was seen: whoever has one must refuse it.
    Empty,
}

/// What a signature says it covers, besides the request line.
#[derive(Clone, Copy)]
pub(crate) enum Covers<'a> {
    Body,
    /// The value of `Content-Digest` as sent, and its SHA-256.
    Digest(&'a str, Digest),
}

/// A claimed HMAC-SHA256 value. It can be compared only by verifying it.
#[derive(Clone, Copy)]
pub struct Mac([u8; 32]);

/// A signing secret: shown once, sealed at rest, wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

/// A signing secret made ready: the two SHA-256 states of HMAC, so that each request saves two
/// blocks.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl<'a> SignedRequest<'a> {
    /// A request whose body was seen whole.
    pub const fn with_body(method: &'a str, target: &'a str, body: &'a [u8]) -> Self {
        Self { method, target, content: Content::Body(body) }
    }
}

impl Mac {
    /// Standard alphabet, padded, canonical (RFC 4648 §3.5): one value, one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 33];
        let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
        let mac = bytes.first_chunk::<32>()?;
        (length == 32).then_some(Self(*mac))
    }
}

impl Secret {
    pub fn random(rng: &mut impl rand::CryptoRng) -> Self {
        let mut bytes = Zeroizing::new(alloc::vec![0; SECRET_BYTES]);
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The raw bytes, to be sealed.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Padded standard base64, for the one answer that shows it.
    pub fn expose_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(&*self.0))
    }

    #[expect(clippy::expect_used, reason = "the error case does not exist: RFC 2104 §3")]
    pub fn key(&self) -> SigningKey {
        SigningKey(Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length"))
    }
}

impl SigningKey {
    /// What the signature proves of the body, if the request was signed with this key. Takes
    /// constant time in the MAC.
    pub(crate) fn verifies(
        &self,
        signed: &SignedHeaders<'_>,
        request: &SignedRequest<'_>,
    ) -> Option<BodyProof> {
        // With a line feed inside, one message would be the message of two different requests.
        let apart = !request.method.contains('\n') && !request.target.contains('\n');
        let mac = self.authenticate(signed.timestamp_text(), request, signed.covers());
        let proof = match (signed.covers(), request.content) {
            (Covers::Body, Content::Body(_)) => BodyProof::Verified,
            (Covers::Body, Content::Unseen) => BodyProof::Empty,
            (Covers::Digest(..), Content::Unseen) => BodyProof::Digest,
            (Covers::Digest(_, digest), Content::Body(body)) if Digest::of(body) == digest => {
                BodyProof::Verified
            }
            (Covers::Digest(..), Content::Body(_)) => return None,
        };
        let mac: [u8; 32] = mac.finalize().into_bytes().into();
        (apart && constant_time_eq_n(&mac, &signed.mac().0)).then_some(proof)
    }

    /// The signature over the body in base64, as a client makes it.
    pub fn sign(&self, timestamp: &str, request: &SignedRequest<'_>) -> String {
        let mac = self.authenticate(timestamp, request, Covers::Body);
        STANDARD.encode(mac.finalize().into_bytes())
    }

    /// The signature over a `Content-Digest` value in base64, as a client makes it.
    pub fn sign_digest(
        &self,
        timestamp: &str,
        request: &SignedRequest<'_>,
        content_digest: &str,
    ) -> String {
        // Only the text is signed.
        let covers = Covers::Digest(content_digest, Digest::from_bytes([0; 32]));
        let mac = self.authenticate(timestamp, request, covers);
        STANDARD.encode(mac.finalize().into_bytes())
    }

    fn authenticate(
        &self,
        timestamp: &str,
        request: &SignedRequest<'_>,
        covers: Covers<'_>,
    ) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        if let Covers::Digest(..) = covers {
            mac.update(b"content-digest\n");
        }
        mac.update(timestamp.as_bytes());
        mac.update(b"\n");
        if request.method.bytes().any(|b| b.is_ascii_lowercase()) {
            mac.update(request.method.to_ascii_uppercase().as_bytes());
        } else {
            mac.update(request.method.as_bytes());
        }
        mac.update(b"\n");
        mac.update(request.target.as_bytes());
        mac.update(b"\n");
        match (covers, request.content) {
            (Covers::Digest(text, _), _) => mac.update(text.as_bytes()),
            (Covers::Body, Content::Body(body)) => mac.update(body),
            (Covers::Body, Content::Unseen) => {}
        }
        mac
    }
}

impl BodyProof {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Verified => "verified",
            Self::Digest => "digest",
            Self::Empty => "empty",
        }
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content")
    }
}

/// Targets and bodies carry secrets (passwords, fresh tokens): neither is printed.
impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedRequest")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests;
