//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a request that is sent again
//! because its answer was lost makes nothing a second time.
//!
//! Only digests are kept. A key is the caller's own: another token's use of the same text is
//! another key, so that nobody is answered with what somebody else has made.

use rescind_core::{Digest, TokenId};
use rescind_store::Idempotency;
use serde::Serialize;

/// Of a request to `path`, made with the token `caller`. What is `asked` must leave passwords out
/// where it serializes: a fast digest beside a slow one (Argon2id) is what a thief would guess
/// against, and a refusal of a changed password would tell the right one from a wrong one.
pub fn idempotency(
    caller: &TokenId,
    method: &str,
    path: &str,
    key: &str,
    asked: &impl Serialize,
) -> Result<Idempotency, serde_json::Error> {
    // No part holds a line feed.
    let key = format!("{caller}\n{method}\n{path}\n{key}");
    let request = serde_json::to_vec(asked)?;
    Ok(Idempotency { key: Digest::of(key.as_bytes()), request: Digest::of(&request) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(caller: &str, method: &str, path: &str, key: &str, asked: u32) -> Idempotency {
        let caller = TokenId::parse(caller).unwrap();
        idempotency(&caller, method, path, key, &json!({ "asked": asked })).unwrap()
    }

    #[test]
    fn key_is_one_callers_for_one_operation() {
        let first = of("a", "POST", "/v1/users", "k", 1);
        assert_eq!(first, of("a", "POST", "/v1/users", "k", 1));
        for other in [
            of("b", "POST", "/v1/users", "k", 1),
            of("a", "PUT", "/v1/users", "k", 1),
            of("a", "POST", "/v1/partners", "k", 1),
            of("a", "POST", "/v1/users", "l", 1),
        ] {
            assert_ne!(first.key, other.key);
            assert_eq!(first.request, other.request);
        }
        assert_ne!(first.request, of("a", "POST", "/v1/users", "k", 2).request);
    }
}
