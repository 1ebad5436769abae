//! A key set that is accepted holds only keys for ES256 and EdDSA, each under one name: never a
//! symmetric one, whose public half would be its secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_server::service::identity::{KEYS_MAX, KeySet};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(set) = KeySet::parse(data) else { return };

    assert!(!set.is_empty() && data.len() <= 64 * 1024);
    let json: Value = serde_json::from_slice(data).expect("a set is JSON");
    let keys = json["keys"].as_array().expect("a set is a list of keys");
    assert!(keys.len() <= KEYS_MAX);
    let named = |key: &Value| key["kid"].as_str().and_then(|kid| set.find(Some(kid)));
    let usable = |key: &Value| match (key["kty"].as_str(), key["crv"].as_str()) {
        (Some("EC"), Some("P-256")) | (Some("OKP"), Some("Ed25519")) => key["use"] != "enc",
        _ => false,
    };
    for key in keys {
        let Some(found) = named(key) else { continue };
        // It goes by the name of a key that can be used, if not by this one.
        let same_name = keys.iter().filter(|other| other["kid"] == key["kid"]);
        assert!(same_name.into_iter().any(usable), "{found:?}");
    }
    // Without a name only the only one is meant.
    assert!(set.find(None).is_none() || keys.iter().filter(|key| usable(key)).count() >= 1);
    assert!(set.find(Some("\u{0}no such name")).is_none());
});
