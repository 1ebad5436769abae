//! Three header lines, then the request: method, target, body. What verifies is exactly what a
//! client with the key would have sent, letter for letter.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_core::signature::{Secret, SignedRequest};
use rescind_core::{
    Authentic, Bounds, KEY_ID_BYTES_MAX, ScopeSet, SignedHeaders, TIMESTAMP_BYTES_MAX, Timestamp,
    TokenKind,
};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(6, |byte| *byte == b'\n');
    let mut text = || str::from_utf8(parts.next()?).ok();
    let (Some(key_id), Some(timestamp), Some(signature)) = (text(), text(), text()) else { return };
    let Ok(signed) = SignedHeaders::parse(key_id, timestamp, signature) else { return };

    assert_eq!(signed.key_id(), key_id);
    assert!((1..=KEY_ID_BYTES_MAX).contains(&key_id.len()) && !key_id.contains([',', ' ']));
    assert!(timestamp.len() <= TIMESTAMP_BYTES_MAX);
    assert_eq!(Ok(signed.timestamp()), Timestamp::parse(timestamp));
    assert!(signature.len() == 44 && signature.ends_with('=') && !signature.ends_with("=="));

    let (Some(method), Some(target)) = (text(), text()) else { return };
    let request = SignedRequest::with_body(method, target, parts.next().unwrap_or_default());
    let now = signed.timestamp();
    let none = ScopeSet::default();
    let bounds = Bounds {
        kind: TokenKind::Signing,
        issued_at: now,
        expires_at: None,
        revoked: false,
        scopes: &none,
        owner_suspended: false,
        owner_not_before: None,
        owner_scopes: None,
    };
    let key = Secret::from_bytes(b"01234567890123456789012345678901".to_vec()).key();
    let made = key.sign(timestamp, &request);
    // As it came, and as the client would have made it: the second always verifies.
    for claimed in [signature, &made] {
        let signed = SignedHeaders::parse(key_id, timestamp, claimed).expect("readable");
        let verdict = Authentic::by_signature(&key, &signed, &request, now, &bounds);
        assert_eq!(verdict.is_ok(), claimed == made);
    }
});
