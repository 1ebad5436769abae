//! Which bytes a signature covers, and whether it is right.
//!
//! The message is `timestamp \n METHOD \n target \n body`: the timestamp as sent, the method in
//! upper case, the request target byte for byte as it stood in the request line (still
//! percent-encoded, with its query), and the exact body. Nothing is decoded or normalised first:
//! clients sign what they send, and each spells differently. The parts cannot run into each other,
//! because the first three cannot contain a line feed: headers and the request line end at one, and
//! nothing that has one verifies.

use crate::SignedHeaders;
use alloc::vec::Vec;
use base64::{Engine, engine::general_purpose::STANDARD};
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
    pub body: &'a [u8],
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
    pub fn expose_base64(&self) -> Zeroizing<alloc::string::String> {
        Zeroizing::new(STANDARD.encode(&*self.0))
    }

    #[expect(clippy::expect_used, reason = "the error case does not exist: RFC 2104 §3")]
    pub fn key(&self) -> SigningKey {
        SigningKey(Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length"))
    }
}

impl SigningKey {
    /// Whether the request was signed with this key. Takes constant time in the MAC.
    pub(crate) fn verifies(&self, signed: &SignedHeaders<'_>, request: &SignedRequest<'_>) -> bool {
        // With a line feed inside, one message would be the message of two different requests.
        let apart = !request.method.contains('\n') && !request.target.contains('\n');
        let mac = self.authenticate(signed.timestamp_text(), request);
        apart && mac.verify_slice(&signed.mac().0).is_ok()
    }

    /// The signature in base64, as a client makes it.
    pub fn sign(&self, timestamp: &str, request: &SignedRequest<'_>) -> alloc::string::String {
        STANDARD.encode(self.authenticate(timestamp, request).finalize().into_bytes())
    }

    fn authenticate(&self, timestamp: &str, request: &SignedRequest<'_>) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
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
        mac.update(request.body);
        mac
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
