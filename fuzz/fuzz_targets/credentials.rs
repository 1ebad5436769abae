//! Of the headers of a request at most one credential is believed, and it is there whole: as the
//! only value of its header, with no other scheme beside it.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use rescind_core::Presented;
use rescind_guard::credentials::{CredentialHeaders, SigningHeaders};

const NAMES: [&str; 6] =
    ["x-api-key", "authorization", "lmts-api-key", "lmts-timestamp", "lmts-signature", "x-other"];

// Each line is a header: a digit that names it, then its value.
fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(16) {
        let Some((digit, value)) = line.split_first() else { continue };
        let name = NAMES[usize::from(digit.wrapping_sub(b'0')) % NAMES.len()];
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(HeaderName::from_static(name), value);
    }
    let names = CredentialHeaders {
        api_key: HeaderName::from_static("x-api-key"),
        signing: Some(SigningHeaders::with_prefix("lmts").expect("a prefix")),
    };
    let values = |name| headers.get_all(name).iter().collect::<Vec<_>>();
    let [api_key, authorization, key, timestamp, signature, _] = NAMES.map(values);
    let signing = [&key, &timestamp, &signature];
    match names.read(&headers) {
        Ok(None) => assert!(names.names().all(|name| !headers.contains_key(name))),
        Ok(Some(Presented::Bearer(token))) => {
            assert!(signing.iter().all(|values| values.is_empty()));
            assert_eq!(api_key.len() + authorization.len(), 1);
            assert!(token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','));
            match (api_key.first(), authorization.first()) {
                (Some(value), None) => assert_eq!(*value, token),
                (None, Some(value)) => {
                    let value = value.to_str().expect("it was read");
                    let (scheme, rest) = value.split_once(' ').expect("a scheme and a token");
                    assert!(scheme.eq_ignore_ascii_case("bearer") && rest.trim() == token);
                }
                _ => unreachable!("one of them"),
            }
        }
        Ok(Some(Presented::Signed(signed))) => {
            assert!(api_key.is_empty() && authorization.is_empty());
            assert!(signing.iter().all(|values| values.len() == 1));
            assert_eq!(*key[0], signed.key_id());
        }
        Err(_) => assert!(names.names().any(|name| headers.contains_key(name))),
    }
    // Without the credentials' headers nothing is left that could be one.
    let listed: Vec<HeaderName> = names.names().cloned().collect();
    for name in &listed {
        headers.remove(name);
    }
    assert!(matches!(names.read(&headers), Ok(None)));
});
