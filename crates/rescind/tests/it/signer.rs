//! A partner's side of signed requests, written from the contract and not from the server's code.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, Method, RequestBuilder};
use rescind_guard::{Clock as _, clock::SystemClock};

/// What `derive` gave, and the prefix of the signing headers.
pub(crate) struct Signer {
    pub(crate) prefix: &'static str,
    pub(crate) id: String,
    /// As shown: base64.
    pub(crate) secret: String,
}

/// A request, and the signature that it carries.
pub(crate) struct Signed {
    pub(crate) request: RequestBuilder,
    pub(crate) signature: String,
}

impl Signer {
    pub(crate) fn sign(&self, http: &Client, method: Method, base: &str, target: &str) -> Signed {
        let timestamp = SystemClock.now().to_rfc3339_millis();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&self.secret).unwrap());
        let message = format!("{timestamp}\n{method}\n{target}\n");
        let signature = STANDARD.encode(hmac::sign(&key, message.as_bytes()));
        let name = |suffix: &str| format!("{}-{suffix}", self.prefix);
        let request = http
            .request(method, format!("{base}{target}"))
            .header(name("api-key"), &self.id)
            .header(name("timestamp"), timestamp)
            .header(name("signature"), &signature);
        Signed { request, signature }
    }
}
